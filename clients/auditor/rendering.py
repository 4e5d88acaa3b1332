"""What the auditor's commands print for people. Pure functions from values to text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clients.auditor.evaluations import RULE, EvaluatedDay
from clients.auditor.ledger_schema import DecisionRow, Finding
from clients.auditor.verification import Verified
from clients.auditor.words import counted, day_and_time, day_of
from policies.agreement.diff import Change
from policies.agreement.matrix import MatrixRow
from policies.parties import holder_party_id
from policies.trust import Trust


def render_findings(headline: str, findings: Sequence[Finding]) -> str:
    """A headline, and what does not hold."""
    if not findings:
        return f"{headline}\nNothing was found that does not hold."
    return "\n".join([headline, f"{counted(len(findings), 'finding')}:", *(f"- {one.sentence}" for one in findings)])


def render_verified(verified: Verified, size: int, witnesses: Sequence[str], findings: Sequence[Finding]) -> str:
    """How far the log was verified, and what does not hold."""
    by = f"cosigned by {', '.join(witnesses)}" if witnesses else "cosigned by nobody, as the agreement allows"
    headline = (
        f"{counted(verified.size, 'leaf', 'leaves')} verified ({verified.added:,} new) against the checkpoint of "
        f"{counted(size, 'leaf', 'leaves')}, {by}."
    )
    return render_findings(headline, findings)


def render_agreements(trust: Trust, changes: Mapping[int, Sequence[Change]], rows: Sequence[MatrixRow]) -> str:
    """The versions with their differences, who is suspended or has left, and the matrix."""
    lines: list[str] = []
    for one in trust.agreements:
        runs = ", under which the newest epoch runs" if one.hash == trust.agreement.hash else ""
        lines += [
            f"Version {one.version} of {one.agreement_id}{runs}: {one.title}",
            f"  from {day_of(one.start)} to {day_of(one.end)}, hash {one.hash.hex()}",
            *(f"  - {change.sentence}" for change in changes.get(one.version, ())),
        ]
    lines += [f"Suspended: {', '.join(sorted(trust.suspended)) or 'nobody'}."]
    lines += [f"Left: {', '.join(sorted(trust.departed)) or 'nobody'}."]
    for row in rows:
        lines += ["", f"{row.who} may {row.text}", f"  {row.data}; {row.condition} (rule {row.path})"]
    return "\n".join(lines)


def render_decisions(rows: Sequence[DecisionRow], total: int) -> str:
    """Decisions, one a line."""
    if not rows:
        return "No such decision in the copy of the log."
    lines = [f"{counted(total, 'decision')}, the newest {len(rows)} of them:"]
    for row in rows:
        answer = "allowed" if row.allowed else "refused"
        state = f"  DIFFERS: {row.trouble}" if row.trouble else "" if row.replayed else "  (not replayed yet)"
        rules = ", ".join(row.rules) or "no rule"
        lines.append(
            f"{day_and_time(row.at)}  leaf {row.position}  {row.party}  {row.action}  {answer} by {rules}{state}"
        )
    return "\n".join(lines)


def render_evaluations(days: Sequence[EvaluatedDay]) -> str:
    """Days, one a line, outliers marked."""
    if not days:
        return "No such day in the copy of the log."
    lines = [RULE, ""]
    for one in days:
        mark = "  OUTLIER" if one.is_outlier else ""
        lines.append(
            f"{one.day}  {one.institution_id}  {one.family}  {holder_party_id(one.holder)}  "
            f"{one.elements:,} evaluated, {counted(one.submitted, 'record')} submitted (leaf {one.position}){mark}"
        )
    return "\n".join(lines)
