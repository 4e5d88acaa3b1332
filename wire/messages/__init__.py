"""The messages, one module a resource: frozen dataclasses, each with the marshmallow schema that reads and writes it.

Knows forms and lengths only; whether what a message says is allowed is decided elsewhere.
"""
