"""One alert as the desk shows it: what matches, records side by side, what stays shut, verdicts. Pure functions.

No template decides anything that stands here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from clients.charity.case_file import CaseFile, CaseMatch, CaseRecord
from clients.charity.desk.summary import Moment, moment, state_of, title_of, verdict_title
from clients.charity.rendering import VERDICT_NAMES
from clients.charity.store import Review
from clients.charity.words import counted, kind_name
from policies.agreement.model import Purpose

RECORDS_PAGE = 6
TINTS = 6

ROLE_NAMES = {"bank": "Bank", "police": "Police", "charity": "Charity", "report-desk": "Report desk"}

VERDICT_ADVICE = {
    "unreviewed": "Nobody has decided yet.",
    "pursue": "Worth a referral or a request for more.",
    "unclear": "Look again when more is known.",
    "no-concern": "A coincidence, or no sign of harm.",
}


@dataclass(frozen=True)
class Cell:
    """One entry of one record, in the row of its kind."""

    value: str = field(repr=False)
    is_sealed: bool
    match: str
    tint: int
    remark: str


@dataclass(frozen=True)
class Column:
    """One record's heading."""

    title: str
    role: str
    issued: Moment
    expires: Moment
    is_open: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """One row of the comparison: a label, and cells for each record."""

    label: str
    cells: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class MatchView:
    """One identifier that records share."""

    name: str
    tint: int
    kind: str
    counts: str
    share: int
    owners: str
    value: str = field(repr=False)
    disagrees: bool


@dataclass(frozen=True)
class Choice:
    """One verdict that can be given."""

    name: str
    title: str
    advice: str
    is_chosen: bool


@dataclass(frozen=True)
class PastReview:
    """A verdict that was given."""

    title: str
    style: str
    note: str = field(repr=False)
    when: Moment


@dataclass(frozen=True)
class PurposeChoice:
    """One purpose of the agreement for which records may be opened."""

    code: str
    text: str
    is_chosen: bool


@dataclass(frozen=True)
class CaseView:
    """The page of one alert."""

    alert_id: str
    title: str
    summary: str
    raised: Moment
    state: str
    state_style: str
    below_threshold: bool
    was_asked: bool
    can_open: bool
    purposes: tuple[PurposeChoice, ...]
    opened_for: str
    opened_by: str
    rule: str
    matches: tuple[MatchView, ...]
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    shut: tuple[Column, ...]
    troubles: tuple[str, ...]
    holder_faults: tuple[str, ...]
    choices: tuple[Choice, ...]
    note: str = field(repr=False)
    history: tuple[PastReview, ...]
    page: int
    pages: int


def present_case(
    case: CaseFile, reviews: Sequence[Review], page: int, now: int, purposes: Sequence[Purpose]
) -> CaseView:
    """The page of an alert; records that are open come first, six of them side by side.

    `purposes`: those for which the agreement lets this recipient open records.
    """
    order = sorted(range(len(case.records)), key=lambda number: not case.records[number].is_open)
    pages = max(1, math.ceil(len(order) / RECORDS_PAGE))
    page = min(max(1, page), pages)
    records = [case.records[number] for number in order[(page - 1) * RECORDS_PAGE : page * RECORDS_PAGE]]
    state, style = state_of(case)
    latest = reviews[-1] if reviews else None
    return CaseView(
        alert_id=case.alert_id,
        title=title_of([match.kind for match in case.matches], case.institutions),
        summary=f"{counted(len(case.records), 'record')} of {counted(len(case.institutions), 'institution')}",
        raised=moment(case.raised_at, now),
        state=state,
        state_style=style,
        below_threshold=not case.pairs and case.opened == 0,
        was_asked=case.opened_at > 0,
        can_open=any(not case.records[number].is_open for pair in case.pairs for number in (pair.left, pair.right)),
        purposes=tuple(
            PurposeChoice(purpose.code, purpose.text, purpose.code == case.opening.purpose) for purpose in purposes
        ),
        opened_for=next((one.text for one in purposes if one.code == case.opening.purpose), case.opening.purpose),
        opened_by=", ".join(case.opening.rules),
        rule=case.rule,
        matches=tuple(_match(match, case) for match in case.matches),
        columns=tuple(_column(record, now) for record in records),
        lines=_lines(records),
        shut=tuple(_column(record, now) for record in case.records if not record.is_open),
        troubles=tuple(dict.fromkeys(trouble.sentence for trouble in case.troubles)),
        holder_faults=case.holder_faults,
        choices=_choices(latest),
        note=latest.note if latest is not None else "",
        history=tuple(
            PastReview(verdict_title(each.verdict), each.verdict, each.note, moment(each.written_at, now))
            for each in reversed(reviews)
        ),
        page=page,
        pages=pages,
    )


def _match(match: CaseMatch, case: CaseFile) -> MatchView:
    records = [case.records[number] for number in match.records]
    values = dict.fromkeys(
        entry.value for record in records for entry in record.entries if entry.match == match.name and entry.value
    )
    counts = "Suffices alone" if match.alone else f"Weight {match.weight}"
    heaviest = max((each.weight for each in case.matches), default=0)
    return MatchView(
        name=match.name,
        tint=_tint(match.name),
        kind=kind_name(match.kind),
        counts=counts if match.possession else f"{counts}, for the score only",
        share=round(100 * match.weight / heaviest) if heaviest else 0,
        owners=", ".join(sorted({record.institution_id for record in records})),
        value=" / ".join(_readable(value) for value in values),
        disagrees=len(values) > 1,
    )


def _column(record: CaseRecord, now: int) -> Column:
    role = ROLE_NAMES.get(record.role, record.role)
    issued, expires = moment(record.issued_at, now), moment(record.expires_at, now)
    return Column(record.institution_id, role, issued, expires, record.is_open, record.reasons)


def _lines(records: Sequence[CaseRecord]) -> tuple[Line, ...]:
    """The comparison: a line for each kind, in the order of what matches; then agreed fields; then indicators."""
    kinds = {entry.kind for record in records for entry in record.entries}
    lines = [
        Line(kind_name(kind), tuple(_entry_cells(record, kind) for record in records))
        for kind in sorted(kinds, key=lambda kind: (_first_match(records, kind), kind_name(kind)))
    ]
    for name in sorted({name for record in records for name in record.fields}):
        lines.append(Line(_field_name(name), tuple(_plain_cells(record.fields.get(name)) for record in records)))
    if any(record.indicators for record in records):
        cells = tuple(tuple(cell for code in record.indicators for cell in _plain_cells(code)) for record in records)
        lines.append(Line("Indicators", cells))
    return tuple(lines)


def _first_match(records: Sequence[CaseRecord], kind: str) -> tuple[int, str]:
    """Orders kinds as their first match is lettered (Z before AA), and those that match nothing last."""
    names = [entry.match for record in records for entry in record.entries if entry.kind == kind and entry.match]
    return min(((len(name), name) for name in names), default=(1000, ""))


def _entry_cells(record: CaseRecord, kind: str) -> tuple[Cell, ...]:
    return tuple(
        Cell(
            value=_readable(entry.value) if entry.value is not None else "",
            is_sealed=entry.value is None,
            match=entry.match,
            tint=_tint(entry.match) if entry.match else 0,
            remark="Set aside by a cap" if entry.set_aside else "",
        )
        for entry in record.entries
        if entry.kind == kind
    )


def _plain_cells(value: str | None) -> tuple[Cell, ...]:
    return () if value is None else (Cell(value, False, "", 0, ""),)


def _choices(latest: Review | None) -> tuple[Choice, ...]:
    chosen = latest.verdict if latest is not None else "unreviewed"
    return tuple(Choice(name, verdict_title(name), VERDICT_ADVICE[name], name == chosen) for name in VERDICT_NAMES)


def _field_name(name: str) -> str:
    words = name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def _readable(value: str) -> str:
    """A canonical value with its parts apart."""
    return value.replace("|", " · ")


def _tint(name: str) -> int:
    """Which of the page's tints a match has: the first six letters differ, then they repeat."""
    number = 0
    for letter in name:
        number = number * 26 + ord(letter) - ord("A") + 1
    return (number - 1) % TINTS + 1
