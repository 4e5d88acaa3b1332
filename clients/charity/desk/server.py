"""Serves the desk on the loopback address until interrupted, after checking the second HPKE where there is one."""

from __future__ import annotations

from functools import partial

from clients.charity.desk.app import COOKIE, create_app
from clients.charity.office import Office
from clients.local_page.server import serve_page
from crypto import second_hpke


def run_desk(office: Office, port: int) -> None:
    """Serve `office` on a port of the loopback address (0: a free one), print the address, go on until interrupted."""
    if second_hpke.available():
        second_hpke.self_check()
    serve_page(partial(create_app, office), port, name="desk", cookie=COOKIE)
