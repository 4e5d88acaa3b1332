"""Proposes a mapping from a source's header and a sample: names first, then what the values themselves look like.

A guess with its reasons, for a person to read and correct; it decides nothing. Samples are looked at and let go.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from clients.identifiers.kind import DateOrder, Hints
from clients.institution.header_words import FLAG, INDICATORS, NOTE, ROW_ID
from clients.institution.proposed_columns import Line, propose_columns
from clients.institution.regions import country_regions, decided, iban_regions, phone_regions
from clients.institution.sample import Sample, take_sample
from clients.institution.source import CSV, SQL, SourceSettings, open_source, type_by_name
from policies.terms import Terms
from runtime.exits import ExitCode, UserError

_SLASHED = re.compile(r"(\d{1,2})[-/ ](\d{1,2})[-/ ]\d{4}(?:\D.*)?", re.ASCII)
_YES = frozenset({"y", "yes", "true", "t", "1", "j", "ja", "oui", "si", "sí", "sim", "tak", "x", "flagged", "evet"})


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person said on the command line."""

    region: str | None = None
    country: str | None = None


@dataclass(frozen=True)
class Proposal:
    """A proposed mapping.

    path        how the mapping names the file, or None
    url, url_variable, query   a database; the url never has a password
    id_column   the column that looks like a row's id, with the reason
    flag        column and values that say which rows are flagged; None where no column looks like it
    unused      columns that nothing is proposed for
    """

    settings: SourceSettings
    description: str
    path: str | None
    url: str | None
    url_variable: str | None
    id_column: str
    id_reason: str
    region: tuple[str | None, str]
    country: tuple[str | None, str]
    dates: tuple[DateOrder | None, str]
    lines: tuple[Line, ...]
    payload: Mapping[str, str]
    indicators: tuple[str, ...]
    flag: tuple[str, tuple[str, ...]] | None
    unused: tuple[str, ...] = field(default=())

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that are proposed."""
        return tuple(dict.fromkeys(line.kind for line in self.lines))


def propose(source: str, query: str | None, folder: Path, wishes: Wishes) -> Proposal:
    """A mapping for `source` (a file, a database URL or env:NAME); `folder` is where the mapping will stand.

    Raises UserError where the source cannot be read or nothing in it can be matched by.
    """
    settings, path, url, variable = _settings(source, query, folder)
    opened = open_source(settings)
    sample = take_sample(opened)
    hints_region = _region(sample, wishes)
    hints_country = _country(sample, wishes)
    dates = _values(sample, "date_of_birth")
    lines = propose_columns(sample, Hints(hints_region[0], hints_country[0], date_order(dates)))
    if not lines:
        raise UserError(
            f"Nothing in {opened.name} looks like an identifier: its columns are {', '.join(sample.header[:40])}. "
            "Write the mapping by hand (docs/institution.md)."
        )
    id_column, id_reason = _row_id(sample)
    payload = {"record_id": id_column}
    note = sample.first(NOTE)
    if note is not None:
        payload["note"] = note
    flag = _flag(sample)
    used = {id_column, *payload.values(), *sample.columns(INDICATORS), *([flag[0]] if flag else [])}
    used |= {column for line in lines for column in line.parts.values()}
    return Proposal(
        settings=settings,
        description=opened.description,
        path=path,
        url=url,
        url_variable=variable,
        id_column=id_column,
        id_reason=id_reason,
        region=hints_region,
        country=hints_country,
        dates=_dates(dates),
        lines=tuple(lines),
        payload=payload,
        indicators=tuple(sample.columns(INDICATORS)),
        flag=flag,
        unused=tuple(column for column in sample.header if column not in used),
    )


def date_order(samples: Iterable[str]) -> DateOrder | None:
    """How dates such as 03/04/1990 are to be read, going by those of the samples that can be read in one way only.

    None where no sample shows it, and where some show the one order and some the other.
    """
    day_first = month_first = 0
    for sample in samples:
        found = _SLASHED.fullmatch(sample.strip())
        if found:
            first, second = int(found[1]), int(found[2])
            day_first += first > 12 >= second
            month_first += second > 12 >= first
    if bool(day_first) == bool(month_first):
        return None
    return "day-first" if day_first else "month-first"


def restricted(proposal: Proposal, terms: Terms) -> Proposal:
    """The proposal without kinds and payload fields that the agreement does not have."""
    lines = tuple(line for line in proposal.lines if line.kind in terms.kinds)
    dropped = [column for line in proposal.lines if line not in lines for column in line.parts.values()]
    kept = {column for line in lines for column in line.parts.values()}
    if not lines:
        raise UserError(
            f"The agreement has none of the kinds that the columns make: {', '.join(proposal.kinds)}.",
            ExitCode.DOCUMENTS_REFUSED,
        )
    return replace(
        proposal,
        lines=lines,
        payload={name: column for name, column in proposal.payload.items() if name in terms.fields},
        unused=tuple(dict.fromkeys((*proposal.unused, *(column for column in dropped if column not in kept)))),
    )


def _dates(samples: Sequence[str]) -> tuple[DateOrder | None, str]:
    slashed = [found for sample in samples if (found := _SLASHED.fullmatch(sample.strip()))]
    order = date_order(samples)
    if not slashed:
        return None, "no date in the sample needs it"
    if order is None:
        return None, "the sample does not show the order of 03/04/1990; until it is told, such dates are rejected"
    return order, f"found in {len(slashed)} dates of the sample"


def _settings(
    source: str, query: str | None, folder: Path
) -> tuple[SourceSettings, str | None, str | None, str | None]:
    """The source's settings, and how the mapping names it: path, url or variable."""
    if source.startswith("env:"):
        variable = source.removeprefix("env:")
        url = os.environ.get(variable)
        if not url:
            raise UserError(f"The environment variable {variable} is not set.", ExitCode.USAGE)
        return SourceSettings(SQL, url=url, query=_required(query)), None, None, variable
    if "://" in source:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            has_password = make_url(source).password is not None
        except ArgumentError:
            raise UserError("SOURCE is no SQLAlchemy URL.", ExitCode.USAGE) from None
        settings = SourceSettings(SQL, url=source, query=_required(query))
        return settings, None, None if has_password else source, "SOURCE_URL" if has_password else None
    if query is not None:
        raise UserError("--query goes with a database only.", ExitCode.USAGE)
    path = Path(source)
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    absolute = path.resolve()
    shown = absolute.relative_to(folder) if absolute.is_relative_to(folder) else absolute
    # A name that tells nothing is most often that of an export as text.
    return SourceSettings(type_by_name(path) or CSV, absolute), str(shown), None, None


def _required(query: str | None) -> str:
    if not query:
        raise UserError("Where SOURCE is a database, say with --query which rows to read.", ExitCode.USAGE)
    return query


def _row_id(sample: Sample) -> tuple[str, str]:
    named = sample.first(ROW_ID)
    if named is not None:
        return named, "by its name; it must be unique and stay with the row from night to night"
    for column in sample.header:
        values = sample.values[column]
        if column not in sample.meanings and len(values) > 1 and len(set(values)) == len(values):
            return (
                column,
                "every value in the sample is different; check that it stays with the row from night to night",
            )
    return sample.header[0], "a guess, for want of a better column: it must be unique and stay with the row"


def _region(sample: Sample, wishes: Wishes) -> tuple[str | None, str]:
    if wishes.region:
        return wishes.region, "as told"
    for votes, what in (
        (phone_regions(_values(sample, "phone")), "international numbers"),
        (iban_regions(_values(sample, "iban")), "IBANs"),
        (country_regions(_values(sample, "country")), "countries"),
    ):
        region = decided(votes)
        if region:
            return region, f"{votes[region]} of {votes.total()} {what} in the sample are of {region}"
    return None, "without it, telephone numbers without a country code are rejected"


def _values(sample: Sample, meaning: str) -> list[str]:
    return [value for column in sample.columns(meaning) for value in sample.values[column]]


def _country(sample: Sample, wishes: Wishes) -> tuple[str | None, str]:
    if wishes.country:
        return wishes.country, "as told"
    return "ZZ", "ZZ is an unknown country: such documents match only those of others whose country is unknown too"


def _flag(sample: Sample) -> tuple[str, tuple[str, ...]] | None:
    column = sample.first(FLAG)
    if column is None:
        return None
    values = dict.fromkeys(value for value in sample.values[column] if value.casefold() in _YES)
    return column, tuple(values) or ("yes",)
