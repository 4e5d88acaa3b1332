"""The key holder's database: tables, migrations, and every SQL statement that the key holder runs.

The same on SQLite and PostgreSQL. Knows rows; no HTTP, no key, no rule.
"""
