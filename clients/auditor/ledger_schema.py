"""The tables of the auditor's own copy of the log, and the values that are read out of them. Knows no query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS leaf (
    position INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    party TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS leaf_by_type ON leaf (type, position);
CREATE TABLE IF NOT EXISTS decision (
    position INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    party TEXT NOT NULL,
    role TEXT NOT NULL,
    action TEXT NOT NULL,
    allowed INTEGER NOT NULL,
    rules TEXT NOT NULL,
    replayed INTEGER NOT NULL DEFAULT 0,
    trouble TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS decision_by_answer ON decision (action, party, allowed);
CREATE INDEX IF NOT EXISTS decision_in_trouble ON decision (position) WHERE trouble <> '';
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS finding (
    number INTEGER PRIMARY KEY,
    subject TEXT NOT NULL,
    position INTEGER,
    sentence TEXT NOT NULL,
    UNIQUE (subject, sentence)
);
CREATE TABLE IF NOT EXISTS document (
    hash BLOB PRIMARY KEY,
    type TEXT NOT NULL,
    signed TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS answer (
    source TEXT NOT NULL,
    number INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (source, number)
);
"""
"""`party` is "" where a leaf names none. `rules` holds ids with a space before and after each.

`answer` keeps what was asked of services beside the log: hours of activity, openings of a holder, caps of an epoch.
"""

UNREADABLE: Final = "unreadable"
"""The type under which a leaf is kept that is none of those that there are."""


@dataclass(frozen=True, slots=True)
class LeafRow:
    """One leaf: its place from 0, its RFC 6962 hash, what it says, and its bytes as logged."""

    position: int
    hash: bytes
    type: str
    at: int
    party: str
    body: bytes


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One logged decision. `trouble`: how the replayed answer differs, empty where it does not or was not replayed."""

    position: int
    at: int
    party: str
    role: str
    action: str
    allowed: bool
    rules: tuple[str, ...]
    replayed: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold, in a sentence that names what was touched.

    subject   which check found it: log, documents, counts, times, activity, openings, decisions
    position  the leaf that it is about; None where it is about none
    """

    subject: str
    sentence: str
    position: int | None = None


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Which decisions to show; what is None is not asked for. Times in Unix seconds, `until` not included."""

    party: str | None = None
    action: str | None = None
    rule: str | None = None
    allowed: bool | None = None
    since: int | None = None
    until: int | None = None
    differs: bool = False
