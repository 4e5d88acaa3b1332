"""The mapping: which columns of a source make which identifiers, what is sealed with them, and which rows may be sent.

A value that is read from TOML (mapping_file.py) and checked against the agreement's terms here. Knows no row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from clients.identifiers.kind import Hints
from clients.identifiers.placeholders import Placeholders
from clients.identifiers.registry import kind_of
from clients.institution.flags import Indicators, RowFilter
from clients.institution.source import SourceSettings
from policies.terms import Terms
from runtime.exits import ExitCode, UserError


@dataclass(frozen=True)
class IdentifierColumns:
    """One identifier of a row: its kind, the column of each part, and parts that are the same in every row."""

    kind: str
    columns: Mapping[str, str]
    constants: Mapping[str, str] = field(default_factory=dict)

    def column_of(self, part: str) -> str:
        """The column to name when something is wrong with a part; a part that comes from no column has the first."""
        return self.columns.get(part) or next(iter(self.columns.values()))


@dataclass(frozen=True)
class RowMapping:
    """What an institution's file says about its own data.

    path          the file that it was read from, named in messages
    row_id        the column with the id that stays with a row
    identifiers   in the order of the file
    payload       sealed payload field to column
    """

    path: Path
    source: SourceSettings
    row_id: str
    hints: Hints
    identifiers: tuple[IdentifierColumns, ...]
    payload: Mapping[str, str]
    indicators: Indicators
    filter: RowFilter
    placeholders: Placeholders = field(repr=False)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Every column that is used, each once, the row's id first."""
        used = [self.row_id]
        for identifier in self.identifiers:
            used += identifier.columns.values()
        used += self.payload.values()
        used += self.indicators.columns
        used += self.filter.columns
        return tuple(dict.fromkeys(used))

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that are made, each once."""
        return tuple(dict.fromkeys(identifier.kind for identifier in self.identifiers))

    @cached_property
    def fingerprint(self) -> bytes:
        """SHA-256 over everything here that decides what becomes of a row, 32 bytes.

        Where the source is, and how it is read, do not count; normalisation versions and placeholders do.
        """
        described = {
            "row_id": self.row_id,
            "hints": [self.hints.region, self.hints.country, self.hints.dates],
            "identifiers": [
                [each.kind, kind_of(each.kind).version, sorted(each.columns.items()), sorted(each.constants.items())]
                for each in self.identifiers
            ],
            "payload": sorted(self.payload.items()),
            "indicators": self.indicators.described(),
            "filter": self.filter.described(),
            "placeholders": self.placeholders.described(),
        }
        return hashlib.sha256(json.dumps(described, ensure_ascii=True).encode("ascii")).digest()


def check_terms(mapping: RowMapping, terms: Terms) -> None:
    """Refuse kinds, normalisation versions and payload fields that the agreement does not have; raises UserError."""
    for kind in mapping.kinds:
        policy = terms.kinds.get(kind)
        if policy is None:
            agreed = ", ".join(sorted(terms.kinds))
            raise _refused(mapping, f"the kind {kind} is not in the agreement, which has {agreed}; take it out")
        version = kind_of(kind).version
        if policy.normalisation != version:
            raise _refused(
                mapping,
                f"the agreement wants normalisation version {policy.normalisation} of {kind}, and this client has "
                f"version {version}: everybody must use the same release",
            )
    for name in mapping.payload:
        if name not in terms.fields:
            agreed = ", ".join(terms.fields) or "none"
            raise _refused(mapping, f"the payload field {name} is not in the agreement, whose fields are: {agreed}")
    for code in mapping.indicators.fixed_codes:
        if code not in terms.indicators:
            agreed = ", ".join(terms.indicators) or "none"
            raise _refused(mapping, f"the indicator {code} is not in the agreement, whose indicators are: {agreed}")


def _refused(mapping: RowMapping, reason: str) -> UserError:
    return UserError(f"{mapping.path.name}: {reason}.", ExitCode.DOCUMENTS_REFUSED)
