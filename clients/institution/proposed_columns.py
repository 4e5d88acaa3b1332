"""Which identifiers the columns of a sample make, each with the reasons: the [columns] of a proposed mapping.

Knows what columns mean (sample.py) and which kinds there are; writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clients.identifiers.kind import Hints
from clients.institution.header_words import meaning_of, platform_named_by
from clients.institution.sample import Sample, share


@dataclass(frozen=True)
class Line:
    """One line of [columns]: a kind, its columns as TOML values by part, and why."""

    kind: str
    parts: Mapping[str, str]
    constants: Mapping[str, str]
    reasons: tuple[str, ...]


def propose_columns(sample: Sample, hints: Hints) -> list[Line]:
    """A line for each identifier that the columns make."""
    lines: list[Line] = []
    for meaning, kind, part in (
        ("phone", "phone", "number"),
        ("email", "email", "address"),
        ("iban", "bank-account", "iban"),
    ):
        lines += [_line(kind, {part: column}, {}, sample, hints) for column in sample.columns(meaning)]
    sort_code, account = sample.first("sort_code"), sample.first("account_number")
    if sort_code and account:
        lines.append(_line("bank-account", {"sort_code": sort_code, "account_number": account}, {}, sample, hints))
    issued_by = _named("country", sample.first("document_country"))
    for meaning, kind in (("national_id", "national-id"), ("passport", "passport")):
        lines += [_line(kind, {"number": column, **issued_by}, {}, sample, hints) for column in sample.columns(meaning)]
    lines += [_line("crypto-address", {"address": column}, {}, sample, hints) for column in sample.columns("wallet")]
    lines += [_line("vehicle-plate", {"plate": column}, {}, sample, hints) for column in sample.columns("plate")]
    for column in sample.columns("handle"):
        platform = sample.first("platform")
        named = {} if platform else {"platform": platform_named_by(column) or "any"}
        lines.append(_line("web-handle", {"handle": column, **_named("platform", platform)}, named, sample, hints))
    return lines + _person(sample, hints) + _address(sample, hints)


def _person(sample: Sample, hints: Hints) -> list[Line]:
    born = sample.first("date_of_birth")
    if born is None:
        return []
    given, family, full = (sample.first(meaning) for meaning in ("given_name", "family_name", "full_name"))
    if given and family:
        names = {"given_name": given, "family_name": family}
    elif full or family:
        names = {"full_name": full or family or ""}
    else:
        return []
    return [_line("person.name-birthdate", {**names, "date_of_birth": born}, {}, sample, hints)]


def _address(sample: Sample, hints: Hints) -> list[Line]:
    street, postcode, city = (sample.first(meaning) for meaning in ("street", "postcode", "city"))
    if street is None or not (postcode or city):
        return []
    parts = {"street": street, **_named("house_number", sample.first("house_number")), **_named("postcode", postcode)}
    parts |= {**_named("city", city), **_named("country", sample.first("country"))}
    return [_line("address.postal", parts, {}, sample, hints)]


def _named(part: str, column: str | None) -> dict[str, str]:
    return {} if column is None else {part: column}


def _line(kind: str, parts: Mapping[str, str], constants: Mapping[str, str], sample: Sample, hints: Hints) -> Line:
    """A line with what the sample says about it. Values that stand in one row are not put together: each column is
    sampled without its blanks, so that kinds of several parts are judged by their names alone."""
    reasons = []
    column = next(iter(parts.values()))
    if len(parts) == 1:
        part = next(iter(parts))
        values = sample.values[column]
        good, counted = share(kind, [{part: value, **constants} for value in values], hints)
        how = "by its name" if meaning_of(column) else "by its values"
        reasons.append(
            f"{how}; {good} of {counted} sample values can be read" if counted else f"{how}; the sample is blank"
        )
    else:
        reasons.append("by the columns' names")
    if constants.get("platform") == "any":
        reasons.append('say the platform if it is one for all; "any" matches only other handles of "any"')
    return Line(kind, dict(parts), dict(constants), tuple(reasons))
