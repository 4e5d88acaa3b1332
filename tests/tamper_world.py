"""One agreement with a past, frozen: broker, holders, institutions, charity and auditor after days of honest work.

`TamperWorld.restored()` brings the broker's database and every home back to that moment, so that a tampering can be
done to it and looked for by those who come next. All in this process, under one clock.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from broker.log.counts import HolderCounts
from broker.log.witnesses import Witnesses
from clients.auditor.auditor import Auditor
from clients.auditor.links import Links, open_links
from clients.auditor.settings import AuditorSettings
from clients.charity.office import Office
from crypto.keyfiles import KeyRing
from policies.documents import write_json_file
from policies.library import DocumentLibrary
from policies.party_keys import CARD_FILE
from policies.trust import Trust
from tests.agreement_world import make_world
from tests.institutions import Agreement, Institution
from tests.offices import office_of
from tests.sync_parts import people, table

ROWS = 6
OVERLAP = 4
_ANEW = "regulator-anew"
BANKS = ("bank-a", "bank-b", "police-c")


@dataclass
class TamperWorld:
    """Everybody after their honest days. `database` is the broker's file, `frozen` the copy of all that may change."""

    agreement: Agreement
    banks: dict[str, Institution]
    rows: dict[str, dict[str, dict[str, str]]]
    database: Path
    folder: Path
    frozen: Path

    @classmethod
    def build(cls, folder: Path) -> TamperWorld:
        """Play the honest days, and freeze them."""
        live = folder / "live"
        live.mkdir()
        database = live / "broker.sqlite"
        agreement = Agreement.build(f"sqlite:///{database}", live, make_world(witness_quorum=2))
        agreement.holders.follow(agreement.broker.app)
        rows = {bank: people(ROWS, first=number * (ROWS - OVERLAP)) for number, bank in enumerate(BANKS)}
        banks = {bank: agreement.institution(bank) for bank in BANKS}
        world = cls(agreement, banks, rows, database, live, folder / "frozen")
        world._honest_days()
        shutil.copytree(live, world.frozen, ignore=shutil.ignore_patterns("holders", "broker.sqlite*"))
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(world._copy)) as copy:
            source.backup(copy)
        return world

    def restore(self) -> None:
        """Bring the broker's database and the clients' homes back to the frozen moment."""
        self.agreement.broker.engine.dispose()
        with closing(sqlite3.connect(self._copy)) as copy, closing(sqlite3.connect(self.database)) as live:
            copy.backup(live)
        for home in self.frozen.iterdir():
            if home.is_dir():
                shutil.rmtree(self.folder / home.name)
                shutil.copytree(home, self.folder / home.name)
        shutil.rmtree(self.folder / _ANEW, ignore_errors=True)

    @contextmanager
    def office(self) -> Iterator[Office]:
        """The charity at work."""
        office = office_of(self.agreement)
        try:
            yield office
        finally:
            office.close()

    def auditor(self, home: str = "regulator") -> Auditor:
        """The auditor at work; in a home of another name it begins anew, with no copy of the log."""
        agreement, world = self.agreement, self.agreement.world
        party, path = world.parties["regulator"], self.folder / home
        if not path.exists():
            path.mkdir()
            write_json_file(path / CARD_FILE, party.card.to_document())
            library = DocumentLibrary.of_home(path)
            library.pin(world.agreement, world.agreement.hash)
            library.accept_all([world.epoch, world.roster])
        settings = AuditorSettings(ledger=path / "auditor.sqlite", timeout=30.0)
        clock, key = agreement.broker.clock, party.signing_key

        def linker(trust: Trust) -> AbstractContextManager[Links]:
            return open_links(trust, "regulator", key, settings, clock, transport=self._way)

        return Auditor(path, KeyRing(party.secrets), settings=settings, clock=clock, linker=linker)

    def audit(self, home: str = "regulator") -> list[str]:
        """What an audit of everything finds."""
        auditor = self.auditor(home)
        with auditor.contact() as contact:
            verified = auditor.verify(contact, lambda _: None)
        found = [*verified.findings, *auditor.replay(lambda _: None), *auditor.verify_copy(lambda _: None)]
        return [finding.sentence for finding in found]

    def sync(self, bank: str) -> None:
        """One bank's night in which nothing changed: it contacts everybody and proves its receipts."""
        self.banks[bank].sync(table(self.rows[bank]))

    def push(self) -> None:
        """Order the log and have the key holders cosign its newest checkpoint."""
        self.agreement.broker.keeper.finish()
        self._witnesses.push()

    @property
    def _copy(self) -> Path:
        return self.frozen / "broker.sqlite.frozen"

    def _way(self, party_id: str) -> httpx.BaseTransport:
        return self.agreement.gates[party_id]

    def _honest_days(self) -> None:
        agreement, broker = self.agreement, self.agreement.broker
        self._witnesses = Witnesses(broker.engine, lambda: broker.trust, broker.clock, transport=self._way)
        for bank in BANKS:
            self.sync(bank)
        del self.rows["bank-a"]["customer-0"]
        self.sync("bank-a")
        broker.work()
        self._next_days(1)
        self.push()
        with self.office() as office:
            office.open_alerts([item.entry.alert_id for item in office.refresh_queue()])
        broker_key = agreement.world.parties["broker"].signing_key
        counts = HolderCounts(broker.engine, lambda: broker.trust, broker.clock, broker_key, transport=self._way)
        self._next_days(0.2)
        counts.fetch()
        self.push()
        for bank in BANKS:
            self.sync(bank)
        with self.office() as office:
            office.refresh_queue()
        self.push()
        assert self.audit() == []

    def _next_days(self, days: float) -> None:
        """Let time pass, hour by hour, as the keeper of the log sees it."""
        for _ in range(round(days * 24)):
            self.agreement.broker.clock.advance(seconds=3600)
            self.agreement.broker.work()
            self.push()


def everybody(world: TamperWorld) -> dict[str, Callable[[], list[str]]]:
    """Each client's next contact, by the name of whoever makes it; gives what it complains of, or raises UserError."""

    def contact_of(bank: str) -> Callable[[], list[str]]:
        def contact() -> list[str]:
            world.sync(bank)
            return []

        return contact

    def charity() -> list[str]:
        with world.office() as office:
            cases = office.open_alerts([item.entry.alert_id for item in office.refresh_queue()])
            shut = [reason for case in cases for record in case.records for reason in record.reasons]
            return [*(trouble.sentence for case in cases for trouble in case.troubles), *shut]

    return {
        "the auditor": world.audit,
        "an auditor who begins anew": lambda: world.audit(_ANEW),
        **{bank: contact_of(bank) for bank in BANKS},
        "charity": charity,
    }
