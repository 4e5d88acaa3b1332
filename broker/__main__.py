"""`python -m broker` is `crosslight broker`: how `broker serve --with-worker` starts its worker."""

import sys

from broker.commands import broker
from runtime.console import run_command

if __name__ == "__main__":
    sys.exit(run_command(broker))
