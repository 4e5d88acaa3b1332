"""What one night is given, and what it reports: the source, the options, the tools, the counts.

Values and protocols alone; what happens in a night is in sync.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from clients.institution.changes import Changes, SourceRow
from clients.institution.delivery import Delivery
from clients.institution.evaluation import Fault, Quorum
from clients.institution.journal import Journal
from clients.institution.membership import Membership
from clients.institution.outbox import Author
from clients.institution.row_digests import RowDigests
from clients.institution.seal import Prepared
from clients.institution.state import State
from clients.institution.submission import RECORD_LIMIT
from clients.institution.withdrawal import Finality, WithdrawalLink
from runtime.clock import Clock
from runtime.exits import ExitCode
from runtime.progress import Progress

NO_IDENTIFIER = "no-identifier"
TOO_LONG = "too-long"

Reporter = Callable[[int | None, str], AbstractContextManager[Progress]]


class Rejection(Protocol):
    """Why one value of a row cannot be used; the value itself stays out of it."""

    @property
    def column(self) -> str:
        """The column's name."""
        ...

    @property
    def reason(self) -> str:
        """A code."""
        ...


class Placeholder(Protocol):
    """A cell that holds a placeholder in place of an identifier."""

    @property
    def column(self) -> str:
        """The column's name."""
        ...


class PreparedRow(Prepared, Protocol):
    """What a mapping makes of a row: a record, or the reason why nothing of it is to be sent."""

    @property
    def skipped(self) -> str | None:
        """Why the row is left out whole (it has no red flag, say); None where it is not."""
        ...

    @property
    def rejected(self) -> Sequence[Rejection]:
        """The values that could not be normalised."""
        ...

    @property
    def placeholders(self) -> Sequence[Placeholder]:
        """What was kept out as a placeholder."""
        ...


@dataclass(frozen=True)
class Source:
    """The rows, which are read twice, and what a mapping makes of one. `fingerprint` stands for the whole mapping."""

    rows: Callable[[], Iterable[SourceRow]]
    prepare: Callable[[SourceRow], PreparedRow]
    fingerprint: bytes


@dataclass(frozen=True)
class Options:
    """What a person may allow for one run; `record_limit` is the most records of one submission."""

    record_limit: int = RECORD_LIMIT
    allow_empty: bool = False
    allow_shrink: bool = False


@dataclass
class Report:
    """What one run did, in counts of rows unless it says otherwise."""

    changes: Changes | None = None
    sent: int = 0
    replaced: int = 0
    unchanged: int = 0
    left_out: int = 0
    withdrawn: int = 0
    waiting: int = 0
    submissions: int = 0
    signed_again: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    placeholders: Counter[str] = field(default_factory=Counter)
    budget: str | None = None
    faults: tuple[Fault, ...] = ()
    silent_holders: Mapping[int, str] = field(default_factory=dict)
    finality: Finality | None = None
    proven: int = 0
    provisional: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """How the run ended: a spent budget before withdrawals that are not final yet, else done."""
        if self.waiting:
            return ExitCode.BUDGET_SPENT
        if self.finality is not None and not self.finality.is_final:
            return ExitCode.PARTLY_DONE
        return ExitCode.OK


@dataclass(frozen=True)
class Parts:
    """The tools of one run, all on one state, one membership and one quorum."""

    state: State
    journal: Journal
    digests: RowDigests
    quorum: Quorum
    delivery: Delivery
    holders: Mapping[int, WithdrawalLink]
    author: Author
    clock: Clock

    @property
    def membership(self) -> Membership:
        """The institution's place in the epoch."""
        return self.author.membership
