"""What becomes of an identifier's parts: a canonical value, a rejection with its reason, a placeholder, or nothing.

Knows the reasons and their sentences, not the kinds. Values stay out of repr: they are personal data.
"""

from __future__ import annotations

from dataclasses import dataclass, field

REASONS: dict[str, str] = {
    "incomplete": "a part that belongs to it is blank",
    "characters": "holds characters that are no text",
    "too-long": "is too long to be one",
    "format": "does not have the form of one",
    "checksum": "has a wrong check digit: a typing error",
    "country": "names no country that is known",
    "no-country": "comes without a country, and the mapping has no default for it",
    "no-region": "is a national number, and the mapping has no default region",
    "date": "is no date, or none in a form that is known",
    "date-ambiguous": "may be day-first or month-first: say which in the mapping ([defaults] dates)",
    "date-order": "contradicts the mapping's order of day and month",
    "date-implausible": "is no date at which a living person can have been born",
    "no-platform": "comes without a platform, and the mapping has none for it",
    "platform": "names no platform that can be written down",
    "not-a-profile": "is an address on the platform, but not of a profile",
    "no-name": "holds no name once titles are taken off",
}
"""Every reason code with the end of a sentence that begins with the column."""


@dataclass(frozen=True, slots=True)
class Normalised:
    """The canonical value: NFC text that two institutions get for the same identifier, however each writes it."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rejected:
    """No canonical value: `reason` is a code of REASONS, `part` the part that it is about."""

    reason: str
    part: str


@dataclass(frozen=True, slots=True)
class PlaceholderFound:
    """The part holds what people type where they know nothing ("unknown", 0000000000): nothing to match by."""

    part: str


@dataclass(frozen=True, slots=True)
class Absent:
    """Every part is blank: the row has no such identifier."""


ABSENT = Absent()

Outcome = Normalised | Rejected | PlaceholderFound | Absent
