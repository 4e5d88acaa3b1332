"""Evaluations that key holders signed for, beside what was submitted the same day: who asks far more than it sends?

Whoever probes for people evaluates identifiers that it never submits. Counts are of elements, never of identifiers.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from statistics import median
from typing import Any, Final

from clients.auditor.ledger import Ledger
from clients.auditor.ledger_schema import Finding
from clients.auditor.words import counted, day_of
from crypto.signatures import is_valid
from policies.documents import document_hash, signed_bytes
from policies.parties import holder_party_id
from policies.trust import Trust
from wire.packed import InvalidPacked, pack, unpack

SUBJECT: Final = "counts"
CUTOFF: Final = 6
"""Robust standard deviations above the median from which a day is an outlier."""

LEAST: Final = 100
"""Elements below which a day is never an outlier."""

_SCALE: Final = 1.4826
"""What makes the median of absolute deviations estimate a standard deviation (for normal noise)."""

RULE: Final = (
    "A day of an institution with a key family at a holder is an outlier (possible probing) if it has at least "
    f"{LEAST} evaluations, and more evaluations for each record submitted that day than the median of all days of that "
    f"family by more than {CUTOFF} robust standard deviations (1.4826 times the median absolute deviation, and no less "
    "than a tenth of the median)."
)
"""The rule in words, as it is shown wherever outliers are."""


@dataclass(frozen=True, slots=True)
class EvaluatedDay:
    """What a holder evaluated for an institution under a key family on a day, and the records submitted that day.

    position  the leaf with the signed counts
    ratio     evaluations for each record submitted (for one record, where none was)
    """

    day: str
    institution_id: str
    family: str
    holder: int
    elements: int
    submitted: int
    position: int
    ratio: float = 0.0
    is_outlier: bool = False


def evaluated_days(ledger: Ledger) -> list[EvaluatedDay]:
    """Every day of every holder's logged counts, outliers marked, the newest day first."""
    submitted: dict[tuple[str, str], int] = defaultdict(int)
    for row in ledger.leaves("submission"):
        submitted[row.party, day_of(row.at)] += int(json.loads(row.body).get("records", 0))
    return mark_outliers(sorted(_days(ledger, submitted), key=lambda one: (one.day, one.position), reverse=True))


def mark_outliers(days: Sequence[EvaluatedDay]) -> list[EvaluatedDay]:
    """Mark the days that RULE calls outliers. The family `record` is one a record and is judged like the others."""
    with_ratio = [replace(one, ratio=one.elements / max(1, one.submitted)) for one in days]
    ratios: dict[str, list[float]] = defaultdict(list)
    for one in with_ratio:
        ratios[one.family].append(one.ratio)
    limits = {family: _limit(values) for family, values in ratios.items()}
    return [replace(one, is_outlier=one.elements >= LEAST and one.ratio > limits[one.family]) for one in with_ratio]


def check_counts(ledger: Ledger, trust: Trust) -> Iterator[Finding]:
    """A finding for each leaf of counts that its holder did not sign, and for each day that is missing in a chain."""
    last: dict[tuple[str, int], tuple[str, str]] = {}
    for row in ledger.leaves("evaluations"):
        body = json.loads(row.body)
        holder, epoch, day = body.get("holder"), str(body.get("epoch_id")), str(body.get("day"))
        document, title = body.get("document"), f"the counts of {row.party} for {day}"
        key = trust.newest_agreement.holder_keys.get(row.party)
        before = last.get((epoch, holder))
        if before is not None and day != _day_after(before[0]):
            sentence = f"Leaf {row.position} holds {title}, but those for {_day_after(before[0])} would be the next."
            yield Finding(SUBJECT, sentence, row.position)
        if isinstance(document, dict):
            if not _is_signed(document, body.get("signature"), key):
                yield Finding(
                    SUBJECT,
                    f"{title[:1].upper()}{title[1:]} in leaf {row.position} are not signed by it.",
                    row.position,
                )
            elif document.get("previous") != (before[1] if before is not None else epoch):
                yield Finding(
                    SUBJECT, f"Leaf {row.position} holds {title}, which do not continue those before.", row.position
                )
        last[epoch, holder] = (day, str(body.get("hash")))


def _days(ledger: Ledger, submitted: Mapping[tuple[str, str], int]) -> Iterator[EvaluatedDay]:
    for row in ledger.leaves("evaluations"):
        body = json.loads(row.body)
        document = body.get("document")
        counts: Any = document.get("counts") if isinstance(document, dict) else None
        day, holder = str(body.get("day")), int(body.get("holder", 0))
        for institution, families in counts.items() if isinstance(counts, dict) else ():
            for family, elements in families.items():
                sent = submitted.get((institution, day), 0)
                yield EvaluatedDay(day, institution, family, holder, int(elements), sent, row.position)


def _limit(ratios: Sequence[float]) -> float:
    """The ratio above which a day stands out among these."""
    middle = median(ratios)
    spread = _SCALE * median(abs(ratio - middle) for ratio in ratios)
    return middle + CUTOFF * max(spread, middle / 10)


def _is_signed(document: Mapping[str, Any], signature: object, key: bytes | None) -> bool:
    try:
        given = unpack(signature) if isinstance(signature, str) else b""
    except InvalidPacked:
        return False
    return key is not None and len(given) == 64 and is_valid(key, signed_bytes(document), given)


def _day_after(day: str) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    except ValueError:
        return ""


def outlier_sentence(one: EvaluatedDay) -> str:
    """An outlier in words."""
    return (
        f"{one.institution_id} had {counted(one.elements, 'identifier')} of the family {one.family} evaluated at "
        f"{holder_party_id(one.holder)} on {one.day} and submitted {counted(one.submitted, 'record')} that day."
    )


def counts_hash(document: Mapping[str, Any]) -> str:
    """The hash by which the next day's counts name a day's."""
    return pack(document_hash(document))
