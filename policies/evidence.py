"""Checking the evidence of one opening request whole, record by record, against Trust (protocol section 6).

Key holder and desk use the same checks: the holder before it answers, the desk before it asks. Knows no key of its
own, no store and no budget; suspensions and withdrawals come in by the circumstances, time as a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from crypto.errors import CryptoError
from crypto.group import split as split_nodes
from crypto.merkle import verify_path
from crypto.records import Context, Head, entry_hash, leaf, record_bytes
from crypto.signatures import is_valid, verify_many
from crypto.statements import SubmissionStatement
from crypto.tags import Entry, check_order, possession_message
from policies.errors import EvidenceRefused
from policies.log.checkpoint import Checkpoint, CosignedCheckpoint
from policies.log.errors import LogRefused
from policies.log.leaves import submission_leaf
from policies.log.log_keys import LogKeys
from policies.log.tree import leaf_hash, verify_inclusion
from policies.opening_rule import Circumstances, ShownEntry, ShownRecord, opening
from policies.parties import REPORT_DESK
from policies.trust import Trust
from wire.messages.opening import EvidenceEntry, EvidenceRecord, OpeningRequest, StatementEvidence

RECORD_LIMIT = 512
"""The most records of one request."""


class Reason(StrEnum):
    """Why a record (or, the first four, a whole request) is refused; part of the wire format."""

    EPOCH = "epoch"
    ROSTER = "roster"
    TOO_MANY = "too-many"
    CHECKPOINT = "checkpoint"
    STATEMENT = "statement"
    INSTITUTION = "unknown-institution"
    SIGNATURE = "signature"
    NOT_LOGGED = "not-logged"
    HEAD = "head"
    PATH = "path"
    TIMES = "times"
    EXPIRED = "expired"
    DUPLICATE = "duplicate"
    ENTRY = "entry"
    KIND = "kind"
    POSSESSION = "possession"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"
    NOT_SUPPORTED = "not-supported"


@dataclass(frozen=True, slots=True)
class VerifiedRecord:
    """A record that was shown and holds: its context, and what the opening rule looks at."""

    context: Context
    shown: ShownRecord


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A record that does not hold, or may not be opened: a code for programs, a sentence for people."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one request showed, by position in its `records`: every record is in exactly one of the two."""

    verified: Mapping[int, VerifiedRecord]
    refused: Mapping[int, RefusedRecord]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rule says to a request's `open`: the records to open, in order, and the others with their reasons."""

    accepted: tuple[int, ...]
    refused: Mapping[int, RefusedRecord]


class _Refuse(Exception):
    """Leaves the checks of one record or statement."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.record = RefusedRecord(reason, detail)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A record whose structure holds; its possessions are still to be verified."""

    context: Context
    entries: tuple[Entry, ...]


def check_evidence(request: OpeningRequest, trust: Trust, now: int) -> Evidence:
    """Verify everything that `request` shows, at `now` (Unix seconds).

    Raises EvidenceRefused for a request of another epoch or roster, of too many records, or whose checkpoint is not
    one that the agreement's witnesses cosigned within the last day. A record is refused if its statement (which the
    log must hold under that checkpoint), path, times, an entry shown or a possession does not hold; the others stand.
    """
    _check_request(request, trust)
    checkpoint = _check_checkpoint(request, trust, now)
    statements = [_check_statement(shown, trust, checkpoint) for shown in request.statements]
    refused: dict[int, RefusedRecord] = {}
    parsed: dict[int, _Parsed] = {}
    names: set[tuple[str, bytes]] = set()
    for position, record in enumerate(request.records):
        try:
            found = _check_record(record, statements, trust, now)
            name = (found.context.institution_id, found.context.handle)
            if name in names:
                raise _Refuse(Reason.DUPLICATE, f"{name[0]}'s record {name[1].hex()} is shown twice.")
            names.add(name)
            parsed[position] = found
        except _Refuse as refusal:
            refused[position] = refusal.record
    refused.update(_check_possessions(parsed))
    verified = {position: _verified(found) for position, found in parsed.items() if position not in refused}
    return Evidence(verified, refused)


def decide(evidence: Evidence, wanted: Iterable[int], circumstances: Circumstances) -> Decision:
    """Apply the opening rule to what was verified, for the positions `wanted`."""
    opens = opening({position: record.shown for position, record in evidence.verified.items()}, circumstances)
    accepted: list[int] = []
    refused: dict[int, RefusedRecord] = {}
    for position in sorted(set(wanted)):
        if position in evidence.refused:
            refused[position] = evidence.refused[position]
        elif position not in evidence.verified:
            refused[position] = RefusedRecord(Reason.HEAD, f"There is no record {position} in the request.")
        elif position in opens:
            accepted.append(position)
        else:
            refused[position] = _why_shut(evidence.verified[position].shown, circumstances)
    return Decision(tuple(accepted), refused)


def _check_request(request: OpeningRequest, trust: Trust) -> None:
    if request.epoch_id != trust.epoch_id:
        raise EvidenceRefused(
            Reason.EPOCH,
            f"The request is for epoch {request.epoch_id.hex()}; here it is {trust.epoch_id.hex()}.",
        )
    if request.roster_version != trust.roster.version:
        raise EvidenceRefused(
            Reason.ROSTER, f"The request names roster {request.roster_version}; the one here is {trust.roster.version}."
        )
    if len(request.records) > RECORD_LIMIT or len(request.statements) > RECORD_LIMIT:
        raise EvidenceRefused(Reason.TOO_MANY, f"A request shows at most {RECORD_LIMIT} records.")


def _check_checkpoint(request: OpeningRequest, trust: Trust, now: int) -> Checkpoint:
    """The log's checkpoint that the request shows, signed by the log and cosigned as the roster's policy asks."""
    try:
        return LogKeys.of(trust).policy.check(CosignedCheckpoint(request.checkpoint), now)
    except LogRefused as refused:
        raise EvidenceRefused(Reason.CHECKPOINT, refused.reason) from None


def _check_statement(
    shown: StatementEvidence, trust: Trust, checkpoint: Checkpoint
) -> SubmissionStatement | RefusedRecord:
    """The statement, if it is of this epoch, signed by its institution's key in the newest roster, and logged."""
    try:
        statement = SubmissionStatement.decode(shown.statement)
    except CryptoError as error:
        return RefusedRecord(Reason.STATEMENT, f"The statement cannot be read: {error}.")
    if statement.epoch_id != trust.epoch_id:
        return RefusedRecord(Reason.EPOCH, f"{statement.institution_id}'s statement is of another epoch.")
    member = trust.member(statement.institution_id)
    if member is None:
        return RefusedRecord(Reason.INSTITUTION, f"{statement.institution_id} is not in roster {trust.roster.version}.")
    if not is_valid(member.signing_key, shown.statement, shown.signature):
        return RefusedRecord(Reason.SIGNATURE, f"{member.institution_id}'s signature on its statement does not hold.")
    try:
        hashed = leaf_hash(submission_leaf(shown.statement, shown.logged_at))
        verify_inclusion(hashed, shown.log_index, checkpoint.size, split_nodes(shown.log_path), checkpoint.root)
    except LogRefused as refused:
        return RefusedRecord(
            Reason.NOT_LOGGED, f"{member.institution_id}'s submission is not in the log's checkpoint: {refused.reason}"
        )
    return statement


def _check_record(
    record: EvidenceRecord, statements: Sequence[SubmissionStatement | RefusedRecord], trust: Trust, now: int
) -> _Parsed:
    """Everything about one record but its possessions; raises _Refuse."""
    if not 0 <= record.statement < len(statements):
        raise _Refuse(Reason.STATEMENT, f"There is no statement {record.statement} in the request.")
    statement = statements[record.statement]
    if isinstance(statement, RefusedRecord):
        raise _Refuse(statement.reason, statement.detail)
    try:
        head = Head.decode(record.head)
    except CryptoError as error:
        raise _Refuse(Reason.HEAD, f"{statement.institution_id}'s record cannot be read: {error}.") from None
    context = head.context
    owner = statement.institution_id
    if context.epoch_id != statement.epoch_id or context.institution_id != owner:
        raise _Refuse(Reason.HEAD, f"The record is not of the epoch and institution of {owner}'s statement.")
    try:
        verify_path(leaf(record_bytes(record.head, record.envelope_hash)), record.path, statement.root, statement.count)
    except CryptoError as error:
        raise _Refuse(Reason.PATH, f"{owner}'s record is not under its statement: {error}.") from None
    if not context.issued_at < context.expires_at <= trust.epoch.not_after:
        raise _Refuse(Reason.TIMES, f"{owner}'s record has times that the epoch does not allow.")
    if now >= context.expires_at:
        raise _Refuse(Reason.EXPIRED, f"{owner}'s record {context.handle.hex()} has expired.")
    entries = _read_entries(record.entries, head)
    for entry in entries:
        _check_kind(entry, owner, trust)
    return _Parsed(context, entries)


def _read_entries(shown: Sequence[EvidenceEntry], head: Head) -> tuple[Entry, ...]:
    """The entries shown: each hashes to what the head has at its index, and they stand in a record's order."""
    owner = head.context.institution_id
    previous = -1
    entries = []
    for part in shown:
        if not previous < part.index < len(head.entry_hashes):
            raise _Refuse(Reason.ENTRY, f"An entry of {owner}'s record stands at an index out of order or range.")
        previous = part.index
        try:
            matches = entry_hash(part.salt, part.entry) == head.entry_hashes[part.index]
            entry = Entry.decode(part.entry)
        except CryptoError as error:
            raise _Refuse(Reason.ENTRY, f"Entry {part.index} of {owner}'s record cannot be read: {error}.") from None
        if not matches:
            raise _Refuse(Reason.ENTRY, f"Entry {part.index} of {owner}'s record is not the one in its head.")
        entries.append(entry)
    try:
        check_order(entries)
    except CryptoError as error:
        raise _Refuse(Reason.ENTRY, f"The entries of {owner}'s record do not hold: {error}.") from None
    return tuple(entries)


def _check_kind(entry: Entry, owner: str, trust: Trust) -> None:
    """Refuse a kind that the epoch does not have, and a type of entry that the kind or the owner's role forbids."""
    policy = trust.kinds.get(entry.kind)
    if policy is None:
        raise _Refuse(Reason.KIND, f"{owner}'s record has an entry of the kind {entry.kind}, which the epoch lacks.")
    proves = entry.public_key is not None
    if proves and not policy.possession:
        raise _Refuse(Reason.KIND, f"{owner}'s record claims possession of {entry.kind}, a kind that only supports.")
    member = trust.member(owner)
    if not proves and policy.possession and (member is None or member.role != REPORT_DESK):
        raise _Refuse(Reason.KIND, f"{owner}'s record has no possession of {entry.kind}: only a report desk may.")


def _check_possessions(parsed: Mapping[int, _Parsed]) -> dict[int, RefusedRecord]:
    """The records in which a possession does not hold; all signatures are verified together, over all cores."""
    claims: list[tuple[int, str]] = []
    signed: list[tuple[bytes, bytes, bytes]] = []
    for position, found in parsed.items():
        encoded = found.context.encode()
        for entry in found.entries:
            if entry.public_key is not None and entry.possession is not None:
                claims.append((position, entry.kind))
                signed.append((entry.public_key, possession_message(encoded, entry.kind), entry.possession))
    refused: dict[int, RefusedRecord] = {}
    for (position, kind), valid in zip(claims, verify_many(signed), strict=True):
        if not valid:
            owner = parsed[position].context.institution_id
            refused[position] = RefusedRecord(
                Reason.POSSESSION, f"{owner}'s record does not prove that {kind} is held."
            )
    return refused


def _verified(found: _Parsed) -> VerifiedRecord:
    context = found.context
    entries = tuple(ShownEntry(entry.kind, entry.public_key, entry.public_key is not None) for entry in found.entries)
    return VerifiedRecord(context, ShownRecord(context.institution_id, context.handle, context.expires_at, entries))


def _why_shut(shown: ShownRecord, circumstances: Circumstances) -> RefusedRecord:
    owner = shown.institution_id
    if owner in circumstances.suspended:
        return RefusedRecord(Reason.SUSPENDED, f"{owner} is suspended here.")
    if (owner, shown.handle) in circumstances.withdrawn:
        return RefusedRecord(Reason.WITHDRAWN, f"{owner} has withdrawn the record {shown.handle.hex()}.")
    if circumstances.now >= shown.expires_at:
        return RefusedRecord(Reason.EXPIRED, f"{owner}'s record {shown.handle.hex()} has expired.")
    needed = circumstances.rule.t - 1
    groups = "another group" if needed == 1 else f"{needed} other groups"
    return RefusedRecord(
        Reason.NOT_SUPPORTED,
        f"The records shown do not support {owner}'s record: the rule asks for {groups} that prove possession of "
        "enough of the same identifiers.",
    )
