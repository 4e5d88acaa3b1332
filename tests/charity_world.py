"""A charity with its home folder over a world in memory: an honest broker and key holders, which tests may corrupt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from clients.charity.links import HolderLink, Links
from clients.charity.office import Office
from clients.charity.settings import CharitySettings
from crypto import oprf, shares
from crypto.keyfiles import KeyRing
from crypto.records import Record, check_record, pack_records
from policies.documents import SignedDocument, write_json_file
from policies.evidence import check_evidence, decide
from policies.library import DocumentLibrary
from policies.log.activity import COMMITMENTS, HOUR, activity_root, commitment, empty_commitment, event_text
from policies.log.leaves import activity_leaf, submission_leaf
from policies.log.tree import leaf_hash as hash_of_leaf
from policies.opening_rule import Circumstances
from policies.party_keys import CARD_FILE, epoch_key_name
from policies.trust import Trust
from runtime.exits import ExitCode, UserError
from tests.agreement_world import DAY, START, Submission, World
from tests.clocks import MovableClock
from tests.memory_log import MemoryLog
from wire.messages.alerts import AlertDetail, AlertRecord, AlertStatement, AlertSummary
from wire.messages.log import ActivityHour, ActivityHours, OpenedEvent
from wire.messages.opening import OpeningRequest, OpeningResponse, Refusal
from wire.messages.submission import SealedSecretMessage

NOW = START + DAY + 3600


@dataclass
class StandInBroker:
    """Shows alerts as a broker would; `alter` may change what it says about a record."""

    world: World
    alert_submissions: dict[str, list[Submission]]
    alter: Callable[[AlertDetail], AlertDetail] = lambda detail: detail
    page_size: int = 512
    away: bool = False
    reported: list[str] = field(default_factory=list)
    cosignatures: list[tuple[int, str]] = field(default_factory=list)
    hours: list[ActivityHour] = field(default_factory=list)

    @cached_property
    def log(self) -> MemoryLog:
        """The broker's log, which every witness cosigned a moment ago."""
        shown = {one.statement.encode(): one for submissions in self.alert_submissions.values() for one in submissions}
        log = self.world.log(shown.values())
        log.cosign(NOW - 60)
        return log

    def place(self, submission: Submission) -> int:
        """Where the log has a submission."""
        return self.log.leaves.index(submission_leaf(submission.statement.encode(), START + DAY))

    def cosign(self, size: int, line: str) -> None:
        """Take a cosignature."""
        self.cosignatures.append((size, line))

    def report(self, events: Sequence[str]) -> None:
        """Take what the hour's activity is told."""
        self.reported += events

    def close_hour(self, hour: int, *alert_ids: str, room: int = COMMITMENTS, at: int | None = None) -> None:
        """Log an hour of activity that tells of these alerts, with room for so many events; the leaf is of `at`."""
        salts = [bytes([number]) * 16 for number in range(len(alert_ids))]
        events = [event_text("alert", hour, alert_id=alert_id, state="raised", records=2) for alert_id in alert_ids]
        events += [event_text("other", hour)] * (COMMITMENTS - room)
        salts += [bytes(16)] * (COMMITMENTS - room)
        made = [commitment(salt, event) for salt, event in zip(salts, events, strict=True)]
        made += [empty_commitment(bytes(32), place) for place in range(len(made), COMMITMENTS)]
        opened = tuple(OpenedEvent(place, *one) for place, one in enumerate(zip(salts, events, strict=True)))
        self.hours.append(ActivityHour(hour, b"".join(made), bytes(32), opened))
        self.log.append(activity_leaf(hour, activity_root(made), hour + HOUR if at is None else at))

    def activity(self, first_hour: int) -> ActivityHours:
        """Two hours at a time."""
        found = [hour for hour in self.hours if hour.hour >= first_hour]
        return ActivityHours(tuple(found[:2]), found[2].hour if len(found) > 2 else None)

    def find_leaf(self, leaf_hash: bytes) -> int | None:
        """The place of a leaf."""
        hashes = [hash_of_leaf(leaf) for leaf in self.log.leaves]
        return hashes.index(leaf_hash) if leaf_hash in hashes else None

    def alerts(self) -> list[AlertSummary]:
        """A summary of each alert."""
        if self.away:
            raise UserError("broker cannot be reached: no connection. Try again later.", ExitCode.UNREACHABLE)
        return [
            AlertSummary(
                alert_id=alert_id,
                epoch_id=self.world.trust.epoch_id,
                state="raised",
                raised_at=NOW,
                changed_at=NOW,
                records=sum(len(one.records) for one in submissions),
                institutions=tuple(sorted({one.statement.institution_id for one in submissions})),
                kinds=_shared_kinds(submissions),
                score=20 - number,
            )
            for number, (alert_id, submissions) in enumerate(self.alert_submissions.items())
        ]

    def alert(self, alert_id: str) -> list[AlertDetail]:
        """The pages of an alert."""
        submissions = self.alert_submissions[alert_id]
        statements = tuple(_statement(one, self.place(one)) for one in submissions)
        records = [
            AlertRecord(pack_records([record]), path, number)
            for number, one in enumerate(submissions)
            for record, path in zip(one.records, one.paths, strict=True)
        ]
        return [
            self.alter(
                AlertDetail(
                    alert_id=alert_id,
                    epoch_id=self.world.trust.epoch_id,
                    raised_at=NOW,
                    changed_at=NOW,
                    total=len(records),
                    offset=start,
                    statements=statements,
                    records=tuple(records[start : start + self.page_size]),
                )
            )
            for start in range(0, len(records), self.page_size)
        ]

    def many_alerts(self, alert_ids: Sequence[str]) -> list[list[AlertDetail]]:
        """The pages of each alert."""
        return [self.alert(alert_id) for alert_id in alert_ids]

    def documents(self) -> list[SignedDocument]:
        """The world's documents."""
        return self.world.documents


@dataclass
class StandInHolder:
    """Decides as an honest key holder does, with its own list of withdrawals; `alter` may change its answer."""

    world: World
    index: int
    withdrawn: frozenset[tuple[str, bytes]] = frozenset()
    alter: Callable[[OpeningResponse], OpeningResponse] = lambda response: response
    away: bool = False
    asked: list[OpeningRequest] = field(default_factory=list)
    kept: str | None = None

    def checkpoint(self) -> str | None:
        """What it keeps of the log as a witness."""
        return self.kept

    def open(self, request: OpeningRequest) -> OpeningResponse:
        """Check the evidence whole, decide, evaluate and prove."""
        if self.away:
            raise UserError(f"holder{self.index} cannot be reached: no connection.", ExitCode.UNREACHABLE)
        self.asked.append(request)
        trust = self.world.trust
        evidence = check_evidence(request, trust, NOW)
        circumstances = Circumstances(trust.rule, trust.kinds, trust.groups, frozenset(), self.withdrawn, NOW)
        decision = decide(evidence, request.open, circumstances)
        refused = tuple(Refusal(place, each.reason, each.detail) for place, each in sorted(decision.refused.items()))
        if not decision.accepted:
            return self.alter(OpeningResponse((), b"", b"", refused))
        inputs = [evidence.verified[place].context.encode() for place in decision.accepted]
        answer = shares.evaluate_share(
            self.world.share("record", self.index),
            trust.commitments("record"),
            self.index,
            request.holder_set,
            oprf.hash_inputs(inputs),
        )
        return self.alter(OpeningResponse(decision.accepted, answer.elements, answer.proof, refused))


@dataclass
class CharityWorld:
    """The charity's home, broker and holders over a world."""

    world: World
    home: Path
    broker: StandInBroker
    holders: dict[int, StandInHolder]
    clock: MovableClock = field(default_factory=lambda: MovableClock(NOW))

    def ring(self) -> KeyRing:
        """The charity's secrets, without the second that opening an age file takes."""
        secrets = self.world.parties["charity"].secrets
        epoch = {epoch_key_name(self.world.trust.epoch_id): self.world.recipient_seeds["charity"]}
        return KeyRing({**secrets, **epoch})

    def office(self) -> Office:
        """The charity at work."""
        settings = CharitySettings(store=self.home / "charity.sqlite3")
        return Office(self.home, self.ring(), settings=settings, clock=self.clock, linker=self.linker)

    @contextmanager
    def linker(self, trust: Trust) -> Iterator[Links]:
        """The stand-ins in place of sessions."""
        holders: dict[int, HolderLink] = dict(self.holders)
        yield Links(self.broker, holders, self.broker.log)


def make_charity(world: World, home: Path, alerts: dict[str, list[Submission]]) -> CharityWorld:
    """A charity that has pinned the world's agreement and accepted its epoch and roster."""
    home.mkdir(exist_ok=True)
    write_json_file(home / CARD_FILE, world.parties["charity"].card.to_document())
    library = DocumentLibrary.of_home(home)
    library.pin(world.agreement, world.agreement.hash)
    library.accept(world.epoch)
    library.accept(world.roster)
    holders = {holder.index: StandInHolder(world, holder.index) for holder in world.trust.agreement.holders}
    return CharityWorld(world, home, StandInBroker(world, alerts), holders)


def with_record(submission: Submission, position: int, record: Record) -> Submission:
    """The submission with one record replaced, its statement as it was."""
    records = list(submission.records)
    records[position] = record
    replaced = replace(submission, records=tuple(records))
    # The paths are those of the records that were signed.
    replaced.__dict__["paths"] = submission.paths
    return replaced


def changed_byte(data: bytes, place: int = -1) -> bytes:
    """`data` with one bit of the byte at `place` flipped."""
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def _statement(one: Submission, place: int) -> AlertStatement:
    sealed: Sequence[SealedSecretMessage] = [
        SealedSecretMessage(each.recipient_id, each.key_id, each.enc, each.ciphertext) for each in one.sealed
    ]
    encoded = one.statement.encode()
    return AlertStatement(encoded, one.signature, one.statement.institution_id, tuple(sealed), START + DAY, place)


def _shared_kinds(submissions: Sequence[Submission]) -> tuple[str, ...]:
    found = Counter(
        (entry.kind, entry.tag)
        for one in submissions
        for record in one.records
        for entry in check_record(record).entries
    )
    return tuple(sorted({kind for (kind, _), count in found.items() if count > 1}))
