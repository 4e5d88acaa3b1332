"""The charity at work: its keys, its documents, its store, and what it does with an alert. Commands and desk share it.

One method, one thing that a person can ask for. It verifies by way of the modules that it calls and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from clients.charity.activity_check import MISSING, check_alerts
from clients.charity.agreement_check import find_disagreements
from clients.charity.alerts import Alert, HeldRecord, RecordKey, Trouble, receive_alert
from clients.charity.case_file import NOT_OPENED, CaseFile, CaseOpening, make_case, opened_payloads
from clients.charity.decision_book import DecisionBook
from clients.charity.evidence import plan_requests
from clients.charity.gathering import check_epoch, fetch_alerts, pool_records, unsigned
from clients.charity.links import Links, open_links
from clients.charity.opening import Opened, RecipientKeys, keep_readable, open_plans
from clients.charity.quorum import Quorum
from clients.charity.rules import Desk
from clients.charity.settings import CharitySettings, read_settings, recipient_id_of
from clients.charity.showing import Showing
from clients.charity.store import CharityStore, QueueEntry, Review
from clients.charity.words import counted
from clients.log.store import CheckpointStore
from clients.log.witness_duty import LogView, WitnessDuty
from crypto.keyfiles import KeyRing, read_key_file
from crypto.signatures import SigningKey, key_id
from policies.agreement.model import Purpose
from policies.decisions.record import DecisionRecord
from policies.library import DocumentLibrary
from policies.log.activity import HOUR
from policies.party_keys import KEY_FILE, epoch_key_name
from policies.trust import Trust
from runtime.clock import Clock, SystemClock, unix
from runtime.console import say
from runtime.exits import ExitCode, UserError
from wire.messages.alerts import AlertSummary

RAISED = "raised"
"""The state of an alert that holds."""

BATCH = 200
"""How many alerts are opened together: few enough that an interruption loses little, enough to fill requests."""

NOTE_LENGTH = 4000
"""Characters of a reviewer's note that are kept."""

Linker = Callable[[Trust], AbstractContextManager[Links]]


@dataclass(frozen=True)
class Contact:
    """One contact with broker and key holders: what is trusted now, the sessions, the log, the agreement's rules."""

    trust: Trust
    links: Links
    log: LogView
    desk: Desk

    def showing(self, purpose: str) -> Showing | None:
        """Under what evidence is shown; None as long as no checkpoint has the witnesses' cosignatures."""
        return None if self.log.accepted is None else Showing(purpose, self.log.accepted, self.links.log)


@dataclass(frozen=True)
class QueueItem:
    """One alert of the queue with what is known of it here; `mark` says what is odd about it, mostly nothing."""

    entry: QueueEntry
    case: CaseFile | None
    review: Review | None
    mark: str = ""


class Office:
    """A charity's home folder in use. `ring` holds its secrets; close it, or use `open_office`."""

    def __init__(
        self,
        home: Path,
        ring: KeyRing,
        *,
        settings: CharitySettings | None = None,
        clock: Clock | None = None,
        linker: Linker | None = None,
    ) -> None:
        self._ring = ring
        self.settings = settings or read_settings(home)
        self.recipient_id = recipient_id_of(home)
        self._clock = clock or SystemClock()
        self._library = DocumentLibrary.of_home(home)
        self._checkpoints = CheckpointStore(home)
        self._linker = linker or self._sessions
        self.store = CharityStore(self.settings.store, ring["store"])
        self._book = DecisionBook(self.store)
        self._purged_at = 0
        self.erased = 0

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    @property
    def now(self) -> int:
        """Unix seconds."""
        return unix(self._clock)

    def trust(self) -> Trust:
        """The trust in the home folder, with an epoch and a roster; raises UserError (exit code 4)."""
        trust = self._library.trust()
        _ = trust.roster
        return trust

    def refresh_queue(self) -> list[QueueItem]:
        """Ask the broker for its alerts, keep the list, and return it with what is known of each here."""
        with self._contact() as contact:
            contact.desk.require("list-alerts")
            # What is closed has lost its content: it is listed no more, and what was kept of it stays as it was.
            listed = [summary for summary in contact.links.broker.alerts() if summary.state == RAISED]
            self._check_activity(contact, listed)
        self.store.save_queue([_queue_entry(summary) for summary in listed])
        return self.queue()

    def queue(self) -> list[QueueItem]:
        """The queue as last listed, the most urgent first: unreviewed before reviewed, then by score and time."""
        self._purge_if_due()
        cases, reviews, marks = self.store.cases(), self.store.latest_reviews(), self.store.marks()
        items = [
            QueueItem(entry, cases.get(alert_id), reviews.get(alert_id), marks.get(alert_id, ""))
            for alert_id, entry in self.store.queue().items()
        ]
        return sorted(items, key=_urgency)

    def examine(self, alert_id: str) -> CaseFile:
        """Fetch an alert and say what would open and what would not, without asking any key holder.

        What was opened before stays in the answer.
        """
        self._purge_if_due()
        with self._contact() as contact:
            contact.desk.require("read-alert")
            trust, now = contact.trust, self.now
            alert = receive_alert(contact.links.broker.alert(alert_id), trust)
            check_epoch(alert, trust)
            kept = self.store.case(alert_id)
            if kept is not None and (kept.changed_at == alert.changed_at or not alert.records):
                return kept
            payloads = opened_payloads([kept], alert.records) if kept is not None else {}
            plans = plan_requests(
                alert.records, [key for key in alert.records if key not in payloads], trust, now, contact.showing("")
            )
        shut = {key: ["It has not been asked for yet."] for plan in plans.plans for key in plan.wanted_keys}
        shut.update({key: [reason] for key, reason in plans.shut.items()})
        opening = kept.opening if kept is not None else NOT_OPENED
        return make_case(alert, trust, now, payloads=payloads, shut=shut, opening=opening)

    def open_alerts(
        self, alert_ids: Sequence[str], advance: Callable[[int], None] | None = None, *, purpose: str | None = None
    ) -> list[CaseFile]:
        """Open what the quorum opens of these alerts; keep and return, in order, the case files of those that hold.

        `purpose`: for which of the agreement's purposes; needed where the recipient has several. What is open already
        is not asked for again. Evidence of many alerts shares requests. Raises UserError where the agreement does not
        allow it, or documents, keys or the broker fail; a key holder's failure stands in the case files.
        """
        cases: list[CaseFile] = []
        with self._contact() as contact:
            keys = self._recipient_keys(contact.trust)
            quorum = Quorum(contact.links.holders, contact.trust)
            chosen = contact.desk.purpose(purpose)
            for start in range(0, len(alert_ids), BATCH):
                asked = alert_ids[start : start + BATCH]
                fetched = fetch_alerts(contact.links.broker, asked, contact.trust)
                alerts = [alert for alert in fetched if alert.records or alert.troubles]
                made = self._open_together(alerts, contact, quorum, keys, chosen)
                self.store.save_cases(made)
                cases += made
                if advance is not None:
                    advance(len(asked))
            self._book.report(contact.links.broker)
        return cases

    def export(self, cases: Sequence[CaseFile], purpose: str | None = None) -> list[DecisionRecord]:
        """What the rules say to writing these case files in the clear; the answers are kept, and reported later.

        Asks nobody. Raises UserError where one may not be exported.
        """
        desk = self._desk()
        chosen = desk.purpose(purpose)
        records = []
        for case in cases:
            age = max(0, self.now - (case.content_since or self.now))
            records.append(self._book.require(desk, "export-case", purpose=chosen, opened_age=age))
        for case, record in zip(cases, records, strict=True):
            self._book.tell("export", record, case.opened)
        return records

    def purposes(self) -> tuple[Purpose, ...]:
        """The purposes for which the agreement lets this recipient have records opened."""
        desk = self._desk()
        return tuple(purpose for purpose in desk.agreement.purposes if purpose.code in desk.party.purposes)

    def purge(self) -> int:
        """Erase what was opened longer ago than the agreement lets it be kept; how many case files went.

        A case file goes whole with the oldest of what is open in it. `erased` counts what went since the start.
        """
        oldest = self.now - self.trust().agreement.retention.opened
        gone = [case.alert_id for case in self.store.cases().values() if 0 < case.content_since < oldest]
        self.store.forget(gone)
        self._purged_at = self.now
        self.erased += len(gone)
        return len(gone)

    def review(self, alert_id: str, verdict: str, note: str) -> Review:
        """Write down a verdict on an alert; raises UserError where the agreement does not allow it."""
        self._book.require(self._desk(), "review-case")
        review = Review(verdict, note.strip()[:NOTE_LENGTH], self.now)
        self.store.add_review(alert_id, review)
        return review

    def _open_together(
        self, alerts: Sequence[Alert], contact: Contact, quorum: Quorum, keys: RecipientKeys, purpose: str
    ) -> list[CaseFile]:
        trust, desk = contact.trust, contact.desk
        pool, unfit = pool_records(alerts, trust)
        kept = (self.store.case(alert.alert_id) for alert in alerts)
        known = opened_payloads(filter(None, kept), pool)
        wanted = [key for key in pool if key not in known]
        decision = self._book.require(desk, "ask-for-opening", purpose=purpose, records=len(wanted))
        plans = plan_requests(pool, wanted, trust, self.now, contact.showing(purpose))
        opened = open_plans(plans, quorum, keys)
        keep_readable(opened, pool, desk, self.now)
        self._book.tell("opening", decision, len(opened.payloads))
        opened.payloads.update(known)
        unfit += [unsigned(key) for key in known if not pool[key].is_signed]
        unfit += find_disagreements(pool, opened.payloads, trust.agreement.terms.fields)
        opening = CaseOpening(purpose, decision.rules, trust.agreement.version)
        return [self._case(alert, trust, pool, opened, unfit, opening) for alert in alerts]

    def _case(
        self,
        alert: Alert,
        trust: Trust,
        pool: Mapping[RecordKey, HeldRecord],
        opened: Opened,
        unfit: Iterable[Trouble],
        opening: CaseOpening,
    ) -> CaseFile:
        # What another alert showed under the same name is not this alert's record.
        same = {key for key, record in alert.records.items() if record.checked.leaf == pool[key].checked.leaf}
        return make_case(
            alert,
            trust,
            self.now,
            payloads={key: payload for key, payload in opened.payloads.items() if key in same},
            shut=opened.shut,
            troubles=[each for each in (*opened.troubles, *unfit) if each.record in alert.records],
            holder_faults=[fault.sentence for fault in opened.faults],
            opened_at=self.now,
            opening=opening,
        )

    def _check_activity(self, contact: Contact, listed: Sequence[AlertSummary]) -> None:
        """Look for listed alerts in the log's activity, and mark those that it should have and has not."""
        known = self.store.marks()
        marks = {one.alert_id: known[one.alert_id] for one in listed if known.get(one.alert_id) in ("", MISSING)}
        open_questions = {one.alert_id: one.raised_at for one in listed if one.alert_id not in marks}
        links = contact.links
        standing = check_alerts(open_questions, links.broker, links.log, contact.log.newest.checkpoint, self.now)
        self.store.save_marks({**marks, **dict.fromkeys(standing.found, ""), **standing.marks})

    def _purge_if_due(self) -> None:
        """Purge at the start, and once an hour where the desk stays open."""
        if self.now >= self._purged_at + HOUR:
            self.purge()

    def _desk(self) -> Desk:
        """The agreement's rules as they are known here, without asking anybody."""
        return Desk(self.trust(), self.recipient_id, self.now)

    def _recipient_keys(self, trust: Trust) -> RecipientKeys:
        """The epoch's key: the key file must hold the private half of what the roster names."""
        recipient = trust.recipient(self.recipient_id)
        if recipient is None:
            raise UserError(
                f"Roster {trust.roster.version} does not name {self.recipient_id} as a recipient.",
                ExitCode.DOCUMENTS_REFUSED,
            )
        name = epoch_key_name(trust.epoch_id)
        if name not in self._ring:
            raise UserError(
                f"The key file has no key for epoch {trust.epoch.number}: it was made elsewhere, or destroyed.",
                ExitCode.KEYS,
            )
        if key_id(recipient.key) != recipient.key_id:
            raise UserError("The roster's key for this recipient is not the one that it names.", ExitCode.KEYS)
        return RecipientKeys(self.recipient_id, recipient.key_id, self._ring[name], trust.epoch.padded_size)

    @contextmanager
    def _contact(self) -> Iterator[Contact]:
        """Sessions, the trust with every document that the broker has to offer and that verifies, the log as it stands.

        Every contact is a witness's: the log is held against what was kept here and at key holders, and cosigned.
        """
        trust = self.trust()
        with self._linker(trust) as links:
            self._library.accept_all(links.broker.documents())
            trust = self.trust()
            duty = WitnessDuty(self.recipient_id, SigningKey(self._ring["signing"]), self._checkpoints, self._clock)
            view = duty.contact(trust, links.log, links.broker, links.holders)
            self._book.report(links.broker)
            yield Contact(trust, links, view, Desk(trust, self.recipient_id, self.now))

    def _sessions(self, trust: Trust) -> AbstractContextManager[Links]:
        signing_key = SigningKey(self._ring["signing"])
        return open_links(trust, self.recipient_id, signing_key, self.settings, self._clock)


@contextmanager
def open_office(home: Path, passphrase: str) -> Iterator[Office]:
    """The office in a home folder, its key file opened with the passphrase (about a second of CPU).

    What may be kept no longer is erased first, and the person is told.
    """
    office = Office(home, read_key_file(home / KEY_FILE, passphrase))
    try:
        if office.purge():
            say(f"{counted(office.erased, 'case file')} erased: the agreed time to keep what was opened is over.")
        yield office
    finally:
        office.close()


def _queue_entry(summary: AlertSummary) -> QueueEntry:
    return QueueEntry(
        alert_id=summary.alert_id,
        epoch_id=summary.epoch_id.hex(),
        state=summary.state,
        raised_at=summary.raised_at,
        changed_at=summary.changed_at,
        records=summary.records,
        institutions=tuple(summary.institutions),
        kinds=tuple(summary.kinds),
        score=summary.score,
    )


def _urgency(item: QueueItem) -> tuple[bool, bool, int, int, str]:
    reviewed = item.review is not None and item.review.verdict != "unreviewed"
    return (not item.entry.is_listed, reviewed, -item.entry.score, -item.entry.changed_at, item.entry.alert_id)
