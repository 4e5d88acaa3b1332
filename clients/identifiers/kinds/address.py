"""Postal addresses: "CC|POSTCODE|numbers|street", the town in the postcode's place where there is none.

Only what supports other identifiers is made of it: spellings of streets vary more than rules can follow. Common
abbreviations in a few languages are made alike; numbers come first, so that "Hauptstr. 5" and "5 Hauptstraße" agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from clients.identifiers.cleaning import letters_and_digits, words
from clients.identifiers.countries import country_of
from clients.identifiers.kind import Hints, Kind, Part, Unusable

_SHORT = {
    word: short
    for short, listed in {
        "st": "street str saint",
        "rd": "road",
        "ave": "avenue av",
        "dr": "drive drv",
        "ln": "lane",
        "ct": "court crt",
        "pl": "place plz platz",
        "sq": "square",
        "cl": "close",
        "cres": "crescent",
        "tce": "terrace terr",
        "hwy": "highway",
        "gdns": "gardens gdn",
        "blvd": "boulevard bd",
        "cct": "circuit",
        "pde": "parade",
        "pkwy": "parkway",
        "gr": "grove grv",
        "r": "rue",
        "c": "calle",
        "v": "via",
        "n": "north",
        "s": "south",
        "e": "east",
        "w": "west",
    }.items()
    for word in listed.split()
}
_LEFT_OUT = frozenset(
    [
        "flat",
        "apartment",
        "apt",
        "unit",
        "suite",
        "ste",
        "room",
        "rm",
        "floor",
        "fl",
        "no",
        "nr",
        "number",
        "house",
        "wohnung",
        "whg",
        "de",
        "la",
    ]
)
_GERMAN_STREET = re.compile(r"(?<=[a-z]{2})(?:strasse|str)$")
_NUMBER_AND_LETTER = re.compile(r"\b([0-9]+) ([a-z])\b")


def normalise(parts: Mapping[str, str], hints: Hints) -> str:
    """E.g. "GB|SW1A2AA|10|downing st"; without a postcode "GB|london|10|downing st"."""
    country = country_of(parts.get("country"), hints, "country")
    street = _street(" ".join(parts[name] for name in ("street", "house_number") if name in parts))
    if street == "|":
        raise Unusable("format", "street")
    if "postcode" in parts:
        place, part = letters_and_digits(parts["postcode"]), "postcode"
    else:
        place, part = " ".join(words(parts["city"])), "city"
    if not place or (part == "city" and not any(character.isalpha() for character in place)):
        raise Unusable("format", part)
    return f"{country}|{place}|{street}"


def _street(text: str) -> str:
    """The numbers in their order, a bar, and the other words in theirs."""
    kept = " ".join(word for word in words(text) if word not in _LEFT_OUT)
    found = _NUMBER_AND_LETTER.sub(r"\1\2", kept).split()
    numbers = [word for word in found if word[0].isdigit()]
    names = [_GERMAN_STREET.sub("st", _SHORT.get(word, word)) for word in found if not word[0].isdigit()]
    return f"{' '.join(numbers)}|{' '.join(names)}"


def split(value: str) -> dict[str, str]:
    """Country, place, street and number; a place in capitals is a postcode."""
    country, place, number, street = value.split("|")
    named = "city" if any(character.islower() for character in place) else "postcode"
    parts = {"country": country, named: place, "street": street or number}
    return {**parts, "house_number": number} if street and number else parts


KIND = Kind(
    name="address.postal",
    version=1,
    parts=(
        Part("street", "street and number", filler=False),
        Part("house_number", "the number, where it has a column of its own", context=True),
        Part("postcode", "the postcode", filler=False),
        Part("city", "the town; counts only where there is no postcode"),
        Part("country", "the country (else the mapping's default)", context=True),
    ),
    forms=(("street", "postcode"), ("street", "city")),
    normalise=normalise,
    split=split,
)
