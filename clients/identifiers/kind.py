"""What a kind of identifier is: its parts, the forms in which they come, and how they become one canonical value.

Knows no particular kind, no source of rows and no party. A kind's module fills in a `Kind`; the rules in common
(blank, placeholder, incomplete) are applied by the normaliser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

DateOrder = Literal["day-first", "month-first"]

UNKNOWN_COUNTRY = "ZZ"
"""ISO 3166's code for user assignment that stands for an unknown country here; only a mapping's default gives it."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What a mapping says about all of its rows: used where a row itself does not say.

    region  two-letter country of telephone numbers without a country code, e.g. "GB"
    country two-letter country of documents, plates and addresses; "ZZ" where it is not known
    dates   how 03/04/1990 is to be read; without it an ambiguous date is refused
    """

    region: str | None = None
    country: str | None = None
    dates: DateOrder | None = None


NO_HINTS = Hints()


class Unusable(Exception):
    """A value that has no canonical form: `reason` is a code of `outcomes.REASONS`, `part` what it is about.

    Its text holds nothing of the value.
    """

    def __init__(self, reason: str, part: str) -> None:
        super().__init__(f"{part}: {reason}")
        self.reason = reason
        self.part = part


@dataclass(frozen=True, slots=True)
class Part:
    """One of the texts that make up an identifier.

    context  says only how the others are to be read (a country), and may be blank
    date     is a date, so that placeholder dates are kept out of it
    filler   whether one character over and over (0000, xxxx) is surely a placeholder here
    literal  is never taken for a placeholder (a platform may be called X)
    """

    name: str
    help: str
    context: bool = False
    date: bool = False
    filler: bool = True
    literal: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of identifier.

    version    the normalisation version, which epoch documents name: any change of any canonical value raises it
    forms      the sets of parts that suffice, best first; a part alone in the first form is what a lone column means
    normalise  from cleaned parts (present ones only) to the canonical value; raises Unusable
    split      from a canonical value back to parts that normalise to it again
    """

    name: str
    version: int
    parts: tuple[Part, ...]
    forms: tuple[tuple[str, ...], ...]
    normalise: Callable[[Mapping[str, str], Hints], str]
    split: Callable[[str], dict[str, str]]
    by_name: Mapping[str, Part] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {part.name: part for part in self.parts})

    @property
    def lone_part(self) -> str | None:
        """The part that a single column stands for; None where a kind needs several."""
        return self.forms[0][0] if len(self.forms[0]) == 1 else None
