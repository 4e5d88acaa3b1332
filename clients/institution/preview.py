"""What a sync would do with every row, without doing any of it: counted, and the first rows one by one.

Nothing leaves the machine: no module here or below can open a connection to another party. Values are kept only for
rows that are shown, and only where they are asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from clients.institution.agreement_rules import RULE, SendingRules
from clients.institution.distinct import DistinctCounter
from clients.institution.mapping import RowMapping
from clients.institution.prepare import FILTERED, PreparedRecord, prepare_row
from clients.institution.rows import Row
from clients.institution.seal import content, fits
from policies.terms import Terms, family_of
from runtime.progress import Progress

TOO_LARGE = "too-large"


@dataclass
class KindTotals:
    """One kind's counts over all rows that the filter lets through."""

    identifiers: int = 0
    placeholders: int = 0
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By column and reason."""
    distinct: DistinctCounter = field(default_factory=DistinctCounter, repr=False)


@dataclass(frozen=True)
class ShownRow:
    """One row as it is shown. `texts` holds values ("kind" to canonical values, "column" to what stands there) or is
    empty where they are not asked for."""

    number: int
    fate: str
    kinds: tuple[str, ...]
    fields: tuple[str, ...]
    indicators: tuple[str, ...]
    rejected: tuple[tuple[str, str, str], ...]
    placeholders: tuple[tuple[str, str], ...]
    values: tuple[str, ...] = field(default=(), repr=False)
    cells: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass
class Preview:
    """The counts over all rows, and the rows that are shown.

    sent          rows of which a record would be made
    filtered      rows that the mapping's filter holds back
    unmatchable   rows without any usable identifier
    not_allowed   rows that the agreement does not let this institution send, by the rules that say so
    too_large     rows whose payload does not fit the agreement's padded size (0 where there are no terms)
    """

    kinds: dict[str, KindTotals]
    rows: int = 0
    sent: int = 0
    filtered: int = 0
    unmatchable: int = 0
    too_large: int = 0
    indicators_left_out: int = 0
    not_allowed: Counter[str] = field(default_factory=Counter)
    shown: list[ShownRow] = field(default_factory=list)

    def distinct_by_family(self) -> dict[str, int]:
        """Distinct identifiers of each key family: what a first night would have evaluated."""
        families: Counter[str] = Counter()
        for kind, totals in self.kinds.items():
            families[family_of(kind)] += totals.distinct.count
        return dict(families)


def preview(
    rows: Iterable[Row],
    mapping: RowMapping,
    terms: Terms | None,
    *,
    limit: int,
    show_values: bool,
    progress: Progress,
    rules: SendingRules | None = None,
) -> Preview:
    """Prepare every row as a sync would; the first `limit` of them are kept to be shown.

    `rules`: what the agreement lets this institution send; None where there are no documents yet.
    """
    found = Preview({kind: KindTotals() for kind in mapping.kinds})
    for row, whole in _prepared(rows, mapping, terms):
        prepared = whole if rules is None or terms is None else _allowed(whole, rules, terms.record_lifetime)
        fate = _count(found, prepared, terms)
        if found.rows <= limit:
            found.shown.append(_shown(row, prepared, fate, show_values=show_values))
        if found.rows % 1000 == 0:
            progress.advance(1000)
    progress.advance(found.rows % 1000)
    return found


def _prepared(rows: Iterable[Row], mapping: RowMapping, terms: Terms | None) -> Iterator[tuple[Row, PreparedRecord]]:
    for row in rows:
        yield row, prepare_row(row, mapping, terms)


def _allowed(prepared: PreparedRecord, rules: SendingRules, lifetime: int) -> PreparedRecord:
    """The record, or what is left of it where the agreement does not let it be sent."""
    refused = rules.refusal_of(prepared, lifetime) if prepared.skipped is None else None
    if refused is None:
        return prepared
    return replace(prepared, identifiers=(), fields={}, indicators=(), skipped=refused)


def _count(found: Preview, prepared: PreparedRecord, terms: Terms | None) -> str:
    """Count a row in, and say what becomes of it: "sent" or a reason."""
    found.rows += 1
    if prepared.skipped == FILTERED:
        found.filtered += 1
        return FILTERED
    for rejection in prepared.rejected:
        if rejection.kind:
            found.kinds[rejection.kind].rejected[rejection.column, rejection.reason] += 1
        else:
            found.indicators_left_out += 1
    for placeholder in prepared.placeholders:
        found.kinds[placeholder.kind].placeholders += 1
    if prepared.skipped is not None and prepared.skipped.startswith(RULE):
        found.not_allowed[prepared.skipped] += 1
        return prepared.skipped
    if prepared.skipped is not None:
        found.unmatchable += 1
        return prepared.skipped
    if terms is not None and not fits(content(prepared), terms.padded_size):
        found.too_large += 1
        return TOO_LARGE
    found.sent += 1
    for identifier in prepared.identifiers:
        totals = found.kinds[identifier.kind]
        totals.identifiers += 1
        totals.distinct.add(identifier.value)
    return "sent"


def _shown(row: Row, prepared: PreparedRecord, fate: str, *, show_values: bool) -> ShownRow:
    rejected = tuple((each.kind, each.column, each.reason) for each in prepared.rejected)
    placeholders = tuple((each.kind, each.column) for each in prepared.placeholders)
    columns = [column for _, column, _ in rejected] + [column for _, column in placeholders]
    return ShownRow(
        number=row.number,
        fate=fate,
        kinds=tuple(identifier.kind for identifier in prepared.identifiers),
        fields=tuple(prepared.fields),
        indicators=prepared.indicators,
        rejected=rejected,
        placeholders=placeholders,
        values=tuple(identifier.value for identifier in prepared.identifiers) if show_values else (),
        cells={column: row.raw[column] for column in columns} if show_values else {},
    )
