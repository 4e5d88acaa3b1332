"""The list of placeholders: what stands in a column where nothing is known, so that it must never match.

Read from placeholders.toml and extended by a mapping. Knows texts, not what they would mean.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from clients.identifiers.cleaning import NoText, clean
from clients.identifiers.dates import parse_date
from clients.identifiers.kind import Hints, Kind, Part, Unusable

_ANY = "any"
_DATES = "dates"
_FEWEST_REPEATED = 4
_MARKS = " .,;:-_*?!#/\\()[]{}<>\"'"


@dataclass(frozen=True)
class Placeholders:
    """The list: words per kind ("any" for all), patterns of canonical values per kind, dates."""

    words: Mapping[str, frozenset[str]]
    values: Mapping[str, re.Pattern[str]]
    dates: frozenset[str]

    def holds(self, kind: Kind, part: Part, text: str, hints: Hints) -> bool:
        """Whether the cleaned text of a part is a placeholder."""
        folded = _fold(text)
        if not folded:
            # Marks alone; letters that only look like marks are letters all the same.
            return not any(character.isalnum() for character in text)
        if folded in self.words[_ANY] or folded in self.words.get(kind.name, ()):
            return True
        if part.filler and _is_one_character(folded):
            return True
        return part.date and self._is_date(text, hints)

    def holds_value(self, kind: str, value: str) -> bool:
        """Whether a canonical value is a placeholder, however it was written."""
        pattern = self.values.get(kind)
        return pattern is not None and pattern.fullmatch(value) is not None

    def extended(self, added: Mapping[str, Iterable[str]], kept: Iterable[str] = ()) -> Placeholders:
        """A list with `added` (kind, "any" or "dates" to texts), and without the words in `kept`."""
        kept_words = {_fold(text) for text in kept}
        more = {name: frozenset(map(_fold, texts)) for name, texts in added.items() if name != _DATES}
        words = {
            name: (self.words.get(name, frozenset()) | more.get(name, frozenset())) - kept_words
            for name in {*self.words, *more}
        }
        return Placeholders(words, self.values, (self.dates | set(added.get(_DATES, ()))) - set(kept))

    def described(self) -> list[object]:
        """Plain data that is equal for equal lists."""
        words = sorted((name, sorted(listed)) for name, listed in self.words.items())
        values = sorted((name, pattern.pattern) for name, pattern in self.values.items())
        return [words, values, sorted(self.dates)]

    def _is_date(self, text: str, hints: Hints) -> bool:
        if text[:10] in self.dates:
            return True
        try:
            return parse_date(text, hints.dates, "").isoformat() in self.dates
        except Unusable:
            return False


@cache
def shipped() -> Placeholders:
    """The list that comes with Crosslight."""
    data = tomllib.loads((files("clients.identifiers") / "placeholders.toml").read_text("utf-8"))
    dates = frozenset(data.pop(_DATES)["values"])
    words = {kind: frozenset(map(_fold, section.get("words", ()))) for kind, section in data.items()}
    values = {kind: re.compile("|".join(section["values"])) for kind, section in data.items() if "values" in section}
    return Placeholders(words, values, dates)


def _fold(text: str) -> str:
    try:
        return clean(text).casefold().strip(_MARKS)
    except NoText:
        return text


def _is_one_character(folded: str) -> bool:
    bare = [character for character in folded if character.isalnum()]
    return len(bare) >= _FEWEST_REPEATED and bare.count(bare[0]) == len(bare)
