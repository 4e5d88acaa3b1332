"""Records and their envelopes, from evaluated identifiers: protocol sections 2 to 4, in the order of section 5.

A draft becomes a committed record (context, entries, salts, head) before its secret is asked for, and is closed with
it after. Everything secret here lives only as long as the call that makes a submission.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring as _quoted
from typing import Protocol

import rfc8785

from clients.institution.blinding import NamedIdentifier
from clients.institution.membership import Membership
from crypto.encoding import HANDLE_LENGTH
from crypto.envelopes import LENGTH_BYTES, overlap_secret, recipient_secret, seal_envelope
from crypto.records import SALT_LENGTH, Context, Record, encode_head, entry_hash
from crypto.tags import Entry, possession_entry, report_desk_entry, support_entry


class Identifier(Protocol):
    """One normalised identifier."""

    @property
    def kind(self) -> str:
        """The kind, as the epoch document names it."""
        ...

    @property
    def value(self) -> str:
        """The canonical value."""
        ...


class Prepared(Protocol):
    """One row, ready to be sealed: its identifiers, the agreed fields and the indicator codes (red flags)."""

    @property
    def identifiers(self) -> Sequence[Identifier]:
        """The identifiers, in no particular order."""
        ...

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields that travel sealed."""
        ...

    @property
    def indicators(self) -> Sequence[str]:
        """Indicator codes."""
        ...


@dataclass(frozen=True, slots=True)
class Content:
    """What a record says: its distinct identifiers, and the sealed rest as RFC 8785 JSON."""

    identifiers: tuple[NamedIdentifier, ...] = field(repr=False)
    rest: bytes = field(repr=False)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of the identifiers."""
        return frozenset(kind for kind, _ in self.identifiers)

    @property
    def payload_length(self) -> int:
        """Bytes of the payload, whatever the order of the entries will be."""
        return len(_payload(self.identifiers, self.rest))

    def encode(self) -> bytes:
        """One string of bytes for the whole content, by which a change is noticed."""
        return _payload(sorted(self.identifiers), self.rest)


@dataclass(frozen=True, slots=True)
class CommittedRecord:
    """A record that lacks only its envelope."""

    context: Context
    ctx: bytes
    head: bytes
    salts: tuple[bytes, ...]
    entries: tuple[bytes, ...]
    payload: bytes = field(repr=False)


def content(prepared: Prepared) -> Content:
    """What would be blinded and sealed of a prepared row; an identifier that is there twice counts once."""
    identifiers = tuple(dict.fromkeys((each.kind, each.value) for each in prepared.identifiers))
    rest = rfc8785.dumps({"fields": dict(prepared.fields), "indicators": list(prepared.indicators)})
    return Content(identifiers, rest)


def fits(given: Content, padded_size: int) -> bool:
    """Whether the payload fits into the agreement's padded size, whose four length bytes count."""
    return given.payload_length <= padded_size - LENGTH_BYTES


def draw_context(membership: Membership, issued_at: int) -> Context:
    """The context of a new record: a fresh handle, issued now (Unix seconds), for its agreed life."""
    return Context(
        epoch_id=membership.epoch_id,
        institution_id=membership.institution_id,
        handle=secrets.token_bytes(HANDLE_LENGTH),
        issued_at=issued_at,
        expires_at=membership.expiry(issued_at),
    )


def commit_record(
    given: Content,
    outputs: Mapping[NamedIdentifier, bytes],
    context: Context,
    sealed_ref: bytes,
    membership: Membership,
) -> CommittedRecord:
    """Entries with possession for this one context, their salts, and the head that commits to them."""
    ctx = context.encode()
    named = [(_entry(name[0], outputs[name], ctx, membership), name) for name in given.identifiers]
    named.sort(key=_order)
    entries = tuple([entry.encode() for entry, _ in named])
    drawn = secrets.token_bytes(SALT_LENGTH * len(entries))
    salts = tuple(drawn[start : start + SALT_LENGTH] for start in range(0, len(drawn), SALT_LENGTH))
    head = encode_head(ctx, sealed_ref, [*map(entry_hash, salts, entries)])
    return CommittedRecord(context, ctx, head, salts, entries, _payload([name for _, name in named], given.rest))


def close_record(record: CommittedRecord, batch_secret: bytes, y_r: bytes, padded_size: int) -> Record:
    """Seal the payload under the recipient's half and the quorum's half of its secret."""
    envelope = seal_envelope(
        recipient_secret(batch_secret, record.ctx),
        overlap_secret(y_r),
        record.ctx,
        record.head,
        record.payload,
        padded_size,
    )
    return Record(record.head, record.salts, record.entries, envelope)


def _entry(kind: str, y: bytes, ctx: bytes, membership: Membership) -> Entry:
    if membership.proves[kind]:
        return possession_entry(kind, y, ctx)
    if kind in membership.possession_kinds:
        return report_desk_entry(kind, y)
    return support_entry(kind, y)


def _order(named: tuple[Entry, NamedIdentifier]) -> tuple[str, bytes]:
    return named[0].kind, named[0].tag


def _payload(identifiers: Sequence[NamedIdentifier], rest: bytes) -> bytes:
    """RFC 8785 JSON of entries, fields and indicators; the keys' order lets `rest` follow the entries as it is.

    Kinds and values are strings, whose RFC 8785 form is what the standard library's encoder gives; the tests hold it
    to the library for all of RFC 8785, which takes six times as long.
    """
    listed = ",".join([f'{{"kind":{_quoted(kind)},"value":{_quoted(value)}}}' for kind, value in identifiers])
    return b'{"entries":[' + listed.encode("utf-8") + b"]," + rest[1:]
