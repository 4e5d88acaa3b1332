"""The auditor's report: what was checked, over which checkpoint, with what result; signed, and verifiable alone.

Whoever has the report and the log's public key needs nothing else and nobody's word.
"""
