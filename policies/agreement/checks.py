"""What must hold within an agreement, whether its parties' keys are known yet or not; each fault names its place.

Places are named as the YAML file names them, so that its reader can give the line. Knows no document and no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from policies.agreement.model import AgreementContent, NamedParties
from policies.errors import AgreementRefused
from policies.opening_rule import KindPolicy
from policies.parties import BROKER
from policies.terms import RECORD_FAMILY, family_of

Path = tuple[str | int, ...]

NOBODY = "none"
"""No party's id, since C2SP tlog-policy has this word for a quorum of none."""


def check_content(content: AgreementContent) -> None:
    """Raise AgreementRefused for the first thing that contradicts another."""
    _check_period(content)
    _check_purposes(content)
    _check_parties(content)
    _check_kinds(content)
    _check_payload(content)
    _check_field_requests(content)
    _check_witnesses(content)


def _check_period(content: AgreementContent) -> None:
    if content.start >= content.end:
        raise AgreementRefused("The agreement ends before it begins.", ("end",))


def _check_purposes(content: AgreementContent) -> None:
    _distinct([purpose.code for purpose in content.purposes], "the purposes", ("purposes",), "code")
    codes = {purpose.code for purpose in content.purposes}
    for number, recipient in enumerate(content.parties.recipients):
        place: Path = ("parties", "recipients", number, "purposes")
        _distinct(recipient.purposes, f"the purposes of {recipient.recipient_id}", place)
        for position, code in enumerate(recipient.purposes):
            if code not in codes:
                raise AgreementRefused(
                    f"{recipient.recipient_id} has the purpose {code}, which is none of the agreement's purposes.",
                    (*place, position),
                )
        if "request" in recipient.modes and not recipient.purposes:
            raise AgreementRefused(f"{recipient.recipient_id} may request, but for no purpose.", place)


def _check_parties(content: AgreementContent) -> None:
    parties = content.parties
    _check_ids(parties)
    _check_modes(parties)
    for position, holder in enumerate(parties.holders):
        if holder.index != position + 1:
            raise AgreementRefused(
                "The key holders must be numbered 1, 2, 3 ... in that order.", ("parties", "holders", position, "id")
            )
    if len(parties.holders) < content.t_h:
        raise AgreementRefused(
            f"There are {len(parties.holders)} key holders, but {content.t_h} must evaluate together.",
            ("holders_together",),
        )
    groups = {holder.group_id: holder.party_id for holder in parties.holders}
    for number, member in enumerate(parties.members):
        if member.group_id in groups:
            raise AgreementRefused(
                f"{member.institution_id} is in the same group as {groups[member.group_id]}: who sees evidence must "
                "not also count as one.",
                ("parties", "members", number, "group"),
            )
    if content.member_quorum > len(parties.members):
        raise AgreementRefused(
            f"A quorum of {content.member_quorum} among {len(parties.members)} members can never sign.",
            ("member_quorum",),
        )


def _check_ids(parties: NamedParties) -> None:
    places: dict[str, Path] = {}
    for party_id, place in _named(parties):
        if party_id == BROKER or party_id.startswith("holder"):
            raise AgreementRefused(f"The id {party_id} is kept for the broker or the key holders.", place)
        if party_id == NOBODY:
            raise AgreementRefused("The id none stands for no witness at all in witness policies.", place)
        if party_id in places:
            raise AgreementRefused(f"Two parties have the id {party_id}.", place)
        places[party_id] = place


def _named(parties: NamedParties) -> Iterator[tuple[str, Path]]:
    """The ids that people choose, each with its place."""
    for number, member in enumerate(parties.members):
        yield member.institution_id, ("parties", "members", number, "id")
    for number, recipient in enumerate(parties.recipients):
        yield recipient.recipient_id, ("parties", "recipients", number, "id")
    for number, auditor in enumerate(parties.auditors):
        yield auditor.auditor_id, ("parties", "auditors", number, "id")


def _check_modes(parties: NamedParties) -> None:
    for number, member in enumerate(parties.members):
        _distinct(member.modes, f"the modes of {member.institution_id}", ("parties", "members", number, "modes"))
    for number, recipient in enumerate(parties.recipients):
        place: Path = ("parties", "recipients", number, "modes")
        _distinct(recipient.modes, f"the modes of {recipient.recipient_id}", place)
        if "provide" in recipient.modes:
            raise AgreementRefused(
                f"{recipient.recipient_id} is a recipient and cannot provide: institutions send records.", place
            )


def _check_kinds(content: AgreementContent) -> None:
    if not content.kinds:
        raise AgreementRefused("There is no kind at all.", ("kinds",))
    for kind in content.kinds:
        if not family_of(kind):
            raise AgreementRefused(
                f"The kind {kind} has no key family: its part before the first dot is empty.", ("kinds", kind)
            )
        if family_of(kind) == RECORD_FAMILY:
            raise AgreementRefused(f"The kind {kind} may not use the key family of record secrets.", ("kinds", kind))
    for kind in sorted(set(content.identifier_spaces) - set(content.kinds)):
        raise AgreementRefused(
            f"There is an identifier space for {kind}, which is none of the kinds.", ("identifier_spaces", kind)
        )
    place: Path = ("opening_rule", "alone")
    alone = list(content.opening_rule.alone)
    _distinct(alone, "the kinds that suffice alone", place)
    for position, kind in enumerate(alone):
        _check_alone(kind, content.kinds.get(kind), (*place, position))


def _check_alone(kind: str, policy: KindPolicy | None, place: Path) -> None:
    if policy is None:
        raise AgreementRefused(f"The kind {kind} is to suffice alone, but is none of the kinds.", place)
    if not policy.possession:
        raise AgreementRefused(f"The kind {kind} is to suffice alone, but does not prove possession.", place)


def _check_payload(content: AgreementContent) -> None:
    for role, names in content.fields.items():
        _distinct(names, f"the fields of {role}", ("fields", role))
    for role, codes in content.indicators.items():
        _distinct(codes, f"the red flags of {role}", ("red_flags", role))
    _distinct([gate.role for gate in content.gates], "the gates", ("gates",), "role")
    for number, gate in enumerate(content.gates):
        place: Path = ("gates", number, "any_of")
        _distinct(gate.any_of, f"the gate of {gate.role}", place)
        for position, code in enumerate(gate.any_of):
            if code not in content.indicators_of(gate.role):
                raise AgreementRefused(
                    f"The gate of {gate.role} asks for the red flag {code}, which a {gate.role} may not send.",
                    (*place, position),
                )


def _check_field_requests(content: AgreementContent) -> None:
    askers = {one.recipient_id: one.modes for one in content.parties.recipients}
    askers |= {one.institution_id: one.modes for one in content.parties.members}
    for number, request in enumerate(content.field_requests):
        place: Path = ("field_requests", number)
        if request.asker not in askers:
            raise AgreementRefused(
                f"{request.asker} is to ask for fields, but is neither a recipient nor an institution.",
                (*place, "asker"),
            )
        if "request" not in askers[request.asker]:
            raise AgreementRefused(
                f"{request.asker} is to ask for fields, but its modes do not say request.", (*place, "asker")
            )
        _distinct(request.fields, f"the fields for which {request.asker} may ask", (*place, "fields"))


def _check_witnesses(content: AgreementContent) -> None:
    place: Path = ("witnesses", "parties")
    known = {party_id for party_id, _ in _named(content.parties)}
    known |= {holder.party_id for holder in content.parties.holders}
    listed = content.witnesses.parties
    _distinct(listed, "the witnesses", place)
    for position, party_id in enumerate(listed):
        if party_id == BROKER:
            raise AgreementRefused("The broker signs the log itself and cannot witness it.", (*place, position))
        if party_id not in known:
            raise AgreementRefused(f"The witness {party_id} is none of the parties.", (*place, position))
    if content.witnesses.quorum > len(listed):
        raise AgreementRefused(
            f"{content.witnesses.quorum} of {len(listed)} witnesses can never cosign.", ("witnesses", "quorum")
        )
    if 0 < content.witnesses.quorum < content.witnesses.least:
        raise AgreementRefused(
            f"{content.witnesses.quorum} of {len(listed)} witnesses can cosign two histories of the log: at least "
            f"{content.witnesses.least} are needed, or 0 for none at all.",
            ("witnesses", "quorum"),
        )


def _distinct(items: Sequence[str] | Iterable[str], what: str, place: Path, within: str | None = None) -> None:
    """Refuse a list in which something stands twice; `within` is the name under which each item of it stands."""
    seen: set[str] = set()
    for position, item in enumerate(items):
        if item in seen:
            spot: Path = (*place, position) if within is None else (*place, position, within)
            raise AgreementRefused(f"{item} stands twice in {what}.", spot)
        seen.add(item)
