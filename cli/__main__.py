"""`python -m cli` is `crosslight`: what the demonstration starts its processes with."""

from cli.main import main

if __name__ == "__main__":
    main()
