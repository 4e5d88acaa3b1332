"""Withdrawals on their way to every key holder: final once n - t_h + 1 have signed, and retried until all have.

From then on no quorum can open what was withdrawn, whatever the broker kept. Each holder gets the statements in the
order of their seq, since it takes none that is not higher than the last. The broker's copy is delivery.py's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from clients.institution.membership import Membership
from clients.institution.outbox import PendingWithdrawal, mark_acknowledged, pending_withdrawals
from clients.institution.receipts import statement_hash
from clients.institution.state import State
from runtime.clock import Clock, unix
from runtime.exits import UserError
from wire.messages.withdrawal import Acknowledgement, SignedStatement


class WithdrawalLink(Protocol):
    """The way to one key holder. Raises UserError where it cannot be reached, refuses or is not itself."""

    def withdraw(self, signed: SignedStatement) -> Acknowledgement:
        """Have the holder store the withdrawal for good."""
        ...


@dataclass(frozen=True, slots=True)
class Finality:
    """Where the withdrawals of one state stand.

    `records` were withdrawn so far; of those, `open_records` wait for holders (or for the broker) before it is final.
    """

    records: int
    open_records: int
    open_statements: int
    needed: int

    @property
    def is_final(self) -> bool:
        """Whether nothing that was withdrawn can be opened any more."""
        return self.open_statements == 0

    def sentence(self) -> str:
        """The state of the withdrawals, for a person."""
        if self.records == 0:
            return "Nothing has been withdrawn."
        if self.is_final:
            return f"{self.records} withdrawn records are final: no quorum of key holders will open them."
        return (
            f"{self.open_records} of {self.records} withdrawn records are not final yet: {self.needed} key holders and "
            "the broker must sign for them. The next sync, or crosslight institution withdraw --retry, tries again."
        )


def tell_holders(
    state: State, links: Mapping[int, WithdrawalLink], membership: Membership, clock: Clock
) -> dict[int, str]:
    """Send every holder what it has not signed for; return what was wrong with those that did not take all of it."""
    faults: dict[int, str] = {}
    for pending in pending_withdrawals(state, membership.holders):
        for index in sorted(set(links) - pending.holders - set(faults)):
            try:
                _tell(state, links[index], index, pending, clock)
            except UserError as error:
                faults[index] = error.message
    return faults


def finality(state: State, membership: Membership) -> Finality:
    """Count what was withdrawn and what of it is not final yet."""
    needed = membership.acknowledgements_needed
    records = state.connection.execute("SELECT count(*) FROM records WHERE withdrawal_seq IS NOT NULL").fetchone()[0]
    open_ones = [
        pending
        for pending in pending_withdrawals(state, membership.holders)
        if len(pending.holders) < needed or not pending.at_broker
    ]
    return Finality(records, sum(pending.count for pending in open_ones), len(open_ones), needed)


def find_live(state: State, row_keys: Iterable[bytes]) -> tuple[list[bytes], int]:
    """The live records of rows (by row key), and how many of the rows have none."""
    handles: list[bytes] = []
    missing = 0
    for key in row_keys:
        row = state.connection.execute("SELECT handle FROM source_rows WHERE row_key = ?", (key,)).fetchone()
        if row is None or row[0] is None:
            missing += 1
        else:
            handles.append(row[0])
    return handles, missing


def check_handles(state: State, handles: Sequence[bytes]) -> list[bytes]:
    """Those of `handles` that are records of this state and not withdrawn yet."""
    return [
        handle
        for handle in handles
        if state.connection.execute(
            "SELECT 1 FROM records WHERE handle = ? AND withdrawal_seq IS NULL", (handle,)
        ).fetchone()
    ]


def all_live(state: State) -> list[bytes]:
    """Every record that was not withdrawn."""
    return [row[0] for row in state.connection.execute("SELECT handle FROM records WHERE withdrawal_seq IS NULL")]


def _tell(state: State, link: WithdrawalLink, index: int, pending: PendingWithdrawal, clock: Clock) -> None:
    acknowledgement = link.withdraw(pending.signed)
    if acknowledgement.statement_hash != statement_hash(pending.signed.statement):
        raise UserError(f"Key holder {index} acknowledged another statement than withdrawal {pending.seq}.")
    mark_acknowledged(state, pending.seq, index, unix(clock))
