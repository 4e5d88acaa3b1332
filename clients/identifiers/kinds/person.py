"""A person by name and date of birth: "given family|YYYY-MM-DD" in plain a-z.

It is one key for the exact match: first given name, whole family name, no titles, no diacritics. Other orders, nick-
names and spellings are not its business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from nameparser import Parser

from clients.identifiers.cleaning import words
from clients.identifiers.dates import check_birthdate, parse_date
from clients.identifiers.kind import Hints, Kind, Part, Unusable

# Titles that nameparser does not list.
_MORE_TITLES = frozenset(
    [
        "herr",
        "frau",
        "fraulein",
        "hr",
        "fr",
        "dipl",
        "ing",
        "dhr",
        "mevr",
        "mw",
        "mme",
        "mlle",
        "sr",
        "sra",
        "srta",
        "sig",
        "pan",
        "pani",
        "mx",
    ]
)
# "Müller" is written Muller and Mueller: the digraph goes the way of the umlaut. Not where it is at home in other
# languages: after q and g (Rodriguez), at a word's end, before an ending in -l (Samuel, Joel, Michaela).
_DIGRAPH = re.compile(r"(?<![qg])([aou])e(?=[b-df-hj-np-tv-z])(?!l[aeiou]?$)")
_PLAIN_NAME = re.compile(r"[^\W\d_]{2,}(?:[-'’][^\W\d_]{2,})*")


def normalise(parts: Mapping[str, str], hints: Hints) -> str:
    """E.g. "anna example|1990-02-28" for Dr. Anna Maria EXAMPLE, 28.02.1990."""
    born = parse_date(parts["date_of_birth"], hints.dates, "date_of_birth")
    check_birthdate(born, "date_of_birth")
    if "given_name" in parts and "family_name" in parts:
        names = _of_columns(parts["given_name"], parts["family_name"])
    else:
        names = _of_full_name(parts["full_name"])
    return f"{names}|{born.isoformat()}"


def _of_columns(given: str, family: str) -> str:
    given_words = _without(words(given), _titles(), from_end=False)
    family_words = _without(_without(words(family), _suffixes(), from_end=True), _titles(), from_end=False)
    if not given_words:
        raise Unusable("no-name", "given_name")
    if not family_words:
        raise Unusable("no-name", "family_name")
    return _joined(given_words[:1], family_words)


def _of_full_name(text: str) -> str:
    first, blank, rest = text.partition(" ")
    # Two plain words are by far the most, and the parser takes 0.2 ms.
    if blank and _PLAIN_NAME.fullmatch(first) and _PLAIN_NAME.fullmatch(rest):
        pair = words(first), words(rest)
        if not (set(pair[0]) | set(pair[1])) & _special() and all(pair):
            return _joined(pair[0][:1], pair[1])
    parsed = _parser().parse(text)
    given = _without(words(parsed.given), _titles(), from_end=False)
    family = words(parsed.family)
    if not family and not given:
        raise Unusable("no-name", "full_name")
    return _joined(given[:1], family)


def _joined(given: list[str], family: list[str]) -> str:
    return " ".join(_DIGRAPH.sub(r"\1", word) for word in (*given, *family))


def _without(found: list[str], unwanted: frozenset[str], *, from_end: bool) -> list[str]:
    """The words without leading (or trailing) unwanted ones; a name that is all of them is kept as it is."""
    start, end = 0, len(found)
    if from_end:
        while end > 1 and found[end - 1] in unwanted:
            end -= 1
    else:
        while start < end - 1 and found[start] in unwanted:
            start += 1
    return found[start:end]


@cache
def _parser() -> Parser:
    return Parser()


@cache
def _titles() -> frozenset[str]:
    listed = frozenset(
        ["mr", "mrs", "ms", "miss", "dr", "prof", "professor", "sir", "dame", "lady", "lord", "rev", "doctor"]
    )
    return listed | _MORE_TITLES


@cache
def _suffixes() -> frozenset[str]:
    return frozenset(["jr", "sr", "junior", "senior", "ii", "iii", "iv", "phd", "md", "obe", "mbe", "cbe", "esq"])


@cache
def _special() -> frozenset[str]:
    """Words that a full name is parsed for."""
    lexicon = _parser().lexicon
    listed = (lexicon.titles, lexicon.suffix_words, lexicon.suffix_acronyms, lexicon.particles, lexicon.conjunctions)
    return frozenset(word for words_of in listed for word in words_of) | _titles() | _suffixes()


def split(value: str) -> dict[str, str]:
    """The name and the date."""
    name, _, born = value.rpartition("|")
    given, _, family = name.partition(" ")
    named = {"given_name": given, "family_name": family} if family else {"full_name": given}
    return {**named, "date_of_birth": born}


KIND = Kind(
    name="person.name-birthdate",
    version=1,
    parts=(
        Part("given_name", "given names; the first counts"),
        Part("family_name", "the whole family name"),
        Part("full_name", 'the name in one column, "Anna Example" or "Example, Anna"'),
        Part("date_of_birth", "the date of birth", date=True, filler=False),
    ),
    forms=(("given_name", "family_name", "date_of_birth"), ("full_name", "date_of_birth")),
    normalise=normalise,
    split=split,
)
