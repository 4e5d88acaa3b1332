"""Between two versions of an agreement: a party is suspended or taken back, or leaves. Small signed documents.

Each names the version under whose keys it is signed, so that it can be verified for ever. Knows no trust.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from marshmallow import post_load

from policies.document_fields import DocumentSchema, Identifier, Number, Text, Truth, load
from policies.documents import Document, document_hash

SUSPENSION_TYPE: Final = "crosslight/v1 suspension"
DEPARTURE_TYPE: Final = "crosslight/v1 departure"

By = Literal["itself", "members"]
BY: Final[tuple[By, ...]] = ("itself", "members")


@dataclass(frozen=True)
class Suspension:
    """A party's requests are refused from `since` on and its records count for nothing; or that is lifted.

    version    the agreement's version under whose keys it is signed
    by         "itself": the party signs; "members": the quorum of institutions does. What the members imposed, the
               party cannot lift, so each has numbers of its own
    number     1, 2 ...: the highest holds
    suspended  False lifts
    since      Unix seconds
    """

    agreement_id: str
    version: int
    party_id: str
    by: By
    number: int
    suspended: bool
    since: int
    reason: str

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Suspension:
        """Read a suspension; raises DocumentRefused."""
        read: Suspension = load(_SuspensionSchema, document, "suspension")
        return read

    def to_document(self) -> Document:
        """The JSON form."""
        return {
            "type": SUSPENSION_TYPE,
            "agreement_id": self.agreement_id,
            "version": self.version,
            "party_id": self.party_id,
            "by": self.by,
            "number": self.number,
            "suspended": self.suspended,
            "since": self.since,
            "reason": self.reason,
        }

    @cached_property
    def hash(self) -> bytes:
        """The document's hash, 32 bytes."""
        return document_hash(self.to_document())


@dataclass(frozen=True)
class Departure:
    """A party leaves at `at` (Unix seconds), for good: its records are taken out, and it is heard no more."""

    agreement_id: str
    version: int
    party_id: str
    at: int

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Departure:
        """Read a departure; raises DocumentRefused."""
        read: Departure = load(_DepartureSchema, document, "departure")
        return read

    def to_document(self) -> Document:
        """The JSON form."""
        return {
            "type": DEPARTURE_TYPE,
            "agreement_id": self.agreement_id,
            "version": self.version,
            "party_id": self.party_id,
            "at": self.at,
        }

    @cached_property
    def hash(self) -> bytes:
        """The document's hash, 32 bytes."""
        return document_hash(self.to_document())


def suspension_place(suspension: Suspension) -> str:
    """Where a suspension stands among what a party signs: there it signs one document and no other."""
    given = suspension
    return f"suspension {given.number} of {given.party_id} by {given.by} under {given.agreement_id}"


class _SuspensionSchema(DocumentSchema):
    type = Text(choices=(SUSPENSION_TYPE,))
    agreement_id = Identifier()
    version = Number(least=1)
    party_id = Identifier()
    by = Text(choices=BY)
    number = Number(least=1)
    suspended = Truth()
    since = Number()
    reason = Text(longest=500)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Suspension:
        del data["type"]
        return Suspension(**data)


class _DepartureSchema(DocumentSchema):
    type = Text(choices=(DEPARTURE_TYPE,))
    agreement_id = Identifier()
    version = Number(least=1)
    party_id = Identifier()
    at = Number()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Departure:
        del data["type"]
        return Departure(**data)
