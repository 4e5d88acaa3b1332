"""What every program needs and no party owns: clock, settings, logs, database, console, service shell.

Knows no message, no policy and no party.
"""
