"""The key holder's resources, one module each: read the message, call one function, answer.

No SQL, no group operation, no rule: those are the modules' that the views call.
"""
