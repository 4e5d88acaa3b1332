"""Who may do what with which data under an agreement, as rows of a table for people.

Says what the agreement says; that the rules answer the same, a test compares. Knows no request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policies.agreement.document import Agreement


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One row.

    role       of the rules: institution, recipient, holder, broker, auditor
    who        the parties, for people
    party_ids  the same, for programs
    action     the name of the action in the rules
    text       the action for people
    """

    role: str
    who: str
    party_ids: tuple[str, ...]
    action: str
    text: str
    data: str
    condition: str
    path: str


def matrix(agreement: Agreement) -> tuple[MatrixRow, ...]:
    """Every row: institutions by their role, then recipients, key holders, the broker, auditors and witnesses."""
    return (
        *_institutions(agreement),
        *_recipients(agreement),
        *_services(agreement),
        *_watchers(agreement),
    )


def _institutions(agreement: Agreement) -> Iterator[MatrixRow]:
    members = agreement.parties.members
    for role in dict.fromkeys(member.role for member in members):
        providers = tuple(one.institution_id for one in members if one.role == role and "provide" in one.modes)
        if not providers:
            continue
        who = f"{role}: {', '.join(providers)}"
        gate = agreement.gate_of(role)
        data = (
            f"identifiers ({', '.join(agreement.kinds)}); fields ({', '.join(agreement.fields_of(role)) or 'none'}); "
        )
        data += f"red flags ({', '.join(agreement.indicators_of(role)) or 'none'})"
        condition = "at least one red flag of the gate" if gate else "none beyond what may be sent"
        yield MatrixRow(
            "institution", who, providers, "send-records", "send records, sealed", data, condition, "fields"
        )
        yield MatrixRow(
            "institution", who, providers, "withdraw-records", "take own records back", "own records", "none", "parties"
        )
        asked = [one for one in agreement.field_requests if one.of_role == role]
        for one in asked:
            number = agreement.field_requests.index(one)
            yield MatrixRow(
                "institution",
                who,
                providers,
                "answer-field-request",
                f"answer what {one.asker} asks",
                ", ".join(one.fields),
                f"{one.approvals} of its people approve",
                f"field_requests.{number}",
            )
    for member in members:
        yield from _questions(agreement, "institution", member.institution_id)


def _recipients(agreement: Agreement) -> Iterator[MatrixRow]:
    for recipient in agreement.parties.recipients:
        if "request" not in recipient.modes:
            continue
        party = (recipient.recipient_id,)
        who = f"recipient: {recipient.recipient_id}"
        fields = "; ".join(f"{role}: {', '.join(names) or 'none'}" for role, names in agreement.fields.items())
        purposes = f"for {' or '.join(recipient.purposes)}"
        condition = f"{purposes}; {agreement.opening_rule.t} groups hold it; {agreement.openings_per_day} a day"
        yield MatrixRow(
            "recipient", who, party, "ask-for-opening", "have records opened", fields, condition, "opening_rule"
        )
        yield MatrixRow(
            "recipient",
            who,
            party,
            "read-opened-record",
            "read what opened",
            fields,
            f"for {agreement.retention.opened // 86_400} days",
            "retention.opened",
        )
        yield from _questions(agreement, "recipient", recipient.recipient_id)


def _questions(agreement: Agreement, role: str, asker: str) -> Iterator[MatrixRow]:
    """What a party may ask institutions for after an alert."""
    for number, one in enumerate(agreement.field_requests):
        if one.asker == asker:
            who = f"{role}: {asker}"
            told = "may tell it that it was hit" if one.reveals else "must not tell it that it was hit"
            data = f"{', '.join(one.fields)} of {one.of_role}"
            condition = f"{one.approvals} approve; {told}"
            place = f"field_requests.{number}"
            yield MatrixRow(role, who, (asker,), "request-fields", "ask for more", data, condition, place)


def _services(agreement: Agreement) -> Iterator[MatrixRow]:
    holders = tuple(agreement.holder_keys)
    yield MatrixRow(
        "holder",
        f"key holder: {', '.join(holders)}",
        holders,
        "generate-keys",
        "compute on blinded identifiers",
        "blinded values, which say nothing; the evidence of an opening",
        f"any {agreement.t_h} together, within budgets",
        "t_h",
    )
    yield MatrixRow(
        "broker",
        f"broker: {agreement.parties.broker.name}",
        ("broker",),
        "run-service",
        "match records",
        "tags, kinds, sizes, times; no identifier and no field",
        "none",
        "parties.broker",
    )


def _watchers(agreement: Agreement) -> Iterator[MatrixRow]:
    auditors = tuple(agreement.auditor_keys)
    if auditors:
        yield MatrixRow(
            "auditor",
            f"auditor: {', '.join(auditors)}",
            auditors,
            "audit-decisions",
            "read the log, counts, decisions and openings",
            "who did what when; no identifier, no tag and no field",
            "none",
            "parties.auditors",
        )
    witnesses = agreement.witnesses.parties
    parties = agreement.parties
    roles = {one.institution_id: "institution" for one in parties.members}
    roles |= {one.recipient_id: "recipient" for one in parties.recipients}
    roles |= {one.party_id: "holder" for one in parties.holders} | dict.fromkeys(auditors, "auditor")
    quorum = agreement.witnesses.quorum
    condition = f"{quorum} of {len(witnesses)} within a day, or nothing opens" if quorum else "none is needed"
    for role in dict.fromkeys(roles[witness] for witness in witnesses):
        who = tuple(witness for witness in witnesses if roles[witness] == role)
        yield MatrixRow(
            role,
            f"witness: {', '.join(who)}",
            who,
            "give-cosignature",
            "countersign the log as witness",
            "the log's size and hash; no record",
            condition,
            "witnesses",
        )
