"""One institution before one key holder, both in this process: what the benchmarks of the client share.

Signed messages, JSON, proofs, budgets and the holder's database are real; only the network between the two is missing.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from clients.institution.blinding import Blinder
from clients.institution.contact import Contact
from clients.institution.delivery import Delivery
from clients.institution.links import Caller, Links, Network, open_links
from clients.institution.membership import membership
from clients.institution.night import Parts
from clients.institution.seal import Content, content
from clients.institution.state import State
from clients.institution.submission import Maker
from clients.institution.tools import parts
from crypto.keyfiles import KeyRing
from policies.parties import holder_party_id
from runtime.clock import unix
from tests.agreement_world import World, example_terms, make_world
from tests.clocks import MovableClock
from tests.holders import serve_in_process
from tests.sync_parts import INSTITUTION, Identifier, InProcessBroker, PreparedRow

IDENTIFIERS_PER_RECORD = 3


@dataclass(frozen=True)
class Setting:
    """A world with one holder, and the institution's contact with it."""

    world: World
    contact: Contact
    clock: MovableClock
    folder: Path

    @property
    def ring(self) -> KeyRing:
        """The institution's secrets."""
        return self.contact.ring

    @contextmanager
    def state(self) -> Iterator[State]:
        """The institution's local state."""
        with State.open(self.folder / "state", self.world.trust.epoch_id, INSTITUTION) as state:
            yield state

    def parts(self, state: State, broker: InProcessBroker, fingerprint: bytes = b"benchmark") -> Parts:
        """The tools of a sync; the broker's part is that of the tests' stand-in, whose work is not measured here."""
        # One chunk at a time: client and holder share an interpreter here, which two parties do not.
        tools = parts(self.contact, state, fingerprint, self.clock, in_flight=1)
        delivery = Delivery(state, broker, self.world.trust.broker_key, tools.membership, self.clock)
        return Parts(**{**vars(tools), "delivery": delivery})

    def maker(self, tools: Parts) -> Maker:
        """What makes submissions."""
        blinder = Blinder(tools.quorum, tools.journal, tools.digests, tools.membership.epoch_id)
        return Maker(tools.membership, tools.author.signing_key, tools.quorum, blinder)


@contextmanager
def setting(folder: Path, identifiers: int) -> Iterator[Setting]:
    """One institution and one key holder, with budgets for so many identifiers."""
    terms = example_terms(t_h=1, records_per_day=2 * identifiers)
    world = make_world(terms, holders=1, declared=2 * identifiers)
    clock = MovableClock(world.trust.epoch.not_before + 2 * 86_400)
    holders = serve_in_process(world, folder / "holders", clock=clock)
    transports = {holder_party_id(index): httpx.WSGITransport(app=app) for index, app in holders.apps.items()}
    network = Network(transport=lambda party_id: transports.get(party_id))
    party = world.parties[INSTITUTION]
    with ExitStack() as stack:
        caller = Caller(INSTITUTION, party.signing_key, clock, network)
        links: Links = stack.enter_context(open_links(world.trust, caller))
        place = membership(world.trust, INSTITUTION, unix(clock))
        gc.freeze()  # as the command does
        yield Setting(world, Contact(world.trust, place, KeyRing(party.secrets), links), clock, folder)


def made_up_contents(count: int, first: int = 0) -> list[Content]:
    """So many records of three identifiers each, normalised already."""
    return [
        content(
            PreparedRow(
                (
                    Identifier("phone", f"+44790{number:07d}"),
                    Identifier("email", f"person{number}@customers.example"),
                    Identifier("person.name-birthdate", f"anna example{number}|1990-02-28"),
                ),
                {"record_id": str(number)},
            )
        )
        for number in range(first, first + count)
    ]


@contextmanager
def cpu(into: list[float]) -> Iterator[None]:
    """Append the CPU seconds of this process (all threads) that the block takes."""
    started = time.process_time()
    yield
    into.append(time.process_time() - started)
