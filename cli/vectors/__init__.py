"""Recomputes folders of worked protocol bytes, field by field.

Knows the files' form and the functions under test; no party, no service.
"""
