"""A client's duty as a witness, at each contact with the broker: check, compare with others, cosign, keep.

It stops with evidence in a file where the log shows two histories (protocol section 9, attack 13). Knows the log's key
from the agreement alone, and no leaf.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from clients.log.source import LogSource
from clients.log.store import CheckpointStore
from crypto.signatures import SigningKey
from policies.log.checkpoint import Checkpoint, CosignedCheckpoint, cosignature_line, witness_key, witness_name
from policies.log.errors import LogRefused
from policies.log.log_keys import LogKeys
from policies.log.tiles import TileHashes
from policies.log.witness import SplitViewFound, check_continues
from policies.log.witness_policy import SKEW
from policies.trust import Trust
from runtime.clock import Clock, unix
from runtime.exits import ExitCode, UserError

COMPARED_HOLDERS = 2
"""With how many key holders a client compares views at a contact."""


class CosignatureLink(Protocol):
    """The signed way to the broker for what a witness has to say."""

    def cosign(self, size: int, line: str) -> None:
        """Bring a cosignature on the broker's checkpoint of a size."""
        ...


class ViewLink(Protocol):
    """The signed way to another witness, a key holder."""

    def checkpoint(self) -> str | None:
        """The signed note that it keeps, with its cosignature; None as long as it keeps none. Raises UserError."""
        ...


@dataclass(frozen=True)
class LogView:
    """The log as a party may rely on it after a contact.

    newest    the newest checkpoint, which continues all that was kept, as a note with this party's cosignature
    accepted  the newest one with the quorum's cosignatures of the last day; None where there is none
    compared  with which holders' views it was compared
    """

    newest: CosignedCheckpoint
    accepted: CosignedCheckpoint | None
    compared: tuple[int, ...] = ()

    def require_accepted(self) -> CosignedCheckpoint:
        """The accepted checkpoint; raises UserError (exit code 6) where witnesses have not cosigned yet."""
        if self.accepted is None:
            raise UserError(
                "The log has no checkpoint that enough witnesses cosigned within the last day: try again later, and if "
                "that does not help, ask the broker's operator and the key holders.",
                ExitCode.UNREACHABLE,
            )
        return self.accepted


@dataclass(frozen=True)
class WitnessDuty:
    """One party as a witness of the agreement's log."""

    party_id: str
    signing_key: SigningKey
    store: CheckpointStore
    clock: Clock

    def contact(
        self, trust: Trust, source: LogSource, broker: CosignatureLink, holders: Mapping[int, ViewLink]
    ) -> LogView:
        """Check the log against what was kept and what holders keep, cosign its newest checkpoint, and keep it.

        Raises SplitViewReported with the evidence's file, LogRefused for a log that cannot be checked, and UserError
        where it cannot be reached. A holder that does not answer, or with what the log did not sign, is passed over.
        A suspended party checks and keeps all the same, but brings no cosignature: nobody would take it, and it may
        still withdraw its records.
        """
        taken = None if self.party_id in trust.suspended | trust.departed else broker
        with self.store.alone():
            return self._contact(LogKeys.of(trust), source, taken, holders)

    def _contact(
        self, log: LogKeys, source: LogSource, broker: CosignatureLink | None, holders: Mapping[int, ViewLink]
    ) -> LogView:
        kept = self.store.kept()
        try:
            note = source.checkpoint()
            self._continues(log, kept, note, source)
            note, compared = self._compare(log, note, source, holders)
            checkpoint = CosignedCheckpoint(note).checkpoint
            accepted = self._accepted(log, note, source)
        except SplitViewFound as found:
            raise SplitViewReported(found, self.store) from None
        line = cosignature_line(note, witness_name(log.origin, self.party_id), self.signing_key, self._time(log, kept))
        cosigned = CosignedCheckpoint(note).with_lines(line)
        self.store.keep(cosigned.text)
        if broker is not None:
            broker.cosign(checkpoint.size, line)
        return LogView(cosigned, accepted, compared)

    def _time(self, log: LogKeys, kept: str | None) -> int:
        """The time of the next cosignature: not before that of the last one, though the clock was corrected since.

        Unless the last was so far ahead that the log cannot have taken it.
        """
        now = unix(self.clock)
        if kept is None:
            return now
        key = witness_key(log.origin, self.party_id, self.signing_key.public_key)
        last = CosignedCheckpoint(kept).cosigned_at(key) or 0
        return last if now < last <= now + SKEW else now

    def _continues(self, log: LogKeys, kept: str | None, shown: str, source: LogSource) -> Checkpoint:
        size = CosignedCheckpoint(shown).checkpoint.size
        reader = TileHashes(source.tile, size)
        return check_continues(kept, shown, reader, log.key, log.witnesses, unix(self.clock))

    def _compare(
        self, log: LogKeys, note: str, source: LogSource, holders: Mapping[int, ViewLink]
    ) -> tuple[str, tuple[int, ...]]:
        """Hold the broker's view against that of a few holders; the newest note that all of them continue.

        They are other ones each time: whoever shows us another history would have to win all of them over.
        """
        compared: list[int] = []
        for index in random.sample(sorted(holders), len(holders)):
            if len(compared) == COMPARED_HOLDERS:
                break
            try:
                theirs = holders[index].checkpoint()
                # What the log did not sign says nothing about it: no holder can stop anybody with that.
                seen = CosignedCheckpoint(theirs).verify(log.key) if theirs is not None else None
            except UserError:
                continue
            if theirs is None or seen is None:
                continue
            if seen.size > CosignedCheckpoint(note).checkpoint.size:
                # It may have grown since we asked; if it has not, the broker hides from us what the holder was shown.
                newer = source.checkpoint()
                self._continues(log, note, newer, source)
                note = newer
            self._continues(log, theirs, note, source)
            compared.append(index)
        return note, tuple(sorted(compared))

    def _accepted(self, log: LogKeys, newest: str, source: LogSource) -> CosignedCheckpoint | None:
        """The newest checkpoint with the quorum's cosignatures, if it is of the same history and fresh."""
        shown = newest if not log.policy.groups else source.cosigned()
        if shown is None:
            return None
        cosigned = CosignedCheckpoint(shown)
        try:
            log.policy.check(cosigned, unix(self.clock))
        except LogRefused:
            # Too old, or too few: nothing to rely on yet. That it is the log's own, the next step holds it to.
            cosigned.verify(log.key)
            return None
        if cosigned.checkpoint.size <= CosignedCheckpoint(newest).checkpoint.size:
            self._continues(log, shown, newest, source)
        else:
            self._continues(log, newest, shown, source)
        return cosigned


class SplitViewReported(UserError):
    """The log shows two histories, and the evidence was written for third parties."""

    def __init__(self, found: SplitViewFound, store: CheckpointStore) -> None:
        self.path = store.write_evidence(found.split_view)
        self.split_view = found.split_view
        super().__init__(
            f"{found.split_view.sentence} Nothing more is sent or opened. The evidence is in {self.path}: show it to "
            "the auditor and the other parties (`crosslight log evidence` checks it).",
            ExitCode.VERIFICATION_FAILED,
        )
