"""Serves the console on the loopback address until interrupted."""

from __future__ import annotations

from functools import partial

from clients.auditor.auditor import Auditor
from clients.auditor.console.app import COOKIE, create_app
from clients.local_page.server import serve_page


def run_console(auditor: Auditor, port: int) -> None:
    """Serve `auditor` on a port of the loopback address (0: a free one), print the address, until interrupted."""
    serve_page(partial(create_app, auditor), port, name="console", cookie=COOKIE)
