"""The commands over signed documents: `crosslight enrolment`, `crosslight epoch`, `crosslight roster`.

Only gathers them; each lives in a module of its own.
"""

from policies.epoch_commands import epoch
from policies.party_commands import enrolment
from policies.roster_commands import roster

__all__ = ["enrolment", "epoch", "roster"]
