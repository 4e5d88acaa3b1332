"""Whether key holders' chained records of openings hold, and whether recipients reported what was opened for them.

Every decision that a record names can be taken again from it. Knows no network: records come as holders answer.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from clients.auditor.checks.activity import Event
from clients.auditor.ledger_schema import Finding
from clients.auditor.words import counted, day_of
from crypto.signatures import is_valid
from policies.agreement.document import Agreement
from policies.decisions.record import DecisionRecord
from policies.decisions.replay import replay_many
from policies.errors import DocumentRefused
from policies.parties import holder_party_id
from wire.messages.opening_record import RecordedOpening
from wire.packed import InvalidPacked, unpack
from wire.strict_json import InvalidJson, parse_json

SUBJECT: Final = "openings"
_LABEL: Final = b"crosslight/v1 opening\0"


@dataclass(frozen=True)
class Opening:
    """One decision of a key holder: of which number, when, for whom and what, and how many records opened."""

    holder: int
    number: int
    decided_at: int
    recipient_id: str
    purpose: str
    refused: str
    opened: int
    shut: int
    decision: DecisionRecord | None


def read_record(holder: int, key: bytes, recorded: Iterable[RecordedOpening]) -> tuple[list[Opening], list[Finding]]:
    """A holder's record from its first decision on: what holds of it, and where its chain breaks (then no further)."""
    openings: list[Opening] = []
    number, previous = 0, b""
    for link in recorded:
        message = _LABEL + link.body.encode()
        document = _document(link.body)
        follows = document.get("number") == link.number == number + 1 and document.get("holder") == holder
        chained = number == 0 or _unpacked(document.get("previous")) == previous
        if not follows or not chained or not is_valid(key, message, link.signature):
            name = holder_party_id(holder)
            sentence = f"Decision {number + 1} in the record of openings of {name} is missing or was changed."
            return openings, [Finding(SUBJECT, sentence)]
        number, previous = link.number, hashlib.sha256(message).digest()
        openings.append(_opening(document))
    return openings, []


def check_decisions(openings: Sequence[Opening], agreements: Mapping[bytes, Agreement]) -> Iterator[Finding]:
    """A finding for each recorded decision that does not replay."""
    decided = [(opening, opening.decision) for opening in openings if opening.decision is not None]
    replayed = replay_many((record for _, record in decided), agreements)
    for (opening, _), again in zip(decided, replayed, strict=True):
        if again.trouble:
            yield Finding(
                SUBJECT,
                f"Decision {opening.number} of {holder_party_id(opening.holder)} does not replay: {again.trouble}",
            )


def check_reported(
    openings: Sequence[Opening], events: Sequence[Event], needed: int, logged_until: int
) -> Iterator[Finding]:
    """A finding for each recipient and day on which holders opened records and of which it reported nothing.

    `needed` holders open together. What was opened late in a day may be reported the next, so both are looked at, as
    soon as the log has the activity of both: up to `logged_until` (Unix seconds).
    """
    opened: Counter[tuple[str, str]] = Counter()
    for opening in openings:
        if opening.opened:
            opened[opening.recipient_id, day_of(opening.decided_at)] += opening.opened
    reported = {(event.party, day_of(event.at)) for event in events if event.kind == "opening"}
    for (recipient, day), number in sorted(opened.items()):
        days = {day, _next_day(day)}
        if _next_day(_next_day(day)) > day_of(logged_until):
            continue
        if number >= needed and not any((recipient, each) in reported for each in days):
            yield Finding(
                SUBJECT,
                f"Key holders opened records for {recipient} on {day} ({counted(number, 'answer')}), and the hours' "
                "activity shows no opening that it reported.",
            )


def _next_day(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def _opening(document: Mapping[str, Any]) -> Opening:
    listed = document.get("records")
    records = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    kinds = Counter(str(one.get("decision")) for one in records)
    decision = document.get("decision")
    try:
        record = DecisionRecord.from_document(decision) if isinstance(decision, dict) else None
    except DocumentRefused:
        record = None
    at = document.get("decided_at")
    return Opening(
        int(document["holder"]),
        int(document["number"]),
        at if isinstance(at, int) else 0,
        str(document.get("recipient_id", "")),
        str(document.get("purpose", "")),
        str(document.get("refused", "")),
        kinds["opened"],
        kinds["shut"],
        record,
    )


def _document(body: str) -> Mapping[str, Any]:
    try:
        document = parse_json(body.encode())
    except InvalidJson:
        return {}
    return document if isinstance(document, dict) else {}


def _unpacked(text: object) -> bytes:
    try:
        return unpack(text) if isinstance(text, str) else b""
    except InvalidPacked:
        return b""
