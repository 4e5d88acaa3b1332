"""Serving an application with gunicorn, embedded: workers that share one loaded application, each with threads.

No gunicorn configuration file, no control socket, no header that a proxy may set. Knows nothing of what it serves.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from crypto import second_hpke
from runtime.metrics import forget_process, shared_between_processes

_SECONDS_FOR_A_REQUEST = 120
_SECONDS_TO_FINISH = 30
_SECONDS_KEPT_OPEN = 60


class _LogToOurs(Logger):  # type: ignore[misc]
    """gunicorn's own lines go to the process's JSON log; its access log is replaced by the application's."""

    def setup(self, cfg: Any) -> None:
        """Install no handler: records rise to the root logger's."""
        self.error_log = logging.getLogger("gunicorn.error")
        self.access_log = logging.getLogger("gunicorn.access")
        self.access_log.disabled = True

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Write nothing: paths and query strings stay out of the log."""


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, app: Flask, settings: dict[str, Any]) -> None:
        self._app = app
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Take the settings given, and nothing from files or the environment."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Return the application, loaded once before the workers are forked."""
        return self._app


def serve(
    app_factory: Callable[[], Flask],
    bind: str,
    workers: int,
    threads: int,
    *,
    certfile: Path | None = None,
    keyfile: Path | None = None,
    when_ready: Callable[[], None] | None = None,
    on_exit: Callable[[], None] | None = None,
    in_worker: Callable[[], None] | None = None,
) -> None:
    """Serve until the process is told to stop (SIGTERM, SIGINT); requests being answered get 30 s to finish.

    `app_factory` runs once, in this process, before the workers are forked: it must start no thread that a worker
    needs. `bind` is HOST:PORT. With `certfile` and `keyfile` (PEM) the server itself speaks TLS; without them it
    belongs behind a proxy that does. `when_ready` and `on_exit` run in this process, `in_worker` in each worker before
    it answers: there a thread may be started.

    Before anything is served, the two HPKE implementations must open what the other seals, where the second one is
    installed; raises InvalidSealed.
    """
    if second_hpke.available():
        second_hpke.self_check()
    settings: dict[str, Any] = {
        "bind": [bind],
        "workers": workers,
        "worker_class": "gthread",
        "threads": threads,
        "timeout": _SECONDS_FOR_A_REQUEST,
        "graceful_timeout": _SECONDS_TO_FINISH,
        "keepalive": _SECONDS_KEPT_OPEN,
        "preload_app": True,
        "control_socket_disable": True,
        "logger_class": _LogToOurs,
        # No header decides who asks, how, or under which path: that is settled by the settings and the signature.
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "secure_scheme_headers": {},
        "limit_request_fields": 64,
        "limit_request_field_size": 8190,
        "child_exit": lambda server, worker: forget_process(worker.pid),
        "when_ready": lambda server: when_ready() if when_ready else None,
        "on_exit": lambda server: on_exit() if on_exit else None,
        "post_worker_init": lambda worker: in_worker() if in_worker else None,
    }
    if certfile is not None and keyfile is not None:
        settings |= {"certfile": str(certfile), "keyfile": str(keyfile)}
    with _own_folder() as shared, shared_between_processes(shared):
        _Server(app_factory(), settings).run()


@contextmanager
def _own_folder() -> Iterator[Path]:
    """A temporary folder that goes when this process ends: a forked worker that leaves this way does not take it."""
    owner, folder = os.getpid(), Path(tempfile.mkdtemp(prefix="crosslight-metrics-"))
    try:
        yield folder
    finally:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)
