"""What becomes a leaf of the log (protocol section 9), one function an event, and how a leaf is read.

A leaf is an RFC 8785 JSON object with `type` and `at` (Unix seconds). It holds no identifier, no tag and no handle, and
nothing that depends on a match: `activity` alone tells of that, as the root of salted commitments. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import rfc8785

from crypto.statements import SubmissionStatement, WithdrawalStatement
from policies.documents import document_hash
from policies.log.errors import LogRefused
from policies.log.tiles import LONGEST_LEAF
from wire.packed import pack
from wire.strict_json import InvalidJson, parse_json

PREFIX: Final = "crosslight/v1 leaf "
MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    "agreement": frozenset({"agreement_id", "version", "hash"}),
    "epoch": frozenset({"agreement_id", "number", "policy_hash", "hash"}),
    "roster": frozenset({"epoch_id", "version", "hash"}),
    "suspension": frozenset({"party_id", "by", "number", "suspended", "hash"}),
    "departure": frozenset({"party_id", "records", "hash"}),
    "submission": frozenset({"epoch_id", "institution_id", "seq", "records", "statement_hash"}),
    "withdrawal": frozenset({"epoch_id", "institution_id", "seq", "count", "statement_hash"}),
    "expiry": frozenset({"institution_id", "count"}),
    "evaluations": frozenset({"holder", "epoch_id", "day", "hash", "document", "signature"}),
    "decision": frozenset({"decision"}),
    "login": frozenset({"party_id", "role", "day"}),
    "activity": frozenset({"hour", "root", "count"}),
}
"""What each event's leaf says beside its type and time: nothing else, so that nothing else is given away."""

EVENTS: Final = tuple(MEMBERS)
"""Every event that has a leaf."""

_MAY_MISS: Final[Mapping[str, frozenset[str]]] = {"evaluations": frozenset({"document"})}
_NUMBERS: Final = frozenset({"version", "number", "records", "seq", "count", "holder", "hour"})
_SPECIAL: Final[Mapping[str, type]] = {"document": dict, "decision": dict, "suspended": bool}


@dataclass(frozen=True)
class Leaf:
    """A leaf: the event (one of EVENTS), when it was logged (Unix seconds), and its other members."""

    type: str
    at: int
    body: Mapping[str, Any]


def read_leaf(leaf: bytes) -> Leaf:
    """Read a leaf's bytes; raises LogRefused for any but the one form of an event's leaf, with its members alone.

    What the members say is not looked into: whoever relies on one reads it.
    """
    try:
        document = parse_json(leaf)
    except InvalidJson as error:
        raise LogRefused(f"A leaf of the log cannot be read: {error}.") from None
    if not isinstance(document, dict):
        raise LogRefused("A leaf of the log is no JSON object.")
    if not _is_canonical(document, leaf):
        raise LogRefused("A leaf of the log is not in its canonical form (RFC 8785).")
    kind, at = document.pop("type", None), document.pop("at", None)
    event = kind.removeprefix(PREFIX) if isinstance(kind, str) else ""
    if event not in EVENTS or kind != PREFIX + event:
        raise LogRefused("A leaf of the log is of a type that there is not.")
    if not isinstance(at, int) or isinstance(at, bool) or at < 0:
        raise LogRefused("A leaf of the log has no time.")
    members = MEMBERS[event]
    if not members - _MAY_MISS.get(event, frozenset()) <= document.keys() <= members:
        raise LogRefused(f"A leaf of the log ({event}) says more or less than such a leaf does.")
    for name, value in document.items():
        if type(value) is not _SPECIAL.get(name, int if name in _NUMBERS else str):
            raise LogRefused(f"A leaf of the log ({event}) has something else where its {name} belongs.")
    return Leaf(event, at, document)


def agreement_leaf(document: Mapping[str, Any], at: int) -> bytes:
    """A version of the agreement came into force with all signatures."""
    return _document_leaf("agreement", document, at, "agreement_id", "version")


def epoch_leaf(document: Mapping[str, Any], at: int) -> bytes:
    """An epoch document was accepted; its hash is the epoch's id."""
    return _document_leaf("epoch", document, at, "agreement_id", "number", "policy_hash")


def roster_leaf(document: Mapping[str, Any], at: int) -> bytes:
    """A version of an epoch's roster was accepted."""
    return _document_leaf("roster", document, at, "epoch_id", "version")


def suspension_leaf(document: Mapping[str, Any], at: int) -> bytes:
    """A party was suspended, or its suspension lifted. The reason stays in the document."""
    return _document_leaf("suspension", document, at, "party_id", "by", "number", "suspended")


def departure_leaf(document: Mapping[str, Any], at: int, records: int) -> bytes:
    """A party left; `records` of its were ended with that."""
    return _leaf("departure", at, party_id=document["party_id"], hash=pack(document_hash(document)), records=records)


def submission_leaf(statement: bytes, at: int) -> bytes:
    """A submission was applied: made of its statement alone and the time in its receipt, so that anybody can remake it.

    Raises InvalidStatement.
    """
    decoded = SubmissionStatement.decode(statement)
    return _leaf(
        "submission",
        at,
        epoch_id=pack(decoded.epoch_id),
        institution_id=decoded.institution_id,
        seq=decoded.seq,
        records=decoded.count,
        statement_hash=_hash(statement),
    )


def withdrawal_leaf(statement: bytes, at: int) -> bytes:
    """A withdrawal was applied: made of its statement and the time in its receipt. Raises InvalidStatement."""
    decoded = WithdrawalStatement.decode(statement)
    return _leaf(
        "withdrawal",
        at,
        epoch_id=pack(decoded.epoch_id),
        institution_id=decoded.institution_id,
        seq=decoded.seq,
        count=len(decoded.handles),
        statement_hash=_hash(statement),
    )


def expiry_leaf(institution_id: str, count: int, at: int) -> bytes:
    """So many records of an institution ended because their time was up."""
    return _leaf("expiry", at, institution_id=institution_id, count=count)


def evaluations_leaf(document: Mapping[str, Any], signature: bytes, at: int) -> bytes:
    """A key holder's signed counts of a day, whole; of counts too long for a leaf, the hash that names them."""
    named = {name: document[name] for name in ("holder", "epoch_id", "day")}
    named["hash"] = pack(document_hash(document))
    whole = _encode("evaluations", at, **named, document=dict(document), signature=pack(signature))
    return whole if len(whole) <= LONGEST_LEAF else _leaf("evaluations", at, **named, signature=pack(signature))


def decision_leaf(document: Mapping[str, Any], at: int) -> bytes:
    """A decision that does not depend on a match: its record as policies.decisions writes it."""
    return _leaf("decision", at, decision=dict(document))


def login_leaf(party_id: str, role: str, day: str, at: int) -> bytes:
    """A party's first signed request on a day (YYYY-MM-DD)."""
    return _leaf("login", at, party_id=party_id, role=role, day=day)


def activity_leaf(hour: int, root: bytes, at: int, count: int = 1024) -> bytes:
    """An hour (its first second) of what depends on a match: the root (32 bytes) over `count` commitments.

    Always one an hour, always of the same count.
    """
    return _leaf("activity", at, hour=hour, root=pack(root), count=count)


def _document_leaf(event: str, document: Mapping[str, Any], at: int, *members: str) -> bytes:
    """A leaf that names a document by its hash, with some of its members."""
    return _leaf(event, at, hash=pack(document_hash(document)), **{name: document[name] for name in members})


def _is_canonical(document: Mapping[str, Any], leaf: bytes) -> bool:
    """Whether the bytes are the document's RFC 8785 form."""
    # Quick, and the same bytes as RFC 8785 for integers and text, but for names beyond the basic plane: asked then.
    quick = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return quick == leaf or rfc8785.dumps(dict(document)) == leaf


def _hash(statement: bytes) -> str:
    return pack(hashlib.sha256(statement).digest())


def _leaf(event: str, at: int, **body: Any) -> bytes:
    encoded = _encode(event, at, **body)
    if len(encoded) > LONGEST_LEAF:
        raise LogRefused(f"A leaf of {len(encoded)} bytes is too long: {LONGEST_LEAF} are the most.")
    return encoded


def _encode(event: str, at: int, **body: Any) -> bytes:
    return rfc8785.dumps({"type": PREFIX + event, "at": at, **body})
