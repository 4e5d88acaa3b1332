"""How an agreement is written in YAML: marshmallow schemas that give the model's values, and refuse what is unknown.

Dates are days, lengths of time are written as "90 days". Knows the shape; what must hold within it, checks.py says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from marshmallow import ValidationError, fields, post_load

from policies.agreement.document_schema import (
    LONGEST_EPOCH_DAYS,
    NAME_LIMIT,
    GateSchema,
    LegalBasisSchema,
    PurposeSchema,
    WitnessesSchema,
    Words,
    tuples,
)
from policies.agreement.draft import AgreementDraft
from policies.agreement.model import (
    MODES,
    FieldRequest,
    NamedAuditor,
    NamedBroker,
    NamedHolder,
    NamedMember,
    NamedParties,
    NamedRecipient,
    Retention,
)
from policies.document_fields import DocumentSchema, Identifier, ListOf, MapOf, Number, Text, Truth, part
from policies.opening_rule import KindPolicy, OpeningRule
from policies.parties import MEMBER_ROLES, holder_index
from policies.terms import HOLDER_LIMIT, PADDED_SIZE_LIMIT

DAY: Final = 86_400

_DAYS = re.compile(r"([1-9][0-9]{0,4}) days?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class Date(fields.Field[date]):
    """A day."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> date:
        try:
            if isinstance(value, str) and _DATE.fullmatch(value):
                return date.fromisoformat(value)
        except ValueError:
            raise ValidationError(f"is no day that there is: {value}") from None
        raise ValidationError("must be a day, written like 2026-01-31")


class Days(fields.Field[int]):
    """A number of whole days, written as "90 days"."""

    def __init__(self, *, most: int, **settings: Any) -> None:
        super().__init__(required=True, **settings)
        self._most = most

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> int:
        match = _DAYS.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise ValidationError("must be a length of time, written like 90 days")
        if int(match[1]) > self._most:
            raise ValidationError(f"must be {self._most} days at most")
        return int(match[1])


class HolderId(fields.Field[int]):
    """A key holder's id: "holder1" ..."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> int:
        index = holder_index(value) if isinstance(value, str) else None
        if index is None or index > HOLDER_LIMIT:
            raise ValidationError("must be holder1, holder2 ...")
        return index


class _MemberSchema(DocumentSchema):
    institution_id = Identifier(data_key="id")
    name = Text(longest=200)
    role = Text(choices=MEMBER_ROLES)
    group_id = Identifier(data_key="group")
    modes = ListOf(Text(choices=MODES), least=1, most=len(MODES))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> NamedMember:
        return NamedMember(**tuples(data))


class _RecipientSchema(DocumentSchema):
    recipient_id = Identifier(data_key="id")
    name = Text(longest=200)
    group_id = Identifier(data_key="group")
    modes = ListOf(Text(choices=MODES), least=1, most=len(MODES))
    purposes = ListOf(Identifier(), most=64)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> NamedRecipient:
        return NamedRecipient(**tuples(data))


class _HolderSchema(DocumentSchema):
    index = HolderId(required=True, data_key="id")
    name = Text(longest=200)
    group_id = Identifier(data_key="group")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> NamedHolder:
        return NamedHolder(**data)


class _BrokerSchema(DocumentSchema):
    name = Text(longest=200)
    group_id = Identifier(data_key="group")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> NamedBroker:
        return NamedBroker(**data)


class _AuditorSchema(DocumentSchema):
    auditor_id = Identifier(data_key="id")
    name = Text(longest=200)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> NamedAuditor:
        return NamedAuditor(**data)


class _PartiesSchema(DocumentSchema):
    members = ListOf(part(_MemberSchema), least=1)
    recipients = ListOf(part(_RecipientSchema), least=1)
    holders = ListOf(part(_HolderSchema), least=1, most=HOLDER_LIMIT)
    broker = part(_BrokerSchema)
    auditors = ListOf(part(_AuditorSchema), most=64)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> NamedParties:
        return NamedParties(**tuples(data))


class _KindSchema(DocumentSchema):
    weight = Number(most=1_000_000)
    cap = Number(least=1)
    possession = Truth()
    normalisation = Number(most=65_535, data_key="norm_version")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> KindPolicy:
        return KindPolicy(**data)


class _OpeningRuleSchema(DocumentSchema):
    t = Number(least=2, most=10_000, data_key="groups")
    least_weight = Number()
    alone = ListOf(Identifier())

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> OpeningRule:
        return OpeningRule(**tuples(data))


class _RetentionSchema(DocumentSchema):
    records = Days(most=3660)
    opened = Days(most=36_600)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Retention:
        return Retention(data["records"] * DAY, data["opened"] * DAY)


class _FieldRequestSchema(DocumentSchema):
    asker = Identifier()
    of_role = Text(choices=MEMBER_ROLES, data_key="of")
    asked_fields = ListOf(Text(longest=NAME_LIMIT), least=1, most=64, data_key="fields")
    approvals = Number(least=1, most=100)
    reveals = Truth()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> FieldRequest:
        data["fields"] = data.pop("asked_fields")
        return FieldRequest(**tuples(data))


class AgreementFileSchema(DocumentSchema):
    """The whole file."""

    agreement_id = Identifier(data_key="agreement")
    title = Text(longest=200)
    purposes = ListOf(part(PurposeSchema), least=1, most=64)
    legal_basis = ListOf(part(LegalBasisSchema), least=1, most=64)
    start = Date(required=True)
    end = Date(required=True)
    parties = part(_PartiesSchema)
    member_quorum = Number(least=1)
    t_h = Number(least=1, most=HOLDER_LIMIT, data_key="holders_together")
    epoch_days = Days(most=LONGEST_EPOCH_DAYS, data_key="epoch")
    kinds = MapOf(part(_KindSchema))
    identifier_spaces = MapOf(Number(least=1))
    opening_rule = part(_OpeningRuleSchema)
    padded_size = Number(least=64, most=PADDED_SIZE_LIMIT)
    agreed_fields = Words(most=64, data_key="fields")
    indicators = Words(most=1024, data_key="red_flags")
    gates = ListOf(part(GateSchema), most=64)
    retention = part(_RetentionSchema)
    field_requests = ListOf(part(_FieldRequestSchema), most=1024)
    openings_per_day = Number()
    records_per_day = Number()
    witnesses = part(WitnessesSchema)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AgreementDraft:
        data["fields"] = data.pop("agreed_fields")
        data["start"] = _beginning(data["start"])
        # In force on the last day too.
        data["end"] = _beginning(data["end"] + timedelta(days=1))
        return AgreementDraft(**tuples(data))


def _beginning(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
