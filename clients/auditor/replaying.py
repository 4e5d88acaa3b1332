"""Takes every logged decision again, from its record and the agreement alone, and keeps where the answer differs.

Resumable: what was replayed is kept batch by batch. Knows no key and no network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Final

from clients.auditor.ledger import Ledger
from clients.auditor.ledger_schema import DecisionFilter, Finding, LeafRow
from clients.auditor.words import day_and_time
from policies.agreement.document import Agreement
from policies.decisions.record import DecisionRecord
from policies.decisions.replay import BATCH, replay_many
from policies.errors import DocumentRefused

SUBJECT: Final = "decisions"
_KEPT: Final = 4 * BATCH
MOST_FINDINGS: Final = 1000
"""Findings that are written out; the rest is counted in one more."""


def replay_decisions(
    ledger: Ledger, agreements: Mapping[bytes, Agreement], advance: Callable[[int], None], *, again: bool = False
) -> list[Finding]:
    """Replay what was not replayed yet (`again`: everything); return what does not hold among all decisions."""
    upto = 0 if again else int(ledger.state("replayed_upto") or b"0")
    leaves = ledger.leaves("decision", first=upto)
    while batch := list(islice(leaves, _KEPT)):
        ledger.set_replayed(_replay(batch, agreements), batch[-1].position + 1)
        advance(len(batch))
    findings = differing(ledger)
    ledger.set_findings(SUBJECT, findings)
    return findings


def record_of(leaf: LeafRow) -> DecisionRecord:
    """The record in a decision's leaf; raises DocumentRefused."""
    # The leaf was read strictly when it was copied.
    document = json.loads(leaf.body).get("decision")
    if not isinstance(document, dict):
        raise DocumentRefused("The leaf holds no decision record.")
    return DecisionRecord.from_document(document)


def differing(ledger: Ledger) -> list[Finding]:
    """A finding for each replayed decision whose answer differs."""
    wanted = DecisionFilter(differs=True)
    rows = ledger.decisions(wanted, count=MOST_FINDINGS)
    findings = [
        Finding(
            SUBJECT,
            f"The decision in leaf {row.position} ({row.action} by {row.party}, {day_and_time(row.at)}) does not "
            f"replay: {row.trouble}",
            row.position,
        )
        for row in rows
    ]
    if (rest := ledger.count_decisions(wanted) - len(findings)) > 0:
        findings.append(Finding(SUBJECT, f"{rest} more decisions do not replay."))
    return findings


def _replay(batch: list[LeafRow], agreements: Mapping[bytes, Agreement]) -> list[tuple[int, str]]:
    """What is wrong with each decision of a batch, by position; empty where it holds."""
    troubles: dict[int, str] = {}
    readable: dict[int, DecisionRecord] = {}
    for leaf in batch:
        try:
            readable[leaf.position] = record_of(leaf)
        except DocumentRefused as refused:
            troubles[leaf.position] = refused.reason
    replayed = replay_many(readable.values(), agreements)
    troubles |= {position: each.trouble for position, each in zip(readable, replayed, strict=True)}
    return list(troubles.items())
