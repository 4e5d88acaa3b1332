"""Matching: from new entries to alerts. Runs in the worker alone, after a submission's receipt.

Knows tags, possession and the opening rule; no request, and nothing that an institution could observe.
"""
