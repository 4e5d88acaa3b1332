"""An institution's client: reads its source, evaluates, seals, signs, submits and withdraws.

No plain identifier leaves it or stays in its state.
"""
