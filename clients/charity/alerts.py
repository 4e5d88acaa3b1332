"""An alert as it comes from the broker, taken apart and checked: records still shut, and what does not fit.

The broker is not believed: a record counts only with its institution's signed statement, and an entry only with its
proof of possession. Opens nothing and asks no key holder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from crypto.errors import CryptoError
from crypto.merkle import verify_path
from crypto.records import CheckedRecord, Context, Record, check_record, unpack_records
from crypto.sealing import SealedSecret, sealed_ref
from crypto.signatures import is_valid, verify_many
from crypto.statements import SubmissionStatement
from crypto.tags import Entry, possession_message
from policies.trust import Trust
from wire.messages.alerts import AlertDetail, AlertRecord, AlertStatement

RecordKey = tuple[str, bytes]
"""institution_id and handle (16 bytes): a record's name."""


@dataclass(frozen=True)
class Trouble:
    """Something that does not fit, in the name of whoever signed it; `signer` is "broker" where nobody did."""

    signer: str
    sentence: str
    record: RecordKey | None = None


@dataclass(frozen=True)
class LoggedStatement:
    """A submission's signed statement, and what the broker says of its leaf in the log (None: it has none yet)."""

    statement: bytes
    signature: bytes
    logged_at: int | None
    log_index: int | None


@dataclass(frozen=True)
class HeldRecord:
    """A locked record with everything that it takes to have it opened.

    is_signed  whether its institution's key in the newest roster signed it, by statement and path
    proven     indexes of entries whose possession holds
    set_aside  indexes of entries that the broker says a cap set aside
    """

    record: Record
    checked: CheckedRecord
    path: bytes
    statement: LoggedStatement
    idempotency_key: bytes
    sealed: tuple[SealedSecret, ...]
    is_signed: bool
    proven: frozenset[int]
    set_aside: frozenset[int]

    @property
    def context(self) -> Context:
        """The record's context."""
        return self.checked.head.context

    @property
    def key(self) -> RecordKey:
        """The record's name."""
        return self.context.institution_id, self.context.handle

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The record's entries."""
        return self.checked.entries


@dataclass(frozen=True)
class Alert:
    """One alert, whole: its records by name, and what did not fit."""

    alert_id: str
    epoch_id: bytes
    raised_at: int
    changed_at: int
    records: Mapping[RecordKey, HeldRecord]
    troubles: tuple[Trouble, ...] = field(default=())


class _Unfit(Exception):
    def __init__(self, signer: str, sentence: str, record: RecordKey | None = None) -> None:
        super().__init__(sentence)
        self.trouble = Trouble(signer, sentence, record)


def receive_alert(pages: Sequence[AlertDetail], trust: Trust) -> Alert:
    """Check an alert's pages; what does not fit is left out and named, the rest stands."""
    first = pages[0]
    found: dict[RecordKey, HeldRecord] = {}
    troubles: list[Trouble] = []
    for page in pages:
        for sent in page.records:
            try:
                record = _receive_record(sent, page.statements, trust)
            except _Unfit as unfit:
                troubles.append(unfit.trouble)
                continue
            if record.context.epoch_id != first.epoch_id:
                troubles.append(Trouble("broker", "The broker shows a record of another epoch.", record.key))
            elif trouble := take_in(found, record):
                troubles.append(trouble)
    proven, unproven = _check_possessions(found.values())
    records = {key: _with_proven(record, proven[key]) for key, record in found.items()}
    return Alert(first.alert_id, first.epoch_id, first.raised_at, first.changed_at, records, (*troubles, *unproven))


def take_in(found: dict[RecordKey, HeldRecord], record: HeldRecord) -> Trouble | None:
    """Put a record among those found; if another is there under its name, who answers for it that there are two.

    A signed one takes the place of one that is not. The institution answers only where it signed both; otherwise one
    was changed on the way.
    """
    held = found.setdefault(record.key, record)
    if record.is_signed and not held.is_signed:
        found[record.key] = record
    if held.record == record.record:
        return None
    owner = record.context.institution_id
    if held.is_signed and record.is_signed:
        return Trouble(owner, f"{owner} used one handle for two records.", record.key)
    sentence = f"The broker shows two records of {owner} under one handle, and {owner} did not sign both."
    return Trouble("broker", sentence, record.key)


def _receive_record(sent: AlertRecord, statements: Sequence[AlertStatement], trust: Trust) -> HeldRecord:
    if sent.statement >= len(statements):
        raise _Unfit("broker", "The broker shows a record without the statement that covers it.")
    shown = statements[sent.statement]
    try:
        (record,) = unpack_records(sent.record)
        checked = check_record(record)
    except (CryptoError, ValueError) as error:
        raise _Unfit(
            "broker", f"The broker's copy of a record of {shown.institution_id} is damaged: {error}."
        ) from None
    context = checked.head.context
    key = context.institution_id, context.handle
    try:
        statement = SubmissionStatement.decode(shown.statement)
        sealed = tuple(SealedSecret(each.recipient_id, each.key_id, each.enc, each.ciphertext) for each in shown.sealed)
        expected = sealed_ref(statement.idempotency_key, sealed)
    except CryptoError as error:
        raise _Unfit("broker", f"The statement over a record of {key[0]} cannot be read: {error}.", key) from None
    if expected != checked.head.sealed_ref:
        # Either the broker swapped the sealed secrets or the institution signed a head that names others.
        raise _Unfit("broker", f"The sealed secrets shown are not those that {key[0]}'s record names.", key)
    return HeldRecord(
        record=record,
        checked=checked,
        path=sent.path,
        statement=LoggedStatement(shown.statement, shown.signature, shown.logged_at, shown.log_index),
        idempotency_key=statement.idempotency_key,
        sealed=sealed,
        is_signed=_is_signed(checked, sent.path, statement, shown, trust),
        proven=frozenset(),
        set_aside=frozenset(sent.set_aside),
    )


def _is_signed(
    checked: CheckedRecord, path: bytes, statement: SubmissionStatement, shown: AlertStatement, trust: Trust
) -> bool:
    """Whether the record's own institution, under its key in the newest roster, signed a statement that covers it."""
    context = checked.head.context
    member = trust.member(context.institution_id)
    if member is None or (statement.institution_id, statement.epoch_id) != (context.institution_id, context.epoch_id):
        return False
    try:
        verify_path(checked.leaf, path, statement.root, statement.count)
    except CryptoError:
        return False
    return is_valid(member.signing_key, shown.statement, shown.signature)


def _check_possessions(
    records: Iterable[HeldRecord],
) -> tuple[dict[RecordKey, set[int]], list[Trouble]]:
    """Per record the indexes of entries whose possession holds; and the others, in their signers' names."""
    claims: list[tuple[RecordKey, int, str]] = []
    signed: list[tuple[bytes, bytes, bytes]] = []
    proven: dict[RecordKey, set[int]] = {}
    listed = list(records)
    signed_keys = {record.key for record in listed if record.is_signed}
    for record in listed:
        ctx = record.context.encode()
        proven[record.key] = set()
        for index, entry in enumerate(record.entries):
            if entry.public_key is not None and entry.possession is not None:
                claims.append((record.key, index, entry.kind))
                signed.append((entry.public_key, possession_message(ctx, entry.kind), entry.possession))
    troubles: list[Trouble] = []
    for (key, index, kind), holds in zip(claims, verify_many(signed), strict=True):
        if holds:
            proven[key].add(index)
        elif key in signed_keys:
            # Of a record that its institution did not sign, nothing is said in its name.
            troubles.append(Trouble(key[0], f"{key[0]} did not prove that it holds a {kind} of its record.", key))
    return proven, troubles


def _with_proven(record: HeldRecord, proven: set[int]) -> HeldRecord:
    return HeldRecord(**{**vars(record), "proven": frozenset(proven)})
