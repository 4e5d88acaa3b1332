"""The sharing agreement: what the parties co-sign, from the lawyers' YAML file to the canonical document and back.

Its first version's hash is what every party compares out of band and pins. Knows no service and no store.
"""
