"""Ingest: what an institution sends is checked at the edge, part by part, and applied whole or not at all.

Knows statements, records and times; nothing of matching, so that no answer can tell whether something matched.
"""
