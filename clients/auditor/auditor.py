"""The auditor at work: its keys, its documents, its copy of the log, and what it checks. Commands and console share it.

One method, one thing that a person can ask for. It verifies by way of the modules that it calls and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from clients.auditor.asking import ask_services
from clients.auditor.checks.documents import SUBJECT as DOCUMENTS
from clients.auditor.checks.documents import check_documents
from clients.auditor.checks.sequences import SUBJECT as TIMES
from clients.auditor.checks.sequences import balances, check_expiries, check_sequences
from clients.auditor.evaluations import SUBJECT as COUNTS
from clients.auditor.evaluations import check_counts
from clients.auditor.ledger import Ledger
from clients.auditor.ledger_schema import Finding
from clients.auditor.links import Links, open_links
from clients.auditor.replaying import replay_decisions
from clients.auditor.settings import AuditorSettings, auditor_id_of, read_settings
from clients.auditor.verification import Verified, verify_copy, verify_log
from clients.log.store import CheckpointStore
from clients.log.witness_duty import LogView, WitnessDuty
from crypto.keyfiles import KeyRing, read_key_file
from crypto.signatures import SigningKey
from policies.agreement.document import Agreement
from policies.errors import DocumentRefused
from policies.library import DocumentLibrary
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.log_keys import LogKeys
from policies.party_keys import KEY_FILE
from policies.trust import Trust
from runtime.clock import Clock, SystemClock, unix

Linker = Callable[[Trust], AbstractContextManager[Links]]
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Contact:
    """One contact with broker and key holders: what is trusted now, the sessions, and the log as witnesses hold it."""

    trust: Trust
    links: Links
    log: LogView
    refused: str

    @cached_property
    def checkpoint(self) -> CosignedCheckpoint:
        """What the log is verified against; raises UserError where witnesses have not cosigned yet."""
        return self.log.require_accepted()

    def cosigned_by(self) -> tuple[str, ...]:
        """The witnesses whose cosignatures the checkpoint carries, by name."""
        return cosigners(self.trust, self.checkpoint)


class Auditor:
    """An auditor's home folder in use. `ring` holds its secrets."""

    def __init__(
        self,
        home: Path,
        ring: KeyRing,
        *,
        settings: AuditorSettings | None = None,
        clock: Clock | None = None,
        linker: Linker | None = None,
    ) -> None:
        self.settings = settings or read_settings(home)
        self.auditor_id = auditor_id_of(home)
        self.signing_key = SigningKey(ring["signing"])
        self._clock = clock or SystemClock()
        self.library = DocumentLibrary.of_home(home)
        self._checkpoints = CheckpointStore(home)
        self._linker = linker or self._sessions
        self.ledger = Ledger(self.settings.ledger)

    @property
    def now(self) -> int:
        """Unix seconds."""
        return unix(self._clock)

    def trust(self) -> Trust:
        """The trust in the home folder; raises UserError (exit code 4)."""
        return self.library.trust()

    def agreements(self) -> Mapping[bytes, Agreement]:
        """Every version of the agreement that all have signed, by hash."""
        return {agreement.hash: agreement for agreement in self.trust().agreements}

    def checkpoint(self) -> CosignedCheckpoint | None:
        """The checkpoint up to which the log was verified without a finding; None before the first."""
        kept = self.ledger.state("checkpoint")
        return None if kept is None else CosignedCheckpoint(kept.decode())

    @contextmanager
    def contact(self) -> Iterator[Contact]:
        """Sessions, the trust with what the broker has to offer and verifies, and the log as a witness finds it.

        A document that does not verify ends nothing here: it is kept, and named as a finding.
        """
        trust = self.trust()
        with self._linker(trust) as links:
            listed = links.broker.documents()
            self.ledger.keep_documents(listed)
            refused = ""
            try:
                trust = self.library.accept_all(listed)
            except DocumentRefused as error:
                refused = error.reason
            _ = trust.roster
            duty = WitnessDuty(self.auditor_id, self.signing_key, self._checkpoints, self._clock)
            yield Contact(trust, links, duty.contact(trust, links.log, links.broker, links.holders), refused)

    def verify(self, contact: Contact, advance: Advance) -> Verified:
        """Copy and verify the log up to the contact's checkpoint, then hold together what the leaves say."""
        verified = verify_log(self.ledger, contact.links.log, contact.checkpoint, advance)
        found = [*verified.findings, *self._check(contact.trust, contact.refused), *self._ask(contact)]
        return Verified(verified.size, verified.added, tuple(found))

    def verify_copy(self, advance: Advance) -> list[Finding]:
        """Hash every leaf of the copy again."""
        return verify_copy(self.ledger, advance)

    def replay(self, advance: Advance, *, again: bool = False) -> list[Finding]:
        """Replay the logged decisions that were not replayed yet."""
        return replay_decisions(self.ledger, self.agreements(), advance, again=again)

    def _check(self, trust: Trust, refused: str) -> list[Finding]:
        """What follows from the leaves and the documents alone."""
        ledger, now = self.ledger, self.now
        documents = list(check_documents(ledger, self.library.pinned_hash, ledger.documents()))
        if refused and not documents:
            documents.append(Finding(DOCUMENTS, f"A document that the broker shows is refused: {refused}"))
        times = [*check_sequences(ledger), *check_expiries(balances(ledger, trust, now), trust, now)]
        counts = list(check_counts(ledger, trust))
        for subject, findings in ((DOCUMENTS, documents), (TIMES, times), (COUNTS, counts)):
            ledger.set_findings(subject, findings)
        return [*documents, *times, *counts]

    def _ask(self, contact: Contact) -> list[Finding]:
        """What broker and key holders answer beside the log."""
        return ask_services(self.ledger, contact.links, contact.trust, self.agreements(), self.now)

    def _sessions(self, trust: Trust) -> AbstractContextManager[Links]:
        return open_links(trust, self.auditor_id, self.signing_key, self.settings, self._clock)


def cosigners(trust: Trust, cosigned: CosignedCheckpoint) -> tuple[str, ...]:
    """The party ids of the witnesses that cosigned a checkpoint."""
    log = LogKeys.of(trust)
    return tuple(
        key.name.removeprefix(f"{log.origin}/") for key in log.witnesses if cosigned.cosigned_at(key) is not None
    )


def open_auditor(home: Path, passphrase: str) -> Auditor:
    """The auditor in a home folder, its key file opened with the passphrase (about a second of CPU)."""
    return Auditor(home, read_key_file(home / KEY_FILE, passphrase))
