"""The epoch document: a period of time with its own keys. Its hash, the epoch_id, is part of everything signed in it.

Knows how it is written and what must hold within it; whether it agrees with the agreement, trust.py decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from marshmallow import post_load

from policies.document_fields import (
    Bytes,
    DocumentSchema,
    Element,
    Identifier,
    ListOf,
    MapOf,
    Number,
    Text,
    load,
    part,
)
from policies.documents import HASH_LENGTH, Document, document_hash
from policies.errors import DocumentRefused
from policies.opening_rule import KindPolicy, OpeningRule
from policies.parties import Holder, HolderSchema, check_holders
from policies.terms import (
    HOLDER_LIMIT,
    PADDED_SIZE_LIMIT,
    RECORD_FAMILY,
    KindSchema,
    OpeningRuleSchema,
    check_kinds,
    families_of,
    kinds_to_document,
    rule_to_document,
)
from wire.packed import pack

EPOCH_TYPE = "crosslight/v1 epoch"


@dataclass(frozen=True)
class Epoch:
    """One epoch, from `not_before` to before `not_after` (Unix seconds).

    policy_hash  32 bytes: the terms' hash
    families     per key family its t_h Feldman commitments A_0, A_1 ..., 32 bytes each (share version 1)
    """

    agreement_id: str
    number: int
    not_before: int
    not_after: int
    policy_hash: bytes
    padded_size: int
    t_h: int
    member_quorum: int
    holders: tuple[Holder, ...]
    kinds: Mapping[str, KindPolicy]
    opening_rule: OpeningRule
    families: Mapping[str, tuple[bytes, ...]]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Epoch:
        """Read an epoch document; raises DocumentRefused."""
        epoch = cls(**load(_EpochSchema, document, "epoch document"))
        epoch._check()
        return epoch

    def to_document(self) -> Document:
        """The JSON form."""
        return {
            "type": EPOCH_TYPE,
            "agreement_id": self.agreement_id,
            "number": self.number,
            "not_before": self.not_before,
            "not_after": self.not_after,
            "policy_hash": pack(self.policy_hash),
            "padded_size": self.padded_size,
            "t_h": self.t_h,
            "member_quorum": self.member_quorum,
            "holders": [holder.to_document() for holder in self.holders],
            "kinds": kinds_to_document(self.kinds),
            "opening_rule": rule_to_document(self.opening_rule),
            "families": {
                family: [pack(commitment) for commitment in commitments]
                for family, commitments in self.families.items()
            },
        }

    @cached_property
    def epoch_id(self) -> bytes:
        """The document's hash, 32 bytes."""
        return document_hash(self.to_document())

    def is_current(self, now: int) -> bool:
        """Whether `now` (Unix seconds) is within the epoch."""
        return self.not_before <= now < self.not_after

    def _check(self) -> None:
        if self.not_before >= self.not_after:
            raise DocumentRefused("The epoch ends before it begins.")
        check_holders(self.holders, self.t_h)
        check_kinds(self.kinds, self.opening_rule)
        self._check_families()

    def _check_families(self) -> None:
        wanted = families_of(self.kinds) | {RECORD_FAMILY}
        for family in sorted(wanted ^ set(self.families)):
            if family in wanted:
                raise DocumentRefused(f"The key family {family} has no commitments.")
            raise DocumentRefused(f"There are commitments for the key family {family}, which no kind uses.")
        owners: dict[bytes, str] = {}
        for family, commitments in self.families.items():
            if len(commitments) != self.t_h:
                raise DocumentRefused(
                    f"The key family {family} has {len(commitments)} commitments instead of t_h = {self.t_h}."
                )
            if commitments[0] in owners:
                raise DocumentRefused(f"The key families {owners[commitments[0]]} and {family} share one key.")
            owners[commitments[0]] = family


class _EpochSchema(DocumentSchema):
    type = Text(choices=(EPOCH_TYPE,))
    agreement_id = Identifier()
    number = Number()
    not_before = Number()
    not_after = Number()
    policy_hash = Bytes(HASH_LENGTH)
    padded_size = Number(least=64, most=PADDED_SIZE_LIMIT)
    t_h = Number(least=1, most=HOLDER_LIMIT)
    member_quorum = Number(least=1)
    holders = ListOf(part(HolderSchema), least=1, most=HOLDER_LIMIT)
    kinds = MapOf(part(KindSchema))
    opening_rule = part(OpeningRuleSchema)
    families = MapOf(ListOf(Element(), least=1, most=HOLDER_LIMIT))

    @post_load
    def _shape(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        del data["type"]
        data["holders"] = tuple(data["holders"])
        data["families"] = {family: tuple(commitments) for family, commitments in data["families"].items()}
        return data
