"""Whether every institution's statements are all there, and whether records ended when they had to.

Statements are numbered by institution and epoch, withdrawals among them: a number that is missing is a leaf that is.
Knows no statement, only what leaves say.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from clients.auditor.ledger import Ledger
from clients.auditor.ledger_schema import Finding
from clients.auditor.words import counted, day_and_time
from policies.trust import Trust
from wire.packed import pack

SUBJECT: Final = "times"
GRACE: Final = 86_400
"""Seconds that an expiry may come after a record's time."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Records of one institution in the current epoch: sent, taken back, ended by time or departure.

    overdue  how many of those sent should have ended by now, at the latest, and have not
    """

    institution_id: str
    submitted: int
    withdrawn: int
    expired: int
    departed: int
    overdue: int


def check_sequences(ledger: Ledger) -> Iterator[Finding]:
    """A finding where an institution's statements in an epoch are not numbered 1, 2, 3 ... in the log."""
    last: dict[tuple[str, str], int] = defaultdict(int)
    for row in _merged(ledger):
        body = json.loads(row[1])
        institution, epoch, seq = str(body.get("institution_id")), str(body.get("epoch_id")), body.get("seq")
        expected = last[institution, epoch] + 1
        if seq != expected:
            sentence = (
                f"Leaf {row[0]} is statement {seq} of {institution}, but its statement {expected} would be the next: "
                "what was between them is missing from the log, or logged twice."
            )
            yield Finding(SUBJECT, sentence, row[0])
        if isinstance(seq, int):
            last[institution, epoch] = seq


def balances(ledger: Ledger, trust: Trust, now: int) -> list[Balance]:
    """What became of every institution's records in the current epoch."""
    epoch_id = pack(trust.epoch_id)
    start = next((row.position for row in ledger.leaves("epoch") if json.loads(row.body).get("hash") == epoch_id), 0)
    lifetime = trust.agreement.retention.records
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for event, member in (
        ("submission", "records"),
        ("withdrawal", "count"),
        ("expiry", "count"),
        ("departure", "records"),
    ):
        for row in ledger.leaves(event, first=start):
            body = json.loads(row.body)
            if body.get("epoch_id", epoch_id) != epoch_id:
                continue
            number = int(body.get(member, 0))
            sums[row.party][event] += number
            if event == "submission" and row.at + lifetime + GRACE < now:
                sums[row.party]["due"] += number
    return [
        Balance(
            institution,
            each["submission"],
            each["withdrawal"],
            each["expiry"],
            each["departure"],
            max(0, each["due"] - each["withdrawal"] - each["expiry"] - each["departure"]),
        )
        for institution, each in sorted(sums.items())
    ]


def check_expiries(found: list[Balance], trust: Trust, now: int) -> Iterator[Finding]:
    """A finding for each institution whose records have outlived what the agreement lets them."""
    for balance in found:
        if balance.overdue and now < trust.epoch.not_after:
            yield Finding(
                SUBJECT,
                f"{counted(balance.overdue, 'record')} of {balance.institution_id} should have ended by "
                f"{day_and_time(now - GRACE)}, and the log shows no expiry of them.",
            )


def _merged(ledger: Ledger) -> Iterator[tuple[int, bytes]]:
    """Submissions and withdrawals in their order."""
    rows = [(row.position, row.body) for event in ("submission", "withdrawal") for row in ledger.leaves(event)]
    yield from sorted(rows)
