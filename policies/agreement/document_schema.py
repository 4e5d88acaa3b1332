"""How an agreement document is read: marshmallow schemas that take nothing on trust and refuse what is unknown.

Knows the shape of the JSON alone; what must hold within it, checks.py says.
"""

from __future__ import annotations

from typing import Any

import marshmallow
from marshmallow import post_load

from policies.agreement.model import (
    MODES,
    AuditorParty,
    BrokerParty,
    FieldRequest,
    Gate,
    HolderParty,
    LegalBasis,
    MemberParty,
    Parties,
    Purpose,
    RecipientParty,
    Retention,
    Witnesses,
)
from policies.document_fields import (
    Bytes,
    DocumentSchema,
    Element,
    Identifier,
    ListOf,
    MapOf,
    Number,
    PublicKey,
    Text,
    Truth,
    part,
)
from policies.documents import HASH_LENGTH
from policies.parties import MEMBER_ROLES, Addressed
from policies.terms import HOLDER_LIMIT, PADDED_SIZE_LIMIT, KindSchema, OpeningRuleSchema

AGREEMENT_TYPE = "crosslight/v1 agreement"

NAME_LIMIT = 64
"""Characters of the longest field name, red flag or purpose code."""

LONGEST_EPOCH_DAYS = 3660


def tuples(data: dict[str, Any]) -> dict[str, Any]:
    """The same with every list a tuple, in maps too, so that values cannot be changed later."""
    return {name: _frozen(value) for name, value in data.items()}


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value


class Words(MapOf):
    """A JSON object from roles of institutions to lists of words."""

    def __init__(self, *, most: int, **settings: Any) -> None:
        super().__init__(ListOf(Text(longest=NAME_LIMIT), most=most), **settings)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **settings: Any) -> dict[str, Any]:
        read = super()._deserialize(value, attr, data, **settings)
        for role in read:
            if role not in MEMBER_ROLES:
                raise marshmallow.ValidationError({role: [f"is no role: {', '.join(MEMBER_ROLES)}"]})
        return read


class PurposeSchema(DocumentSchema):
    """A purpose."""

    code = Identifier()
    text = Text()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Purpose:
        return Purpose(**data)


class LegalBasisSchema(DocumentSchema):
    """A legal basis."""

    text = Text()
    reference = Text()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> LegalBasis:
        return LegalBasis(**data)


class GateSchema(DocumentSchema):
    """A gate of red flags."""

    role = Text(choices=MEMBER_ROLES)
    any_of = ListOf(Text(longest=NAME_LIMIT), least=1, most=1024)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Gate:
        return Gate(**tuples(data))


class WitnessesSchema(DocumentSchema):
    """Who witnesses the log."""

    parties = ListOf(Identifier(), most=1024)
    quorum = Number()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Witnesses:
        return Witnesses(**tuples(data))


class _MemberSchema(DocumentSchema):
    institution_id = Identifier()
    name = Text(longest=200)
    role = Text(choices=MEMBER_ROLES)
    group_id = Identifier()
    modes = ListOf(Text(choices=MODES), least=1, most=len(MODES))
    signing_key = PublicKey()
    declared = MapOf(Number())

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> MemberParty:
        return MemberParty(**tuples(data))


class _RecipientSchema(DocumentSchema):
    recipient_id = Identifier()
    name = Text(longest=200)
    group_id = Identifier()
    modes = ListOf(Text(choices=MODES), least=1, most=len(MODES))
    purposes = ListOf(Identifier(), most=64)
    signing_key = PublicKey()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> RecipientParty:
        return RecipientParty(**tuples(data))


class _HolderSchema(Addressed):
    index = Number(least=1, most=HOLDER_LIMIT)
    name = Text(longest=200)
    group_id = Identifier()
    key = PublicKey()
    dkg_key = Element()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> HolderParty:
        return HolderParty(**data)


class _BrokerSchema(Addressed):
    name = Text(longest=200)
    group_id = Identifier()
    key = PublicKey()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> BrokerParty:
        return BrokerParty(**data)


class _AuditorSchema(DocumentSchema):
    auditor_id = Identifier()
    name = Text(longest=200)
    signing_key = PublicKey()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AuditorParty:
        return AuditorParty(**data)


class _PartiesSchema(DocumentSchema):
    members = ListOf(part(_MemberSchema), least=1)
    recipients = ListOf(part(_RecipientSchema), least=1)
    holders = ListOf(part(_HolderSchema), least=1, most=HOLDER_LIMIT)
    broker = part(_BrokerSchema)
    auditors = ListOf(part(_AuditorSchema), most=64)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Parties:
        return Parties(**tuples(data))


class _RetentionSchema(DocumentSchema):
    records = Number(least=1)
    opened = Number(least=1)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Retention:
        return Retention(**data)


class _FieldRequestSchema(DocumentSchema):
    asker = Identifier()
    of_role = Text(choices=MEMBER_ROLES)
    asked_fields = ListOf(Text(longest=NAME_LIMIT), least=1, most=64, data_key="fields")
    approvals = Number(least=1, most=100)
    reveals = Truth()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> FieldRequest:
        data["fields"] = data.pop("asked_fields")
        return FieldRequest(**tuples(data))


class AgreementSchema(DocumentSchema):
    """The whole document."""

    type = Text(choices=(AGREEMENT_TYPE,))
    agreement_id = Identifier()
    version = Number(least=1)
    previous = Bytes(HASH_LENGTH, required=False)
    title = Text(longest=200)
    purposes = ListOf(part(PurposeSchema), least=1, most=64)
    legal_basis = ListOf(part(LegalBasisSchema), least=1, most=64)
    start = Number()
    end = Number()
    parties = part(_PartiesSchema)
    member_quorum = Number(least=1)
    t_h = Number(least=1, most=HOLDER_LIMIT)
    epoch_days = Number(least=1, most=LONGEST_EPOCH_DAYS)
    kinds = MapOf(part(KindSchema))
    identifier_spaces = MapOf(Number(least=1))
    opening_rule = part(OpeningRuleSchema)
    padded_size = Number(least=64, most=PADDED_SIZE_LIMIT)
    agreed_fields = Words(most=64, data_key="fields")
    indicators = Words(most=1024)
    gates = ListOf(part(GateSchema), most=64)
    retention = part(_RetentionSchema)
    field_requests = ListOf(part(_FieldRequestSchema), most=1024)
    openings_per_day = Number()
    records_per_day = Number()
    witnesses = part(WitnessesSchema)

    @post_load
    def _shape(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        del data["type"]
        data["fields"] = data.pop("agreed_fields")
        return tuples({"previous": None, **data})
