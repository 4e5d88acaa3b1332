"""Which checkpoints count (C2SP tlog-policy): the log's key, the witnesses' keys, and the quorum of cosignatures.

The text stands in each roster and is made from the agreement: every party is a witness, the quorum is of those that the
agreement names. Knows no tree and no clock of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from policies.log.checkpoint import Checkpoint, CosignedCheckpoint, log_key, witness_key
from policies.log.errors import LogRefused
from policies.log.signed_note import COSIGNATURE, ED25519, VerifierKey
from policies.parties import BROKER

if TYPE_CHECKING:
    from policies.agreement.document import Agreement

OLDEST: Final = 86_400
"""Seconds: an older cosignature does not count."""

SKEW: Final = 60
"""Seconds by which a witness's clock may be ahead."""

LATE: Final = 300
"""Seconds by which a witness's clock may be behind, or its cosignature on its way, when the log takes it."""

NONE: Final = "none"
REQUIRED: Final = "REQUIRED"
"""The group's name; no party's, since ids are in lower case."""

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Group:
    """At least `least` of `members`, witnesses or other groups, must have cosigned."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class WitnessPolicy:
    """A policy: logs' keys, witnesses' keys and groups by the policy's own names, and whose cosignatures are needed."""

    logs: tuple[VerifierKey, ...]
    witnesses: Mapping[str, VerifierKey]
    groups: Mapping[str, Group]
    quorum: str

    @classmethod
    def parse(cls, text: str) -> WitnessPolicy:
        """Read a policy file; raises LogRefused naming the line."""
        return _parse(text)

    def format(self) -> str:
        """The policy file."""
        lines = [f"log {key.format()}" for key in self.logs]
        lines += [f"witness {name} {key.format()}" for name, key in self.witnesses.items()]
        lines += [f"group {name} {group.least} {' '.join(group.members)}" for name, group in self.groups.items()]
        return "".join(f"{line}\n" for line in [*lines, f"quorum {self.quorum}"])

    def witness_named(self, key_name: str) -> VerifierKey | None:
        """The key of the witness whose cosignatures bear a key name; None where there is none."""
        return next((key for key in self.witnesses.values() if key.name == key_name), None)

    def cosigned_at(self, cosigned: CosignedCheckpoint) -> dict[str, int]:
        """When each witness cosigned, by the policy's names for them; raises LogRefused for a false cosignature."""
        times = {name: cosigned.cosigned_at(key) for name, key in self.witnesses.items()}
        return {name: at for name, at in times.items() if at is not None}

    def is_quorum(self, names: Iterable[str]) -> bool:
        """Whether cosignatures of the witnesses with these names suffice."""
        if self.quorum == NONE:
            return True
        met = set(names) & self.witnesses.keys()
        # A group names only what stands before it.
        for name, group in self.groups.items():
            if sum(member in met for member in group.members) >= group.least:
                met.add(name)
        return self.quorum in met

    def age(self, cosigned: CosignedCheckpoint, now: int) -> int:
        """Seconds since the oldest of the newest cosignatures that make a quorum; 0 where none is needed.

        Raises LogRefused where there is no quorum.
        """
        times = self.cosigned_at(cosigned)
        if self.quorum == NONE:
            return 0
        for at in sorted(set(times.values()), reverse=True):
            if self.is_quorum(name for name, cosigned_at in times.items() if cosigned_at >= at):
                return max(0, now - at)
        raise LogRefused("The checkpoint does not carry the cosignatures that the agreement asks for.")

    def check_log(self, cosigned: CosignedCheckpoint) -> Checkpoint:
        """The checkpoint, if one of the policy's logs signed it; raises LogRefused. Looks at no cosignature."""
        for key in self.logs:
            if key.name == cosigned.checkpoint.origin:
                return cosigned.verify(key)
        raise LogRefused("The checkpoint is another log's: its origin is not that of the agreement's log.")

    def check(self, cosigned: CosignedCheckpoint, now: int) -> Checkpoint:
        """The checkpoint, if the log signed it and a quorum cosigned it at most 24 hours before `now` (Unix seconds).

        Raises LogRefused.
        """
        checkpoint = self.check_log(cosigned)
        times = self.cosigned_at(cosigned)
        current = {name for name, at in times.items() if now - OLDEST <= at <= now + SKEW}
        if self.is_quorum(current):
            return checkpoint
        if self.is_quorum(times):
            raise LogRefused(
                "The checkpoint's cosignatures are not of the last 24 hours: bring it to the witnesses again."
            )
        raise LogRefused("The checkpoint does not carry the cosignatures that the agreement asks for.")


def make_policy(
    origin: str, broker_key: bytes, party_keys: Mapping[str, bytes], required: Iterable[str], quorum: int
) -> WitnessPolicy:
    """The policy of an agreement: every party a witness, `quorum` of `required` needed (0: none)."""
    witnesses = {party_id: witness_key(origin, party_id, key) for party_id, key in sorted(party_keys.items())}
    groups = {REQUIRED: Group(quorum, tuple(sorted(required)))} if quorum else {}
    return WitnessPolicy((log_key(origin, broker_key),), witnesses, groups, REQUIRED if quorum else NONE)


def policy_of(agreement: Agreement, origin: str, newer_keys: Mapping[str, bytes] | None = None) -> str:
    """The witness policy that a roster under an agreement carries, as text; `origin` names the agreement's log.

    `newer_keys`: the signing keys of members and recipients in the roster, where they were rotated since.
    """
    keys = {party_id: key for party_id, key in agreement.keys.items() if party_id != BROKER} | dict(newer_keys or {})
    witnesses = agreement.witnesses
    return make_policy(origin, agreement.broker.key, keys, witnesses.parties, witnesses.quorum).format()


@lru_cache(maxsize=64)
def _parse(text: str) -> WitnessPolicy:
    reader = _Reader()
    if _CONTROL.search(text):
        raise LogRefused("The witness policy holds control characters other than tabs and newlines.")
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.replace("\t", " ").split(" ")
        words = [word for word in words if word]
        if words and not words[0].startswith("#"):
            try:
                reader.take(words)
            except LogRefused as refused:
                raise LogRefused(f"Line {number} of the witness policy: {refused.reason}") from None
    if reader.quorum is None:
        raise LogRefused("The witness policy has no quorum line.")
    return WitnessPolicy(tuple(reader.logs), reader.witnesses, reader.groups, reader.quorum)


class _Reader:
    """Takes a policy's lines one after another."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, VerifierKey] = {}
        self.groups: dict[str, Group] = {}
        self.grouped: set[str] = set()
        self.quorum: str | None = None

    def take(self, words: list[str]) -> None:
        kind, values = words[0], words[1:]
        if kind == "log" and len(values) in (1, 2):
            self.logs.append(_key(values[0], ED25519, self.logs))
        elif kind == "witness" and len(values) in (2, 3):
            key = _key(values[1], COSIGNATURE, self.witnesses.values())
            self.witnesses[self._new(values[0])] = key
        elif kind == "group" and len(values) >= 3:
            name = self._new(values[0])
            self.groups[name] = self._group(values[1], values[2:])
        elif kind == "quorum" and len(values) == 1 and self.quorum is None:
            if values[0] != NONE:
                self._known(values[0])
            self.quorum = values[0]
        else:
            raise LogRefused("it is none of a log, a witness, a group and the one quorum line.")

    def _group(self, least: str, members: list[str]) -> Group:
        for member in members:
            self._known(member)
            # In one group at most, so that a witness counts towards the quorum in one way only.
            if member in self.grouped:
                raise LogRefused(f"{member} is a group's member already.")
            self.grouped.add(member)
        words = {"all": len(members), "any": 1}
        number = words[least] if least in words else int(least) if _NUMBER.fullmatch(least) else 0
        if not 1 <= number <= len(members):
            raise LogRefused("a group needs a number of its members, from 1 to all of them.")
        return Group(number, tuple(members))

    def _new(self, name: str) -> str:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise LogRefused(f"the name {name} is taken.")
        return name

    def _known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise LogRefused(f"{name} is neither a witness nor a group of a line before.")


def _key(text: str, kind: int, known: Iterable[VerifierKey]) -> VerifierKey:
    key = VerifierKey.parse(text)
    if key.type != kind:
        raise LogRefused("the key is of the wrong signature type.")
    if any(one.public_key == key.public_key for one in known):
        raise LogRefused("the key stands there twice.")
    return key
