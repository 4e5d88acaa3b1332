"""The transparency log's formats, as pure values: signed notes, checkpoints, trees, tiles, leaves, witnesses, proofs.

Everybody who writes, reads or verifies the log uses these. Knows no database, no network and no clock.
"""
