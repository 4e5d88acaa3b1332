"""An auditor over a made-up log in memory: an agreement, decisions, submissions, counts, hours; and ways to tamper.

`make_audit(home)` gives an `Audit`; its `links` answer as an honest broker and holders would, unless told otherwise.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from clients.auditor.auditor import Auditor
from clients.auditor.console.app import COOKIE, create_app
from clients.auditor.ledger_schema import Finding
from clients.auditor.links import Links
from clients.auditor.settings import AuditorSettings
from clients.local_page.access import Access
from crypto.keyfiles import KeyRing
from crypto.statements import SubmissionStatement
from policies.decisions.decide import decide_many
from policies.decisions.question import Question
from policies.documents import SignedDocument, document_hash, signed_bytes, write_json_file
from policies.library import DocumentLibrary
from policies.log import leaves
from policies.log.activity import COMMITMENTS, activity_root, commitment, empty_commitment, event_text
from policies.party_keys import CARD_FILE
from tests.agreement_world import AUDITOR, DAY, START, World, make_world
from tests.clocks import MovableClock
from tests.memory_log import MemoryLog
from wire.messages.log import ActivityHour, LoggedWithdrawal, OpenedEvent, SetAsideCount, SetAsideCounts
from wire.messages.opening_record import RecordedOpening
from wire.packed import pack

HOUR = 3600
DAYS = 6
INSTITUTIONS = ("bank-a", "bank-b", "police-c")
PROBER, PROBED_DAY, PROBED = "bank-b", 3, 9_000
"""Who on which day had how many identifiers evaluated, far beyond what it sent."""


@dataclass
class MadeUpBroker:
    """Answers as the broker of the made-up log."""

    world: World
    hours: dict[int, ActivityHour] = field(default_factory=dict)
    listed: list[SignedDocument] = field(default_factory=list)

    def documents(self) -> list[SignedDocument]:
        return list(self.listed)

    def cosign(self, size: int, line: str) -> None:
        pass

    def activity(self, first_hour: int) -> Iterator[ActivityHour]:
        yield from (self.hours[hour] for hour in sorted(self.hours) if hour >= first_hour)

    def caps(self) -> SetAsideCounts:
        return SetAsideCounts(self.world.trust.epoch_id, (SetAsideCount("bank-a", "phone", "own-cap", 120, 2),), ())

    def withdrawal(self, institution_id: str, seq: int) -> LoggedWithdrawal:
        raise AssertionError("no withdrawal is in this log")


class MadeUpHolder:
    """A holder that opened nothing."""

    def checkpoint(self) -> str | None:
        return None

    def openings(self, after: int) -> Iterator[RecordedOpening]:
        return iter(())


@dataclass
class Audit:
    """An auditor's home over a log that tests may change."""

    world: World
    log: MemoryLog
    home: Path
    clock: MovableClock
    links: Links
    broker: MadeUpBroker

    def auditor(self) -> Auditor:
        """The auditor at work, over this log."""
        settings = AuditorSettings(ledger=self.home / "auditor.sqlite")
        ring = KeyRing(self.world.parties[AUDITOR].secrets)
        return Auditor(
            self.home, ring, settings=settings, clock=self.clock, linker=lambda trust: nullcontext(self.links)
        )

    def cosign(self) -> None:
        """Let every witness cosign the log as it is."""
        self.log.cosign(int(self.clock.now().timestamp()))

    def verify(self) -> list[Finding]:
        """What a verification finds."""
        auditor = self.auditor()
        with auditor.contact() as contact:
            return list(auditor.verify(contact, lambda _: None).findings)

    def audit(self) -> list[str]:
        """What everything finds, in sentences."""
        found = [*self.verify(), *self.auditor().replay(lambda _: None)]
        return [one.sentence for one in found]


def make_audit(home: Path, *, decisions: int = 400, witness_quorum: int = 2) -> Audit:
    """Six days of an honest log, and an auditor who has seen nothing of it yet."""
    world, history, hours = _history(decisions, witness_quorum)
    log, broker = world.log(), MadeUpBroker(world, dict(hours), world.documents)
    log.append(*history)
    clock = MovableClock(datetime.fromtimestamp(START + DAYS * DAY + 60, UTC))
    home.mkdir(parents=True, exist_ok=True)
    write_json_file(home / CARD_FILE, world.parties[AUDITOR].card.to_document())
    library = DocumentLibrary.of_home(home)
    library.pin(world.agreement, world.agreement.hash)
    library.accept_all(world.documents)
    links = Links(broker, {index: MadeUpHolder() for index in (1, 2, 3)}, log)
    audit = Audit(world, log, home, clock, links, broker)
    audit.cosign()
    return audit


@cache
def _history(decisions: int, witness_quorum: int) -> tuple[World, tuple[bytes, ...], dict[int, ActivityHour]]:
    """Six days: made once, and never changed."""
    world = make_world(witness_quorum=witness_quorum)
    log, broker = world.log(), MadeUpBroker(world)
    makers = (leaves.agreement_leaf, leaves.epoch_leaf, leaves.roster_leaf)
    for make, signed in zip(makers, world.documents, strict=True):
        log.append(make(signed.document, START))
    _add_days(world, log, broker, decisions)
    return world, tuple(log.leaves), broker.hours


def decision_leaves(world: World, count: int, first: int = START) -> list[bytes]:
    """Leaves of real decisions, some of them refused."""
    questions = [
        Question(
            "submit-records" if number % 3 else "withdraw-records",
            INSTITUTIONS[number % 3],
            "institution",
            first + number,
            {"suspended": number % 50 == 49, "departed": False, **({"records": 10} if number % 3 else {})},
        )
        for number in range(count)
    ]
    records = decide_many(questions, world.trust.agreement)
    return [leaves.decision_leaf(one.to_document(), one.question.at) for one in records]


def _add_days(world: World, log: MemoryLog, broker: MadeUpBroker, decisions: int) -> None:
    previous = {index: pack(world.trust.epoch_id) for index in (1, 2, 3)}
    for day in range(DAYS):
        begin = START + day * DAY
        for institution in INSTITUTIONS:
            statement = SubmissionStatement(
                world.trust.epoch_id,
                institution,
                day + 1,
                secrets.token_bytes(16),
                50 + 3 * day,
                secrets.token_bytes(32),
            )
            log.append(leaves.submission_leaf(statement.encode(), begin + 2 * HOUR))
        log.append(*decision_leaves(world, decisions // DAYS, begin + 3 * HOUR))
        for hour in range(begin, begin + DAY, HOUR):
            log.append(_hour(broker, hour))
        for index in (1, 2, 3):
            log.append(_counts(world, index, day, previous))


def _hour(broker: MadeUpBroker, hour: int) -> bytes:
    secret, salt = secrets.token_bytes(32), secrets.token_bytes(16)
    commitments = [empty_commitment(secret, place) for place in range(COMMITMENTS)]
    opened = ()
    if hour % (6 * HOUR) == 0:
        event = event_text("alert", hour + 60, state="raised", score=12)
        commitments[7] = commitment(salt, event)
        opened = (OpenedEvent(7, salt, event),)
    broker.hours[hour] = ActivityHour(hour, b"".join(commitments), secret, opened)
    return leaves.activity_leaf(hour, activity_root(commitments), hour + HOUR + 1)


def _counts(world: World, index: int, day: int, previous: dict[int, str]) -> bytes:
    counts = {
        institution: {"phone": 60 + 3 * day + number, "record": 50 + 3 * day}
        for number, institution in enumerate(INSTITUTIONS)
    }
    if day == PROBED_DAY:
        counts[PROBER]["phone"] = PROBED
    named = (datetime.fromtimestamp(START, UTC) + timedelta(days=day)).date().isoformat()
    document = {
        "type": "crosslight/v1 counts",
        "holder": index,
        "epoch_id": pack(world.trust.epoch_id),
        "day": named,
        "counts": counts,
        "previous": previous[index],
    }
    previous[index] = pack(document_hash(document))
    signature = world.parties[f"holder{index}"].signing_key.sign(signed_bytes(document))
    return leaves.evaluations_leaf(document, signature, START + (day + 1) * DAY + 900)


@contextmanager
def served(auditor: Auditor) -> Iterator[str]:
    """Serve the console on a free port; gives the address that lets a browser in."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True, request_handler=_QuietHandler)
    access = Access.on_port(server.server_port, COOKIE)
    server.app = create_app(auditor, access)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/enter?token={access.token}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        pass
