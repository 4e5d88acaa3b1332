"""Red flags: which rows may be sent at all, and which indicator codes travel sealed with a row.

Knows cells and codes. What a code means is the agreement's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Condition:
    """Holds where the column has any of the values, capitals and blanks at the ends aside."""

    column: str
    values: tuple[str, ...]
    _folded: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_folded", frozenset(map(_fold, self.values)))

    def holds(self, raw: Mapping[str, str]) -> bool:
        """Whether it holds for the row."""
        return _fold(raw[self.column]) in self._folded

    def described(self) -> list[object]:
        """Plain data that is equal for equal conditions."""
        return [self.column, list(self.values)]


@dataclass(frozen=True)
class RowFilter:
    """Which rows may be sent: those for which the condition holds, or all where the mapping says so outright."""

    condition: Condition | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it looks at."""
        return () if self.condition is None else (self.condition.column,)

    def lets_through(self, raw: Mapping[str, str]) -> bool:
        """Whether the row may be sent."""
        return self.condition is None or self.condition.holds(raw)

    def described(self) -> list[object]:
        """Plain data that is equal for equal filters."""
        return [] if self.condition is None else self.condition.described()


@dataclass(frozen=True)
class Indicators:
    """Where a row's indicator codes come from.

    listed    columns that hold codes, divided by `separator`
    rename    what is written in them to the agreed code
    flags     agreed code to the condition under which it applies
    """

    listed: tuple[str, ...] = ()
    separator: str = ";"
    rename: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, Condition] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it looks at."""
        return (*self.listed, *(condition.column for condition in self.flags.values()))

    @property
    def fixed_codes(self) -> tuple[str, ...]:
        """The codes that the mapping itself names."""
        return (*self.rename.values(), *self.flags)

    def of_row(self, raw: Mapping[str, str]) -> list[tuple[str, str]]:
        """The codes of a row with the column of each, sorted, each code once."""
        found: dict[str, str] = {}
        for column in self.listed:
            for text in raw[column].split(self.separator):
                written = text.strip()
                if written:
                    found.setdefault(self.rename.get(written, written), column)
        for code, condition in self.flags.items():
            if condition.holds(raw):
                found.setdefault(code, condition.column)
        return sorted(found.items())

    def described(self) -> list[object]:
        """Plain data that is equal for equal settings."""
        conditions = sorted((code, condition.described()) for code, condition in self.flags.items())
        return [list(self.listed), self.separator, sorted(self.rename.items()), conditions]


def _fold(text: str) -> str:
    return text.strip().casefold()
