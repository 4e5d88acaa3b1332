"""The commands over signed documents: `crosslight party`, `agreement`, `epoch` and `roster`.

Only gathers them; each lives in a module of its own.
"""

from policies.agreement.commands import agreement
from policies.epoch_commands import epoch
from policies.party_commands import party
from policies.roster_commands import roster

__all__ = ["agreement", "epoch", "party", "roster"]
