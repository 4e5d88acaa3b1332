"""Cryptography over bytes: composes audited primitives as the protocol says, and invents none.

Knows no HTTP, no database and no party.
"""
