"""The broker's database: tables, migrations, and every SQL statement that the broker runs.

Set-based, the same on SQLite and PostgreSQL. Knows rows and keys; no HTTP, no signature, no opening rule.
"""
