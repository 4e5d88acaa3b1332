"""Serves the desk on the loopback address until interrupted. The address that it prints is the key to it."""

from __future__ import annotations

import socket

from werkzeug.serving import WSGIRequestHandler, make_server

from clients.charity.desk.access import Access
from clients.charity.desk.app import create_app
from clients.charity.office import Office
from crypto import second_hpke
from runtime.console import emit, say
from runtime.exits import ExitCode, UserError

LOOPBACK = "127.0.0.1"


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Log nothing: addresses hold the token, and alert ids say what is being looked at."""


def run_desk(office: Office, port: int) -> None:
    """Serve `office` on a port of the loopback address (0: a free one), print the address, go on until interrupted."""
    if second_hpke.available():
        second_hpke.self_check()
    try:
        listener = socket.create_server((LOOPBACK, port))
    except OSError:
        raise UserError(f"Port {port} of this machine is taken: give another with --port.", ExitCode.USAGE) from None
    with listener:
        bound = listener.getsockname()[1]
        access = Access.on_port(bound)
        app = create_app(office, access)
        server = make_server(LOOPBACK, bound, app, threaded=True, request_handler=_QuietHandler, fd=listener.fileno())
        address = f"http://{LOOPBACK}:{bound}/enter?token={access.token}"
        emit({"address": address}, f"The desk is open at {address}\nInterrupt (Ctrl-C) to close it.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("The desk is closed.")
        finally:
            server.server_close()
