"""The one `crosslight` command: gathers what the parties offer and loads it when it is called.

Decides nothing itself but what `crosslight doctor` checks.
"""
