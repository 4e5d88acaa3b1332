"""The holder's own record of openings: one signed, hash-chained document for every decision, opened or refused.

Names institutions, handles and reasons, so that an auditor can compare it with what the log shows and decide again;
never a tag or a key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785
from sqlalchemy import Engine

from crypto.signatures import SigningKey, is_valid
from keyholder.store.chains import Head
from keyholder.store.openings import Link, opening_links
from policies.decisions.record import DecisionRecord
from policies.evidence import Decision, Evidence
from policies.log.checkpoint import Checkpoint
from runtime.database import read_transaction
from runtime.exits import ExitCode, UserError
from wire.messages.opening_record import PAGE, RecordedOpening, RecordedOpenings
from wire.packed import pack
from wire.strict_json import InvalidJson, parse_json

OPENING_TYPE = "crosslight/v1 opening"
_LABEL = OPENING_TYPE.encode() + b"\0"


@dataclass(frozen=True)
class Circumstance:
    """What every decision names: when, for whom, about which request (SHA-256), under which documents.

    purpose      for which the recipient asked
    policy_hash  32 bytes: the version of the agreement
    checkpoint   the log's, under which the evidence was shown; None where that was not verified
    decision     by the agreement's rules, with their ids; None where it did not come to that
    """

    holder: int
    decided_at: int
    recipient_id: str
    request_hash: bytes
    epoch_id: bytes
    policy_hash: bytes
    roster_version: int
    purpose: str
    checkpoint: Checkpoint | None = None
    decision: DecisionRecord | None = None


def make_link(
    head: Head,
    circumstance: Circumstance,
    records: Iterable[Mapping[str, Any]],
    refused: str,
    signing_key: SigningKey,
) -> Link:
    """The next link after `head`. `refused`: the code where the request was refused whole, else empty."""
    body = rfc8785.dumps(
        {
            "type": OPENING_TYPE,
            "holder": circumstance.holder,
            "number": head.number + 1,
            "previous": pack(head.hash),
            "decided_at": circumstance.decided_at,
            "recipient_id": circumstance.recipient_id,
            "request_hash": pack(circumstance.request_hash),
            "epoch_id": pack(circumstance.epoch_id),
            "policy_hash": pack(circumstance.policy_hash),
            "roster_version": circumstance.roster_version,
            "purpose": circumstance.purpose,
            "checkpoint": _checkpoint(circumstance.checkpoint),
            "decision": None if circumstance.decision is None else circumstance.decision.to_document(),
            "refused": refused,
            "records": [dict(record) for record in records],
        }
    )
    message = _LABEL + body
    return Link(head.number + 1, hashlib.sha256(message).digest(), body.decode(), signing_key.sign(message))


def _checkpoint(checkpoint: Checkpoint | None) -> dict[str, Any] | None:
    return None if checkpoint is None else {"size": checkpoint.size, "root": pack(checkpoint.root)}


def recorded_openings(engine: Engine, after: int) -> RecordedOpenings:
    """A page of the record, from the decision after `after` on."""
    with read_transaction(engine) as connection:
        links = opening_links(connection, after, PAGE + 1)
    shown = tuple(RecordedOpening(link.number, link.body, link.signature) for link in links[:PAGE])
    return RecordedOpenings(shown, shown[-1].number if len(links) > PAGE else None)


def decided_records(evidence: Evidence, decision: Decision) -> list[dict[str, Any]]:
    """What was decided about each record shown, by position: opened, shut (with the reason), or evidence for others."""
    opened = frozenset(decision.accepted)
    described: list[dict[str, Any]] = []
    for position in sorted({*evidence.verified, *evidence.refused}):
        record: dict[str, Any] = {"position": position, "decision": "evidence", "reason": ""}
        if position in evidence.verified:
            context = evidence.verified[position].context
            record |= {"institution_id": context.institution_id, "handle": pack(context.handle)}
        shut = decision.refused.get(position) or evidence.refused.get(position)
        if position in opened:
            record["decision"] = "opened"
        elif shut is not None:
            record |= {"decision": "shut", "reason": str(shut.reason)}
        described.append(record)
    return described


def verify_links(links: Iterable[Link], public_key: bytes, head: Head) -> Head:
    """Check links that follow `head`: numbers, hashes, signatures; return the new head.

    Raises UserError (exit code 8) naming the first decision that does not hold.
    """
    for link in links:
        message = _LABEL + link.body.encode()
        try:
            document = parse_json(link.body.encode())
        except InvalidJson:
            document = None
        follows = (
            isinstance(document, dict)
            and document.get("number") == link.number == head.number + 1
            and document.get("previous") == pack(head.hash)
            and link.hash == hashlib.sha256(message).digest()
        )
        if not follows or not is_valid(public_key, message, link.signature):
            raise UserError(
                f"Decision {head.number + 1} in the record of openings is missing or was changed.",
                ExitCode.VERIFICATION_FAILED,
            )
        head = Head(link.number, link.hash)
    return head
