"""An institution's client with a real home, reaching the real broker and key holders in this process.

Its rows come without a mapping (tests.sync_parts); everything from there on is what a command would run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from broker.context import EXTENSION, BrokerContext
from clients.institution.contact import InstitutionHome, contact, open_home
from clients.institution.links import Network
from clients.institution.night import Options, Report, Source
from clients.institution.nightly import run_night
from clients.institution.rotation import NEXT, begin
from clients.institution.settings import read_settings
from clients.institution.state import State
from clients.institution.tools import parts
from crypto.keyfiles import KeyRing, write_key_file
from crypto.signatures import is_valid
from policies.documents import SignedDocument, write_json_file
from policies.home import PartyHome
from policies.parties import BROKER
from policies.party_keys import CARD_FILE
from runtime.clock import Clock, unix
from runtime.database import read_transaction, run_in_transaction
from runtime.progress import silent_progress
from tests.agreement_world import World, make_world
from tests.brokers import BrokerWorld, build_broker
from tests.holders import Holders, serve_in_process
from tests.sync_parts import Row, prepare

PASSPHRASE = "a passphrase of tests"


class Gate(httpx.BaseTransport):
    """A way to one service that can be closed, or made to fail at a request of one's choice."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner = inner
        self.is_closed = False
        self.before: Callable[[httpx.Request], None] = lambda _: None
        self.after: Callable[[httpx.Request], None] = lambda _: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on unless the way is closed."""
        if self.is_closed:
            raise httpx.ConnectError("closed by the test", request=request)
        self.before(request)
        response = self.inner.handle_request(request)
        self.after(request)
        return response


@dataclass
class Agreement:
    """Broker, key holders and institutions of one agreement, all in this process under one clock."""

    world: World
    broker: BrokerWorld
    holders: Holders
    folder: Path
    gates: dict[str, Gate] = field(default_factory=dict)

    @classmethod
    def build(cls, database_url: str, folder: Path, world: World | None = None) -> Agreement:
        """Start everything."""
        world = world or make_world()
        broker = build_broker(database_url, agreement=world)
        holders = serve_in_process(world, folder / "holders", clock=broker.clock)
        gates = {BROKER: Gate(httpx.WSGITransport(app=broker.app))}
        for index, app in holders.apps.items():
            gates[f"holder{index}"] = Gate(httpx.WSGITransport(app=app))
        return cls(world, broker, holders, folder, gates)

    @property
    def network(self) -> Network:
        """The way to the services."""
        return Network(transport=self.gates.__getitem__)

    def institution(self, institution_id: str) -> Institution:
        """An institution with a home that has pinned the agreement."""
        return Institution.build(self, institution_id)

    def accept(self, signed: SignedDocument) -> None:
        """Bring a new document to the broker and the holders."""
        context: BrokerContext = self.broker.app.extensions[EXTENSION]
        directory = context.directory
        now = unix(self.broker.clock)
        run_in_transaction(self.broker.engine, lambda connection: directory.accept(connection, signed, now))
        for name in self.holders.apps:
            self.holders.holder(name).documents.accept(signed, now)

    def signatures_of(self, institution_id: str) -> set[bytes]:
        """The keys under which the signatures of an institution's submissions at the broker hold."""
        with read_transaction(self.broker.engine) as connection:
            rows = connection.execute(
                text(
                    "SELECT statement, signature FROM submission JOIN institution USING (institution) "
                    "WHERE institution.institution_id = :name"
                ),
                {"name": institution_id},
            ).all()
        keys = [
            member.signing_key
            for roster in self.broker.app.extensions[EXTENSION].directory.trust().rosters
            for member in roster.members
            if member.institution_id == institution_id
        ]
        return {key for key in keys for row in rows if is_valid(key, bytes(row[0]), bytes(row[1]))}


@dataclass
class Institution:
    """One institution's client."""

    agreement: Agreement
    home: InstitutionHome

    @classmethod
    def build(cls, agreement: Agreement, institution_id: str) -> Institution:
        """Make the home folder."""
        path = agreement.folder / institution_id
        path.mkdir()
        keys = agreement.world.parties[institution_id]
        write_json_file(path / CARD_FILE, keys.card.to_document())
        place = PartyHome(path)
        place.library.pin(agreement.world.agreement, agreement.world.agreement.hash)
        write_key_file(place.key_file, keys.secrets, PASSPHRASE)
        home = InstitutionHome(place, institution_id, path / "state", KeyRing(keys.secrets), PASSPHRASE)
        return cls(agreement, home)

    def reopen(self) -> InstitutionHome:
        """The home as its files are now."""
        self.home = open_home(self.home.place.path, read_settings(self.home.place.path, {}), PASSPHRASE)
        return self.home

    def rotate(self) -> bytes:
        """Begin a rotation, and return the new key's seed."""
        begin(self.home.place, self.home.ring, PASSPHRASE)
        return self.reopen().ring[NEXT]

    def sync(self, rows: Iterable[Row], *, clock: Clock | None = None, **options: Any) -> Report:
        """One night over these rows; by default under the services' clock."""
        listed = list(rows)
        clock = clock or self.agreement.broker.clock
        with (
            contact(self.home, clock, self.agreement.network) as found,
            State.open(self.home.state_folder, found.membership.epoch_id, self.home.institution_id) as state,
        ):
            source = Source(lambda: iter(listed), prepare, b"mapping")
            tools = parts(found, state, b"mapping", clock)
            return run_night(found, state, tools, source, Options(**options), silent_progress)
