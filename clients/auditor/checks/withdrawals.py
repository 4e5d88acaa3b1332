"""Whether the broker still has each withdrawal that the log names, as it was signed: key holders open by them.

Knows no network: statements come as the broker answers them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Final

from clients.auditor.ledger import Ledger
from clients.auditor.ledger_schema import Finding
from crypto.signatures import is_valid
from policies.trust import Trust
from wire.messages.log import LoggedWithdrawal
from wire.packed import pack
from wire.problems import RemoteProblem

SUBJECT: Final = "withdrawals"
_GONE: Final = 404

Ask = Callable[[str, int], LoggedWithdrawal]
"""From institution and number to the statement; raises UserError."""


def check_withdrawals(ledger: Ledger, trust: Trust, ask: Ask) -> Iterator[Finding]:
    """A finding for each logged withdrawal of the current epoch that is gone, or another one, or not signed.

    Raises UserError where the broker does not answer.
    """
    for row in ledger.leaves("withdrawal"):
        body = json.loads(row.body)
        if body.get("epoch_id") != pack(trust.epoch_id):
            continue
        institution_id, seq = str(body.get("institution_id")), int(body.get("seq", 0))
        name = f"The withdrawal {seq} of {institution_id} in leaf {row.position}"
        try:
            found = ask(institution_id, seq)
        except RemoteProblem as problem:
            if problem.status != _GONE:
                raise
            yield Finding(SUBJECT, f"{name} is not at the broker any more.", row.position)
            continue
        if pack(hashlib.sha256(found.statement).digest()) != body.get("statement_hash"):
            yield Finding(SUBJECT, f"{name} is another one at the broker than the one that was logged.", row.position)
        elif not is_signed(trust, institution_id, found):
            yield Finding(SUBJECT, f"{name} does not bear the institution's signature at the broker.", row.position)


def is_signed(trust: Trust, institution_id: str, found: LoggedWithdrawal) -> bool:
    """Whether a key that the institution had in this epoch signed the statement."""
    members = [*(member for roster in trust.rosters for member in roster.members), *trust.agreement.members]
    keys = {member.signing_key for member in members if member.institution_id == institution_id}
    return any(is_valid(key, found.statement, found.signature) for key in keys)
