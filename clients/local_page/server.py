"""Serves a local page on the loopback address until interrupted. The address that it prints is the key to it."""

from __future__ import annotations

import socket
from collections.abc import Callable

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from clients.local_page.access import Access
from runtime.console import emit, say
from runtime.exits import ExitCode, UserError

LOOPBACK = "127.0.0.1"


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Log nothing: addresses hold the token, and say what is being looked at."""


def serve_page(create_app: Callable[[Access], Flask], port: int, *, name: str, cookie: str) -> None:
    """Serve a page on a port of the loopback address (0: a free one), print the address, go on until interrupted.

    `name` is what people call the page.
    """
    try:
        listener = socket.create_server((LOOPBACK, port))
    except OSError:
        raise UserError(f"Port {port} of this machine is taken: give another with --port.", ExitCode.USAGE) from None
    with listener:
        bound = listener.getsockname()[1]
        access = Access.on_port(bound, cookie)
        app = create_app(access)
        server = make_server(LOOPBACK, bound, app, threaded=True, request_handler=_QuietHandler, fd=listener.fileno())
        address = f"http://{LOOPBACK}:{bound}/enter?token={access.token}"
        emit({"address": address}, f"The {name} is open at {address}\nInterrupt (Ctrl-C) to close it.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say(f"The {name} is closed.")
        finally:
            server.server_close()
