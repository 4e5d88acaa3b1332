"""What a draft says that is well formed and yet cannot be meant: rules that nothing fulfils, words for nobody.

Only drafts are held to it. A signed agreement that says such a thing harms nobody; it opens and lets through nothing.
"""

from __future__ import annotations

from policies.agreement.checks import Path
from policies.agreement.model import AgreementContent
from policies.errors import AgreementRefused


def check_sense(content: AgreementContent) -> None:
    """Raise AgreementRefused for the first thing that cannot be meant."""
    _check_opening(content)
    _check_roles(content)
    _check_limits(content)


def _check_opening(content: AgreementContent) -> None:
    rule = content.opening_rule
    groups = {member.group_id for member in content.parties.members if "provide" in member.modes}
    if not groups:
        raise AgreementRefused("No institution provides records: no modes say provide.", ("parties", "members"))
    if rule.t > len(groups):
        raise AgreementRefused(
            f"A record opens for {rule.t} groups, but there are only {len(groups)} that provide records.",
            ("opening_rule", "groups"),
        )
    heaviest = sum(kind.weight for kind in content.kinds.values() if kind.possession)
    if rule.least_weight > heaviest and not rule.alone:
        raise AgreementRefused(
            f"All kinds that prove possession weigh {heaviest} together, so that {rule.least_weight} is never reached.",
            ("opening_rule", "least_weight"),
        )
    if rule.least_weight == 0:
        raise AgreementRefused(
            "With a least weight of 0 any shared identifier opens records.", ("opening_rule", "least_weight")
        )
    if not any("request" in recipient.modes for recipient in content.parties.recipients):
        raise AgreementRefused("No recipient may have records opened: no modes say request.", ("parties", "recipients"))


def _check_roles(content: AgreementContent) -> None:
    roles = {member.role for member in content.parties.members}
    tables: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("fields", tuple(content.fields)),
        ("red_flags", tuple(content.indicators)),
    )
    for name, named in tables:
        for role in named:
            if role not in roles:
                raise AgreementRefused(f"No institution has the role {role}.", (name, role))
    for number, gate in enumerate(content.gates):
        if gate.role not in roles:
            raise AgreementRefused(f"No institution has the role {gate.role}.", ("gates", number, "role"))
    for number, request in enumerate(content.field_requests):
        place: Path = ("field_requests", number, "of")
        if request.of_role not in roles:
            raise AgreementRefused(f"No institution has the role {request.of_role}.", place)


def _check_limits(content: AgreementContent) -> None:
    if content.openings_per_day == 0:
        raise AgreementRefused("With 0 openings a day nothing is ever opened.", ("openings_per_day",))
    if content.records_per_day == 0:
        raise AgreementRefused("With 0 record secrets a day nothing is ever sent.", ("records_per_day",))
    if content.retention.records > content.epoch_days * 86_400:
        raise AgreementRefused(
            "Records would live longer than the epoch in which they match.", ("retention", "records")
        )
    if content.end - content.start < content.epoch_days * 86_400:
        raise AgreementRefused("The agreement ends before its first epoch could.", ("end",))
