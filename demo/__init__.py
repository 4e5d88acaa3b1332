"""The demonstration: every party as a process on this machine, over made-up people or one's own files.

Holds all parties' keys at once, which no real deployment may.
"""
