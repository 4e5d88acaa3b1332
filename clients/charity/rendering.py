"""Queue and case files as text for a terminal. Reads plain values; asks nobody and keeps nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from clients.charity.case_file import CaseFile, CaseRecord
from clients.charity.office import QueueItem
from clients.charity.words import counted
from policies.decisions.record import DecisionRecord

VERDICT_NAMES = {
    "unreviewed": "not reviewed",
    "pursue": "worth pursuing",
    "unclear": "unclear",
    "no-concern": "no concern",
}


def moment(seconds: int) -> str:
    """Unix seconds as `2026-03-01 12:00 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def opened_of(item: QueueItem) -> str:
    """How far an alert is: nothing asked yet, or how many of its records are open."""
    if item.case is None:
        return "not opened"
    return f"{item.case.opened} of {len(item.case.records)} open"


def verdict_of(item: QueueItem) -> str:
    """The newest verdict in words."""
    return VERDICT_NAMES[item.review.verdict if item.review is not None else "unreviewed"]


def render_queue(items: Sequence[QueueItem]) -> str:
    """The queue, a line an alert."""
    if not items:
        return "There is no alert."
    rows = [("ALERT", "RAISED", "SCORE", "RECORDS", "STATE", "VERDICT", "INSTITUTIONS", "KINDS")]
    rows += [
        (
            item.entry.alert_id,
            moment(item.entry.raised_at),
            str(item.entry.score),
            str(item.entry.records),
            opened_of(item) if item.entry.is_listed else f"{opened_of(item)}, listed no more",
            verdict_of(item),
            ", ".join(item.entry.institutions),
            ", ".join(item.entry.kinds),
        )
        for item in items
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]
    lines += [f"{item.entry.alert_id}: {item.mark}" for item in items if item.mark]
    return "\n".join(lines)


def render_case(case: CaseFile) -> str:
    """A case file, whole."""
    lines = [
        f"Alert {case.alert_id}, raised {moment(case.raised_at)}: {counted(len(case.records), 'record')} of "
        f"{', '.join(case.institutions)}; {case.opened} open.",
        case.rule,
    ]
    if case.opened == 0 and not case.pairs:
        lines.append("Below the threshold: nothing of this alert opens.")
    lines += ["", "What matches"]
    for match in case.matches:
        counts = "suffices alone" if match.alone else f"weight {match.weight}"
        counts += "" if match.possession else ", for the score only"
        owners = ", ".join(case.records[number].institution_id for number in match.records)
        lines.append(f"  {match.name}  {match.kind} ({counts}): {owners}")
    if case.opening.purpose:
        lines += ["", f"Opened for the purpose {case.opening.purpose}, by {', '.join(case.opening.rules)}."]
    for record in case.records:
        lines += ["", *_record_lines(record)]
    if case.troubles:
        lines += ["", "What does not fit", *(f"  {trouble.sentence}" for trouble in case.troubles)]
    if case.holder_faults:
        lines += ["", "Key holders", *(f"  {sentence}" for sentence in case.holder_faults)]
    return "\n".join(lines)


def render_decisions(records: Sequence[DecisionRecord]) -> str:
    """Decisions that were taken here, a line each, oldest first."""
    if not records:
        return "Nothing was opened, reviewed or exported here yet."
    lines = [
        (
            moment(record.question.at),
            record.question.action,
            str(record.question.facts.get("purpose", "")),
            "allowed" if record.allowed else "refused",
            ", ".join(record.rules),
        )
        for record in records
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[4]]) for line in lines
    )


def _record_lines(record: CaseRecord) -> list[str]:
    state = "open" if record.is_open else "shut"
    lines = [f"{record.institution_id} ({record.role}), issued {moment(record.issued_at)}: {state}"]
    lines += [f"  {reason}" for reason in record.reasons]
    for entry in record.entries:
        value = _one_line(entry.value) if entry.value is not None else "(sealed)"
        remarks = [f"match {entry.match}"] if entry.match else []
        remarks += ["set aside by a cap"] if entry.set_aside else []
        lines.append(f"  {entry.kind}: {value}" + (f"  [{'; '.join(remarks)}]" if remarks else ""))
    lines += [f"  {_one_line(name)}: {_one_line(value)}" for name, value in record.fields.items()]
    if record.indicators:
        lines.append(f"  indicators: {_one_line(', '.join(record.indicators))}")
    return lines


def _one_line(text: str) -> str:
    """What an institution sealed, on one line, so that it cannot look like a line of ours."""
    return " ".join(text.split())
