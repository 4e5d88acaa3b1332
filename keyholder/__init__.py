"""A key holder: one share of every key of an epoch, and the service that evaluates with it for those who may ask.

It never sees an identifier (only blinded points), and no tag but those that are shown to it as evidence.
"""
