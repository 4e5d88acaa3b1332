"""One module a kind of identifier, each over the library made for it.

Knows nothing of the others, nor of where values come from.
"""
