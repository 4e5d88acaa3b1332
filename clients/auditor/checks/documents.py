"""Whether the documents that the log names are there, verify, and follow one another without a gap.

Takes them anew from the pinned hash, as if nothing were trusted yet. Knows no network.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from clients.auditor.ledger import Ledger
from clients.auditor.ledger_schema import Finding, LeafRow
from policies.documents import SignedDocument
from policies.errors import DocumentRefused
from policies.establish import in_order
from policies.roster import Roster
from policies.trust import Trust
from wire.packed import pack

SUBJECT: Final = "documents"
TYPES: Final = ("agreement", "suspension", "departure", "epoch", "roster")


def check_documents(ledger: Ledger, pinned_hash: bytes, documents: Sequence[SignedDocument]) -> Iterator[Finding]:
    """Every document that a leaf names and every chain; `documents` as the broker lists them, believed or not."""
    named = {row.position: _body(row) for event in TYPES for row in ledger.leaves(event)}
    rows = {row.position: row for event in TYPES for row in ledger.leaves(event)}
    by_hash = {pack(signed.hash): signed for signed in documents}
    for position, body in sorted(named.items()):
        yield from _named(rows[position], body, by_hash)
    yield from _unlogged(named, rows, by_hash)
    yield from _gaps(named, rows)
    yield from _verified(pinned_hash, documents)


def _named(row: LeafRow, body: Mapping[str, Any], by_hash: Mapping[str, SignedDocument]) -> Iterator[Finding]:
    """A leaf's document must be there, and be of the leaf's type."""
    signed = by_hash.get(str(body.get("hash")))
    if signed is None:
        sentence = f"Leaf {row.position} names {_title(row.type, body)}, and the broker does not show that document."
        yield Finding(SUBJECT, sentence, row.position)
    elif signed.type != row.type:
        sentence = f"Leaf {row.position} says that it names a {row.type}, but its document is a {signed.type}."
        yield Finding(SUBJECT, sentence, row.position)
    else:
        for name in ("version", "number", "policy_hash", "epoch_id", "party_id", "agreement_id"):
            if name in body and body[name] != signed.document.get(name):
                sentence = f"Leaf {row.position} gives another {name} than the {row.type} that it names."
                yield Finding(SUBJECT, sentence, row.position)


def _unlogged(
    named: Mapping[int, Mapping[str, Any]], rows: Mapping[int, LeafRow], by_hash: Mapping[str, SignedDocument]
) -> Iterator[Finding]:
    """What the broker shows but never logged, and what it logged twice."""
    places = defaultdict(list)
    for position, body in named.items():
        places[str(body.get("hash"))].append(position)
    for packed, signed in by_hash.items():
        if signed.type in TYPES and packed not in places:
            yield Finding(
                SUBJECT, f"The broker shows {_title(signed.type, signed.document)}, which the log does not name."
            )
    for positions in places.values():
        if len(positions) > 1:
            first, *again = sorted(positions)
            sentence = f"Leaf {again[0]} names the {rows[first].type} that leaf {first} named before."
            yield Finding(SUBJECT, sentence, again[0])


def _gaps(named: Mapping[int, Mapping[str, Any]], rows: Mapping[int, LeafRow]) -> Iterator[Finding]:
    """Versions of the agreement, epochs, and each epoch's rosters must come in their order, from the first."""
    last: dict[tuple[str, str], int] = {}
    for position in sorted(named):
        row, body = rows[position], named[position]
        chain, number = _place(row.type, body)
        if number is None:
            continue
        before = last.get(chain, 0)
        if number != before + 1 and not (row.type == "epoch" and before == 0):
            sentence = (
                f"Leaf {position} names {_title(row.type, body)}, but the one before it in the log is number {before}: "
                "something between them is missing."
            )
            yield Finding(SUBJECT, sentence, position)
        last[chain] = number


def _place(event: str, body: Mapping[str, Any]) -> tuple[tuple[str, str], int | None]:
    """The chain to which a document belongs, and its number in it."""
    match event:
        case "agreement":
            return (event, ""), body.get("version")
        case "epoch":
            return (event, ""), body.get("number")
        case "roster":
            return (event, str(body.get("epoch_id"))), body.get("version")
        case "suspension":
            return (event, f"{body.get('party_id')} {body.get('by')}"), body.get("number")
    return (event, ""), None


def _verified(pinned_hash: bytes, documents: Sequence[SignedDocument]) -> Iterator[Finding]:
    """Take every document by the rules of policies.trust, rosters of closed epochs among them."""
    try:
        given = in_order(documents)
    except DocumentRefused as refused:
        yield Finding(SUBJECT, f"A document that the broker shows cannot be read: {refused.reason}")
        return
    pinned = next((one for one in given if one.type == "agreement" and one.hash == pinned_hash), None)
    if pinned is None:
        yield Finding(SUBJECT, "The broker does not show the agreement that is pinned here.")
        return
    try:
        trust = Trust.pin(pinned, pinned_hash)
    except DocumentRefused as refused:
        yield Finding(SUBJECT, f"The pinned agreement does not verify: {refused.reason}")
        return
    rosters = [one for one in given if one.type == "roster"]
    for signed in given:
        if signed.type == "roster":
            continue
        try:
            trust = trust.with_document(signed)
        except DocumentRefused as refused:
            yield Finding(
                SUBJECT, f"{_capital(_title(signed.type, signed.document))} does not verify: {refused.reason}"
            )
            continue
        if signed.type == "epoch":
            yield from _rosters_of(trust, rosters)


def _rosters_of(trust: Trust, rosters: Sequence[SignedDocument]) -> Iterator[Finding]:
    for signed in rosters:
        if Roster.from_document(signed.document).epoch_id == trust.epoch_id:
            try:
                trust = trust.with_roster(signed)
            except DocumentRefused as refused:
                yield Finding(
                    SUBJECT,
                    f"{_capital(_title('roster', signed.document))} of epoch {trust.epoch.number} does not verify: "
                    f"{refused.reason}",
                )


def _title(event: str, body: Mapping[str, Any]) -> str:
    match event:
        case "agreement":
            return f"version {body.get('version')} of the agreement"
        case "epoch":
            return f"epoch {body.get('number')}"
        case "roster":
            return f"roster {body.get('version')}"
    return f"a {event} of {body.get('party_id')}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _body(row: LeafRow) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(row.body)
    return found
