"""The broker's transparency log: leaves come with the transactions that they tell of, get a place, and stay.

The formats are policies.log's, the rows broker.store's. Knows no match: what depends on one goes to `activity`.
"""
