"""A preview for people and for programs: its rows, its totals, and how they stand to budget and coverage.

Knows no source and reads no row; values appear only where the preview kept them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clients.identifiers.outcomes import REASONS
from clients.institution.agreement_rules import RULE, reason_in_words
from clients.institution.prepare import INDICATOR_NOT_AGREED, SKIP_REASONS
from clients.institution.preview import TOO_LARGE, KindTotals, Preview, ShownRow
from policies.budgets import Coverage

_FATES = {**SKIP_REASONS, TOO_LARGE: "its payload is larger than the agreement's padded size"}
_REASONS = {**REASONS, INDICATOR_NOT_AGREED: "is an indicator that the agreement does not have"}


@dataclass(frozen=True)
class Standing:
    """What the signed documents say, as far as there are any.

    budgets    identifiers that this institution may have evaluated in the epoch, by key family; None without a roster
    coverage   the published coverage of each kind; empty without a roster
    """

    budgets: Mapping[str, int] | None
    coverage: tuple[Coverage, ...] = ()


def preview_data(found: Preview, source: str, standing: Standing) -> dict[str, Any]:
    """The preview as JSON data."""
    data: dict[str, Any] = {
        "source": source,
        "rows": found.rows,
        "sent": found.sent,
        "filtered": found.filtered,
        "unmatchable": found.unmatchable,
        "too_large": found.too_large,
        "not_allowed": {code.removeprefix(RULE): count for code, count in sorted(found.not_allowed.items())},
        "indicators_left_out": found.indicators_left_out,
        "kinds": {kind: _kind_data(totals) for kind, totals in found.kinds.items()},
        "shown": [_row_data(row) for row in found.shown],
    }
    if standing.budgets is not None:
        data["budgets"] = [
            {"family": family, "distinct": distinct, "budget": standing.budgets.get(family, 0)}
            for family, distinct in found.distinct_by_family().items()
        ]
        data["coverage"] = [
            {
                "kind": each.kind,
                "budgets": each.budgets,
                "identifier_space": each.identifier_space,
                "share": float(each.share),
            }
            for each in standing.coverage
        ]
    return data


def _kind_data(totals: KindTotals) -> dict[str, Any]:
    return {
        "identifiers": totals.identifiers,
        "distinct": totals.distinct.count,
        "placeholders": totals.placeholders,
        "rejected": [
            {"column": column, "reason": reason, "count": count}
            for (column, reason), count in totals.rejected.most_common()
        ],
    }


def _row_data(row: ShownRow) -> dict[str, Any]:
    data: dict[str, Any] = {
        "row": row.number,
        "fate": row.fate,
        "blinded": list(row.kinds),
        "sealed": list(row.fields),
        "indicators": list(row.indicators),
        "rejected": [{"kind": kind, "column": column, "reason": reason} for kind, column, reason in row.rejected],
        "placeholders": [{"kind": kind, "column": column} for kind, column in row.placeholders],
    }
    if row.values or row.cells:
        data["values"] = list(row.values)
        data["cells"] = row.cells
    return data


def preview_text(found: Preview, source: str, standing: Standing) -> str:
    """The preview for a person."""
    lines = [line for row in found.shown for line in _row_lines(row)]
    if found.shown and found.rows > len(found.shown):
        lines.append(f"... and {found.rows - len(found.shown):,} more rows (--limit shows more)")
    lines += ["", f"{source}: {found.rows:,} rows"]
    lines.append(f"  {found.sent:>9,} would be sent, each as a sealed record")
    for count, reason in (
        (found.filtered, _FATES["filtered"]),
        (found.unmatchable, _FATES["no-identifier"]),
        (found.too_large, _FATES[TOO_LARGE]),
        *((count, reason_in_words(code)) for code, count in sorted(found.not_allowed.items())),
    ):
        if count:
            lines.append(f"  {count:>9,} stay here: {reason}")
    if found.indicators_left_out:
        lines.append(f"  {found.indicators_left_out:>9,} indicator codes stay here: the agreement does not have them")
    lines += ["", f"  {'kind':<24}{'identifiers':>12}{'distinct':>12}{'placeholders':>14}{'rejected':>10}"]
    for kind, totals in found.kinds.items():
        counts = f"{totals.identifiers:>12,}{totals.distinct.count:>12,}{totals.placeholders:>14,}"
        lines.append(f"  {kind:<24}{counts}{totals.rejected.total():>10,}")
    lines += _rejection_lines(found)
    lines += _standing_lines(found, standing)
    lines += ["", "Nothing has left this machine."]
    return "\n".join(lines).lstrip("\n")


def _row_lines(row: ShownRow) -> list[str]:
    if row.fate == "sent":
        lines = [f"row {row.number}: would be sent"]
    else:
        lines = [f"row {row.number}: stays here, {_FATES.get(row.fate) or reason_in_words(row.fate)}"]
    values = row.values or ("",) * len(row.kinds)
    for kind, value in zip(row.kinds, values, strict=True):
        lines.append(f"    blinded      {kind}{f'  {value}' if value else ''}")
    if row.fields:
        lines.append(f"    sealed       {', '.join(row.fields)}")
    if row.indicators:
        lines.append(f"    indicators   {', '.join(row.indicators)}")
    for kind, column in row.placeholders:
        lines.append(f"    placeholder  {kind}: {column!r} holds a placeholder{_cell(row, column)}")
    for kind, column, reason in row.rejected:
        lines.append(f"    rejected     {kind or 'indicator'}: {column!r} {_REASONS[reason]}{_cell(row, column)}")
    return lines


def _cell(row: ShownRow, column: str) -> str:
    return f": {row.cells[column]!r}" if column in row.cells else ""


def _rejection_lines(found: Preview) -> list[str]:
    lines = [
        f"  {count:>9,} {kind}: {column!r} {_REASONS[reason]}"
        for kind, totals in found.kinds.items()
        for (column, reason), count in totals.rejected.most_common()
    ]
    return ["", "Rejected (values with --show-values):", *lines] if lines else []


def _standing_lines(found: Preview, standing: Standing) -> list[str]:
    if standing.budgets is None:
        return ["", "No signed roster is here yet, so nothing is counted against a budget."]
    lines = ["", "Distinct identifiers against this epoch's budget:"]
    for family, distinct in found.distinct_by_family().items():
        allowed = standing.budgets.get(family, 0)
        verdict = "fits" if distinct <= allowed else f"{distinct - allowed:,} too many: those would not be evaluated"
        lines.append(f"  {family:<24}{distinct:>12,} of {allowed:,}, {verdict}")
    if standing.coverage:
        lines += ["", "Published coverage, what all members together may have evaluated:"]
        lines += [f"  {each.sentence()}" for each in standing.coverage]
    return lines
