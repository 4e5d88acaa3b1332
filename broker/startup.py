"""Brings a broker up from its home folder: settings, key file, database, the documents that were accepted there.

What the commands share. Reads files; answers no request.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import structlog
from flask import Flask
from sqlalchemy import Engine

from broker.app import MIGRATIONS, create_app
from broker.directory import Directory
from broker.settings import BrokerSettings
from broker.worker import Worker
from crypto.keyfiles import read_key_file
from crypto.signatures import SigningKey
from policies.documents import SignedDocument
from policies.errors import DocumentRefused
from policies.library import FOLDER, DocumentLibrary
from runtime.clock import SystemClock, unix
from runtime.console import PASSPHRASE_VARIABLE
from runtime.database import open_engine, run_in_transaction
from runtime.exits import ExitCode, UserError
from runtime.logs import configure_logging
from runtime.migrations import migrate

SIGNING = "signing"
_ORDER = {"enrolment": 0, "epoch": 1, "roster": 2}


def open_library(settings: BrokerSettings) -> DocumentLibrary:
    """The documents in the broker's home, under the pin that the settings or `enrolment pin` give."""
    return DocumentLibrary(settings.home / FOLDER, settings.expected_hash)


def prepare_database(settings: BrokerSettings) -> tuple[Engine, bytes]:
    """The migrated database, holding all documents of the home folder, and the pinned hash; raises UserError."""
    library = open_library(settings)
    pinned_hash = library.pinned_hash
    engine = open_engine(settings.database, pool_size=max(8, settings.threads + 2))
    migrate(engine, MIGRATIONS)
    directory = Directory(engine, pinned_hash)
    for signed in sorted(library.documents(), key=_place):
        take_in(engine, directory, signed)
    return engine, pinned_hash


def take_in(engine: Engine, directory: Directory, signed: SignedDocument) -> bool:
    """Verify and keep a document; False if it was kept already. Raises DocumentRefused."""
    now = unix(SystemClock())
    return run_in_transaction(engine, lambda connection: directory.accept(connection, signed, now))


def make_app(settings: BrokerSettings, passphrase: str, *, insecure_single_operator: bool) -> Flask:
    """The application, with the signing key out of the key file; raises UserError."""
    key_ring = read_key_file(settings.key_file, passphrase)
    if SIGNING not in key_ring:
        raise UserError(f"The key file {settings.key_file} holds no signing key.", ExitCode.KEYS)
    engine, pinned_hash = prepare_database(settings)
    return create_app(
        settings,
        signing_key=SigningKey(key_ring[SIGNING]),
        pinned_hash=pinned_hash,
        engine=engine,
        insecure_single_operator=insecure_single_operator,
    )


def run_worker(settings: BrokerSettings, *, once: bool = False, parent: int | None = None) -> None:
    """Match until told to stop (SIGTERM, SIGINT), or until the process `parent` is gone; `once`: until all is done."""
    configure_logging("broker-worker")
    engine, pinned_hash = prepare_database(settings)
    worker = Worker(engine, Directory(engine, pinned_hash).trust, SystemClock())
    if once:
        worker.finish()
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if parent is not None:
        threading.Thread(target=_stop_without_parent, args=(stop, parent), daemon=True).start()
    structlog.get_logger().info("worker started")
    worker.run(stop, settings.idle_seconds)


class WorkerProcess:
    """The matching worker as a child of the serving process, which it outlives by at most a second."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it. It needs no key, so the passphrase is not among what it inherits."""
        command = [sys.executable, "-m", "broker", "worker", "--home", str(self._home.absolute())]
        environment = {name: value for name, value in os.environ.items() if name != PASSPHRASE_VARIABLE}
        # Our own interpreter and module; the home is a path that the operator gave.
        self._process = subprocess.Popen([*command, "--parent", str(os.getpid())], env=environment)  # noqa: S603

    def terminate(self) -> None:
        """Tell it to stop after the step that it is at."""
        if self._process is not None:
            self._process.terminate()


def _stop_without_parent(stop: threading.Event, parent: int) -> None:
    while not stop.wait(1.0):
        if os.getppid() != parent:
            stop.set()


def _place(signed: SignedDocument) -> tuple[int, int]:
    """Documents in the order in which they build on one another; raises DocumentRefused for what is none of them."""
    if signed.type not in _ORDER:
        raise DocumentRefused(f"A broker keeps no {signed.type} document.")
    number = signed.document.get("version" if signed.type == "roster" else "number", 0)
    return _ORDER[signed.type], number if isinstance(number, int) else 0


def home_of(path: Path) -> Path:
    """The home folder; raises UserError where there is none."""
    if not path.is_dir():
        raise UserError(f"The home folder {path} does not exist.", ExitCode.DOCUMENTS_REFUSED)
    return path
