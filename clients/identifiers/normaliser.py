"""From the parts of an identifier, as a source has them, to what becomes of it. The one way in for every client.

Knows the rules that all kinds share; pure, never raises for any text, and says the same on every machine.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from clients.identifiers.cleaning import NoText, clean
from clients.identifiers.kind import NO_HINTS, Hints, Kind, Unusable
from clients.identifiers.outcomes import ABSENT, Normalised, Outcome, PlaceholderFound, Rejected
from clients.identifiers.placeholders import Placeholders, shipped
from clients.identifiers.registry import kind_of


def normalise(
    kind: str, parts: Mapping[str, str], hints: Hints = NO_HINTS, placeholders: Placeholders | None = None
) -> Outcome:
    """What becomes of an identifier of `kind` whose parts are given by name.

    Blank parts count as not there. Raises KeyError for a kind or a part that there is not.
    """
    known = kind_of(kind)
    listed = shipped() if placeholders is None else placeholders
    filled: dict[str, str] = {}
    found: str | None = None
    for name, text in parts.items():
        part = known.by_name[name]
        if not text or text.isspace():
            continue
        try:
            cleaned = clean(text)
        except NoText as error:
            return Rejected(error.reason, name)
        if not cleaned:
            continue
        if not part.literal and listed.holds(known, part, cleaned, hints):
            found = found if part.context or found else name
        else:
            filled[name] = cleaned
    return _of_filled(known, filled, found, hints, listed)


def _of_filled(
    kind: Kind, filled: Mapping[str, str], placeholder: str | None, hints: Hints, listed: Placeholders
) -> Outcome:
    if not any(all(name in filled for name in form) for form in kind.forms):
        if placeholder is not None:
            return PlaceholderFound(placeholder)
        missing = _missing(kind, filled)
        return ABSENT if missing is None else Rejected("incomplete", missing)
    try:
        value = unicodedata.normalize("NFC", kind.normalise(filled, hints))
    except Unusable as error:
        return Rejected(error.reason, error.part)
    kept_out = _placeholder_within(kind, value, hints, listed)
    return Normalised(value) if kept_out is None else PlaceholderFound(kept_out)


def _placeholder_within(kind: Kind, value: str, hints: Hints, listed: Placeholders) -> str | None:
    """The part of a canonical value that is a placeholder once titles, marks and blanks are gone; else None."""
    parts = kind.split(value)
    if listed.holds_value(kind.name, value):
        return next(iter(parts))
    for name, text in parts.items():
        part = kind.by_name[name]
        if not part.context and listed.holds(kind, part, text, hints):
            return name
    return None


def _missing(kind: Kind, filled: Mapping[str, str]) -> str | None:
    """The blank part of the form that comes nearest to complete; None where no form has any part."""
    begun = [form for form in kind.forms if any(name in filled for name in form)]
    if not begun:
        return None
    nearest = max(begun, key=lambda form: sum(name in filled for name in form) / len(form))
    return next(name for name in nearest if name not in filled)
