"""The holder follows the broker's log: every leaf once, verified against a checkpoint that continues what it kept.

Withdrawals are applied, signed documents (suspensions and departures among them) taken in, whether or not those whom
they concern brought them here. What is named and not shown stops it: then it falls behind, and opens nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from keyholder.holder import Holder
from keyholder.log_link import LogLink
from keyholder.logged_withdrawals import NamedWithdrawal, apply_logged, is_applied, read_withdrawal
from keyholder.split_views import keep_evidence
from keyholder.store import documents, log_views
from keyholder.store.log_views import Followed
from policies.documents import SignedDocument
from policies.errors import DocumentRefused
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.errors import LogRefused
from policies.log.leaves import Leaf, read_leaf
from policies.log.log_keys import LogKeys
from policies.log.log_reader import LogReader
from policies.log.witness import SplitViewFound, check_continues
from runtime.database import read_transaction, run_in_transaction
from runtime.exits import ExitCode, UserError
from wire.packed import InvalidPacked, unpack

LEAST_OFTEN: Final = 3600
"""Seconds within which the log must have been followed for anything to open; also how often it grows at least."""

ON_DEMAND: Final = 300
"""Seconds after which an opening first follows the log."""

_BATCH = 512
_KEPT = 256
_DOCUMENTS = frozenset({"agreement", "epoch", "roster", "suspension", "departure"})


class LogBehind(UserError):
    """The log cannot be followed at the moment, or not as far as is needed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, ExitCode.UNREACHABLE)
        self.reason = reason


def followed_age(followed: Followed, now: int) -> int:
    """Seconds since the moment up to which everything logged is applied, by the holder's clock.

    That moment is no later than the last contact, nor than an hour after the newest leaf: every hour has its leaf, so
    a log that has none is shown as it was.
    """
    return max(0, now - min(followed.reached_at, followed.newest_at + LEAST_OFTEN))


@dataclass(frozen=True)
class _Batch:
    """What comes of some consecutive leaves."""

    end: int
    newest_at: int
    withdrawals: tuple[NamedWithdrawal, ...]
    passed_over: Mapping[bytes, int]


class LogFollower:
    """Follows one log for one holder. Safe for several threads, processes and replicas: what is applied stays applied.

    `evidence_folder` takes the evidence where the log shows two histories.
    """

    def __init__(self, holder: Holder, link: LogLink, evidence_folder: Path) -> None:
        self._holder = holder
        self._link = link
        self._evidence_folder = evidence_folder
        self._lock = threading.Lock()
        self._same_log: dict[tuple[int, bytes], None] = {}

    def follow(self) -> Followed:
        """Apply every leaf that the log has by now; return how far it was followed.

        Raises SplitViewFound with the evidence written, LogRefused for a log that does not hold or withholds what it
        names, other UserErrors where the broker is away.
        """
        with self._lock:
            try:
                return self._follow()
            except SplitViewFound as found:
                keep_evidence(self._evidence_folder, found.split_view)
                self._keep(reached_at=0)
                raise

    def followed(self) -> Followed:
        """How far the log was followed."""
        with read_transaction(self._holder.engine) as connection:
            return log_views.followed_log(connection, self._keys().origin)

    def require(self, epoch_id: bytes, checkpoint_note: str) -> Followed:
        """How far the log was followed, at least to a verified checkpoint and up to an hour ago; follows where needed.

        Raises LogBehind where that is not to be had, SplitViewFound where the checkpoint is of another history.
        """
        checkpoint = CosignedCheckpoint(checkpoint_note).checkpoint
        now = self._holder.now
        followed = self.followed()
        trouble = ""
        if followed.position < checkpoint.size or now - followed.reached_at > ON_DEMAND or self._passed_over(epoch_id):
            try:
                followed = self.follow()
            except SplitViewFound:
                raise
            except UserError as error:
                trouble = f" {error}"
        if followed.position < checkpoint.size or followed_age(followed, now) > LEAST_OFTEN:
            raise LogBehind(f"This key holder has not followed the log up to an hour ago.{trouble}")
        if self._passed_over(epoch_id):
            raise LogBehind(f"This key holder has not yet read the epoch's withdrawals in the log.{trouble}")
        self._check_same_log(checkpoint_note, followed)
        return followed

    def _keys(self) -> LogKeys:
        trust = self._holder.state().standing.newest_ready
        if trust is None:
            raise LogBehind("There is no roster yet, and without it nobody whose withdrawals could be followed.")
        return LogKeys.of(trust)

    def _passed_over(self, epoch_id: bytes) -> bool:
        with read_transaction(self._holder.engine) as connection:
            return log_views.is_passed_over(connection, epoch_id)

    def _follow(self) -> Followed:
        keys = self._keys()
        with read_transaction(self._holder.engine) as connection:
            # Before the log is asked: what it shows afterwards is at least as new as anything that was shown before.
            before = log_views.followed_log(connection, keys.origin)
            witnessed = log_views.witnessed_checkpoint(connection, keys.origin)
            passed_over = log_views.passed_over_epochs(connection)
        asked_at = self._holder.now
        note = self._link.checkpoint()
        checkpoint = CosignedCheckpoint(note).verify(keys.key)
        reader = LogReader(self._link.fetch, checkpoint)
        for kept in (before.note, witnessed.note):
            check_continues(kept or None, note, reader, keys.key, keys.witnesses, asked_at)
        self._keep(size=checkpoint.size, note=note)
        known = [first for epoch_id, first in passed_over.items() if self._holder.state().epoch(epoch_id) is not None]
        start = min([before.position, *known])
        self._apply(start, reader.leaves(start, checkpoint.size))
        return self._reached(start, checkpoint.size, asked_at)

    def _apply(self, start: int, leaves: Iterable[bytes]) -> None:
        """Apply leaves from the place `start` on, some at a time, each lot in one transaction."""
        given: dict[bytes, SignedDocument] = {}
        coming = iter(leaves)
        while lot := tuple(islice(coming, _BATCH)):
            batch = self._look_at(start, lot, given)
            run_in_transaction(self._holder.engine, partial(self._settle, batch))
            start = batch.end

    def _look_at(self, start: int, leaves: tuple[bytes, ...], given: dict[bytes, SignedDocument]) -> _Batch:
        """What is to be done about leaves; documents are taken in at once, since withdrawals may need them."""
        withdrawals: list[NamedWithdrawal] = []
        passed_over: dict[bytes, int] = {}
        newest_at = 0
        for index, encoded in enumerate(leaves, start):
            leaf = read_leaf(encoded)
            # A leaf of a time to come is none that shows how old the log is.
            newest_at = max(newest_at, min(leaf.at, self._holder.now))
            if leaf.type in _DOCUMENTS:
                self._take_document(leaf, given)
            elif leaf.type == "withdrawal":
                named = NamedWithdrawal.of(leaf)
                trust = self._holder.state().epoch(named.epoch_id)
                if trust is None:
                    passed_over.setdefault(named.epoch_id, index)
                elif not is_applied(self._holder.engine, named):
                    withdrawals.append(read_withdrawal(self._link, named, trust, leaf.at))
        return _Batch(start + len(leaves), newest_at, tuple(withdrawals), passed_over)

    def _take_document(self, leaf: Leaf, given: dict[bytes, SignedDocument]) -> None:
        """See to it that the document that a leaf names is held here, or overtaken by what is; raises LogRefused."""
        name = _hash_of(leaf.body)
        with read_transaction(self._holder.engine) as connection:
            if documents.is_held(connection, name):
                return
        if name not in given:
            given.update({signed.hash: signed for signed in self._link.documents()})
            self._take_in(given.values())
        if name not in given:
            raise LogRefused(f"The log names a document ({leaf.type}) that the broker does not show.")
        if self._holder.documents.standing().what_follows([given[name]]):
            raise LogRefused(f"The log names a document ({leaf.type}) that does not hold as the broker shows it.")

    def _take_in(self, given: Iterable[SignedDocument]) -> None:
        for signed in self._holder.documents.standing().what_follows(given):
            try:
                self._holder.documents.accept(signed, self._holder.now)
            except DocumentRefused as refused:
                structlog.get_logger().warning("a logged document is refused", type=signed.type, reason=refused.reason)

    def _settle(self, batch: _Batch, connection: Connection) -> None:
        origin = self._keys().origin
        before = log_views.lock_followed(connection, origin)
        for named in batch.withdrawals:
            apply_logged(connection, named)
        for epoch_id, index in batch.passed_over.items():
            log_views.pass_over(connection, epoch_id, index)
        after = before._replace(
            position=max(before.position, batch.end), newest_at=max(before.newest_at, batch.newest_at)
        )
        log_views.keep_followed(connection, origin, after)

    def _reached(self, start: int, size: int, asked_at: int) -> Followed:
        """The log was followed to the end of what it showed at `asked_at`."""
        origin = self._keys().origin

        def work(connection: Connection) -> Followed:
            before = log_views.lock_followed(connection, origin)
            for epoch_id, first in log_views.passed_over_epochs(connection).items():
                if start <= first and self._holder.latest.epoch(epoch_id) is not None:
                    log_views.forget_passed_over(connection, epoch_id, start)
            after = before._replace(position=max(before.position, size), reached_at=max(before.reached_at, asked_at))
            log_views.keep_followed(connection, origin, after)
            return after

        return run_in_transaction(self._holder.engine, work)

    def _keep(self, **changes: Any) -> None:
        """Keep a newer checkpoint, or that none is relied on any more; another thread's newer one stays."""
        origin = self._keys().origin

        def work(connection: Connection) -> None:
            before = log_views.lock_followed(connection, origin)
            if changes.get("size", before.size) >= before.size:
                log_views.keep_followed(connection, origin, before._replace(**changes))

        run_in_transaction(self._holder.engine, work)

    def _check_same_log(self, note: str, followed: Followed) -> None:
        """Raise SplitViewFound unless the log that was followed continues the checkpoint in a note."""
        checkpoint = CosignedCheckpoint(note).checkpoint
        name = (checkpoint.size, checkpoint.root)
        kept = CosignedCheckpoint(followed.note).checkpoint
        if name == (kept.size, kept.root) or name in self._same_log:
            return
        keys = self._keys()
        try:
            reader = LogReader(self._link.fetch, kept)
            check_continues(note, followed.note, reader, keys.key, (), self._holder.now)
        except SplitViewFound as found:
            keep_evidence(self._evidence_folder, found.split_view)
            raise
        except UserError as error:
            raise LogBehind(f"Whether the checkpoint is of the log followed here cannot be seen: {error}") from None
        if len(self._same_log) >= _KEPT:
            self._same_log.clear()
        self._same_log[name] = None


def _hash_of(body: Mapping[str, Any]) -> bytes:
    try:
        return unpack(str(body["hash"]))
    except (KeyError, InvalidPacked):
        raise LogRefused("A document's leaf does not name its hash.") from None
