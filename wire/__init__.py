"""What the parties say to one another, how it is signed, and how a service and a client speak it.

Knows messages as values and callers by their keys; decides nothing that a policy decides.
"""
