"""A served desk over a charity in memory, for tests in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from clients.charity.desk.app import COOKIE, create_app
from clients.charity.office import Office
from clients.local_page.access import Access
from policies.agreement.document import Agreement
from policies.agreement.model import Purpose
from tests.agreement_world import MEMBERS, example_terms, make_world
from tests.charity_world import CharityWorld, make_charity

ANNA = {
    "phone": "+4915112345678",
    "person.name-birthdate": "anna example|1990-02-28",
    "passport": "DE|C01X00T47",
    "address.postal": "12 harbour lane|20457|de",
}


def example_charity(home: Path, amend: Callable[[Agreement], Agreement] = lambda agreement: agreement) -> CharityWorld:
    """A charity with four alerts: one of three institutions, a plain one, one below the threshold, one with a liar."""
    terms = example_terms(
        opening_rule={"t": 2, "least_weight": 10, "alone": ["passport", "bank-account", "national-id"]}
    )
    world = make_world(terms, members=(*MEMBERS, ("bank-e", "bank", "group-e")), amend=amend)
    three = [
        world.submit("bank-a", [ANNA]),
        world.submit("bank-b", [{**ANNA, "email": "a.example@example.org", "bank-account": "DE89370400440532013000"}]),
        world.submit("police-c", [{"passport": ANNA["passport"], "phone": "+31612345678", "vehicle-plate": "NL|AB1"}]),
        world.submit("bank-e", [{"phone": ANNA["phone"], "web-handle": "any|anna.ex"}]),
    ]
    plain = [
        world.submit("bank-a", [{"bank-account": "GB29NWBK60161331926819", "email": "boss@example.net"}], seq=2),
        world.submit("bank-e", [{"bank-account": "GB29NWBK60161331926819", "phone": "+447700900123"}], seq=2),
    ]
    below = [
        world.submit("bank-b", [{"phone": "+4915199999999"}], seq=2),
        world.submit("police-c", [{"phone": "+4915199999999"}], seq=2),
    ]
    return make_charity(world, home, {"k3jd81hs": three, "p0zm42xa": plain, "w9bb37qe": below})


def with_two_purposes(agreement: Agreement) -> Agreement:
    """The agreement with a second purpose, which its recipients are given too."""
    purposes = (*agreement.purposes, Purpose("safeguarding", "To keep victims out of further harm."))
    recipients = tuple(
        replace(one, purposes=tuple(purpose.code for purpose in purposes)) for one in agreement.parties.recipients
    )
    return replace(agreement, purposes=purposes, parties=replace(agreement.parties, recipients=recipients))


@contextmanager
def served(office: Office) -> Iterator[str]:
    """Serve the desk on a free port; gives the address that lets a browser in."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True, request_handler=_QuietHandler)
    access = Access.on_port(server.server_port, COOKIE)
    server.app = create_app(office, access)
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
