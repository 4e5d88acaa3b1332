"""What a sync and the state look like to a person, and as JSON. Counts, codes and columns; never a value."""

from __future__ import annotations

from typing import Any

from clients.institution.agreement_rules import reason_in_words
from clients.institution.night import TOO_LONG, Report
from clients.institution.prepare import SKIP_REASONS
from clients.institution.withdrawal import Finality

_REASONS = {**SKIP_REASONS, TOO_LONG: "longer than the agreement's padded size"}


def report_to_json(report: Report) -> dict[str, Any]:
    """The report as JSON."""
    changes = report.changes
    return {
        "exit_code": int(report.exit_code),
        "rows": None if changes is None else changes.total,
        "new": None if changes is None else changes.new,
        "changed": None if changes is None else changes.changed,
        "renewed": None if changes is None else changes.due,
        "gone": None if changes is None else changes.gone,
        "sent": report.sent,
        "replaced": report.replaced,
        "unchanged": report.unchanged,
        "left_out": report.left_out,
        "withdrawn": report.withdrawn,
        "waiting": report.waiting,
        "submissions": report.submissions,
        "signed_again": report.signed_again,
        "skipped": dict(sorted(report.skipped.items())),
        "rejected": [
            {"column": column, "reason": reason, "count": count}
            for (column, reason), count in sorted(report.rejected.items())
        ],
        "placeholders": [{"column": column, "count": count} for column, count in sorted(report.placeholders.items())],
        "budget": report.budget,
        "holders": holder_faults(report),
        "withdrawals": None if report.finality is None else finality_to_json(report.finality),
        "receipts": {"proven": report.proven, "provisional": report.provisional},
    }


def finality_to_json(finality: Finality) -> dict[str, Any]:
    """Where the withdrawals stand, as JSON."""
    return {
        "records": finality.records,
        "not_final": finality.open_records,
        "holders_needed": finality.needed,
        "final": finality.is_final,
    }


def holder_faults(report: Report) -> list[dict[str, Any]]:
    """Each holder that was left out of something, and why."""
    faults = [
        {"holder": fault.holder, "family": fault.family, "fault": fault.sentence, "exit_code": int(fault.exit_code)}
        for fault in report.faults
    ]
    silent = [
        {"holder": index, "family": None, "fault": f"Withdrawals: {sentence}", "exit_code": None}
        for index, sentence in sorted(report.silent_holders.items())
    ]
    return faults + silent


def render_report(report: Report) -> str:
    """The report in words."""
    lines: list[str] = []
    if report.changes is not None:
        each = report.changes
        lines.append(
            f"{each.total} rows: {each.new} new, {each.changed} changed, {each.due} renewed, {each.gone} gone."
        )
    lines.append(
        f"Sent {report.sent} records in {report.submissions} submissions ({report.replaced} in place of older ones); "
        f"withdrew {report.withdrawn} more."
    )
    if report.unchanged:
        lines.append(f"{report.unchanged} rows changed, but nothing of them that is sent.")
    lines += [
        f"{count} rows left out: {_REASONS.get(code) or reason_in_words(code)}."
        for code, count in sorted(report.skipped.items())
    ]
    lines += [
        f"{count} values rejected in column {column}: {reason}."
        for (column, reason), count in sorted(report.rejected.items())
    ]
    lines += [
        f"{count} placeholders kept out in column {column}." for column, count in sorted(report.placeholders.items())
    ]
    if report.signed_again:
        lines.append(f"Signed {report.signed_again} earlier submissions again with the rotated key.")
    lines += [str(fault["fault"]) for fault in holder_faults(report)]
    if report.waiting:
        lines.append(
            report.budget or f"{report.waiting} rows wait: a budget is spent. The next sync goes on with them."
        )
    if report.finality is not None and report.finality.records:
        lines.append(report.finality.sentence())
    if report.proven:
        lines.append(f"{report.proven} more receipts are proven: the log holds them under cosigned checkpoints.")
    if report.provisional:
        lines.append(
            f"{report.provisional} receipts are provisional until a cosigned checkpoint of the log covers them; the "
            "next sync looks again."
        )
    return "\n".join(lines)
