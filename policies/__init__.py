"""What everybody signs and obeys: agreement, epochs, rosters, the opening rule, and what a party may rely on.

Knows no service and no party's store.
"""
