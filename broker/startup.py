"""Brings a broker up from its home folder: settings, key file, database, the documents that were accepted there.

What the commands share. Reads files; answers no request.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import structlog
from flask import Flask
from sqlalchemy import Engine

from broker.app import MIGRATIONS, create_app
from broker.directory import Directory
from broker.log.service import LogService
from broker.settings import BrokerSettings
from broker.worker import Worker
from crypto.keyfiles import read_key_file
from crypto.signatures import SigningKey
from policies.documents import SignedDocument
from policies.establish import in_order
from policies.library import FOLDER, DocumentLibrary
from runtime.clock import SystemClock, unix
from runtime.database import open_engine, run_in_transaction
from runtime.exits import ExitCode, UserError
from runtime.logs import configure_logging
from runtime.migrations import migrate

SIGNING = "signing"


def open_library(settings: BrokerSettings) -> DocumentLibrary:
    """The documents in the broker's home, under the pin that the settings or `agreement pin` give."""
    return DocumentLibrary(settings.home / FOLDER, settings.expected_hash)


def prepare_database(settings: BrokerSettings) -> tuple[Engine, bytes]:
    """The migrated database, holding all documents of the home folder, and the pinned hash; raises UserError."""
    library = open_library(settings)
    pinned_hash = library.pinned_hash
    engine = open_engine(settings.database, pool_size=max(8, settings.threads + 2))
    migrate(engine, MIGRATIONS)
    directory = Directory(engine, pinned_hash)
    for signed in in_order(library.documents()):
        take_in(engine, directory, signed)
    return engine, pinned_hash


def take_in(engine: Engine, directory: Directory, signed: SignedDocument) -> bool:
    """Verify and keep a document; False if it was kept already. Raises DocumentRefused."""
    now = unix(SystemClock())
    return run_in_transaction(engine, lambda connection: directory.accept(connection, signed, now))


def read_signing_key(settings: BrokerSettings, passphrase: str) -> SigningKey:
    """The broker's signing key out of its key file; raises UserError."""
    key_ring = read_key_file(settings.key_file, passphrase)
    if SIGNING not in key_ring:
        raise UserError(f"The key file {settings.key_file} holds no signing key.", ExitCode.KEYS)
    return SigningKey(key_ring[SIGNING])


def make_app(settings: BrokerSettings, passphrase: str, *, insecure_single_operator: bool) -> Flask:
    """The application, with the signing key out of the key file; raises UserError."""
    signing_key = read_signing_key(settings, passphrase)
    engine, pinned_hash = prepare_database(settings)
    return create_app(
        settings,
        signing_key=signing_key,
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
    stop = _until_told(parent)
    structlog.get_logger().info("worker started")
    worker.run(stop, settings.idle_seconds)


def run_log(settings: BrokerSettings, passphrase: str, *, once: bool = False, parent: int | None = None) -> None:
    """Keep the log until told to stop, or until the process `parent` is gone; `once`: until all is done. UserError."""
    configure_logging("broker-log")
    signing_key = read_signing_key(settings, passphrase)
    engine, pinned_hash = prepare_database(settings)
    trust = Directory(engine, pinned_hash).trust
    service = LogService(engine, trust, SystemClock(), signing_key, ca_file=settings.ca_file)
    if once:
        service.run_once()
        return
    stop = _until_told(parent)
    structlog.get_logger().info("log keeper started")
    service.run(stop)


def _until_told(parent: int | None) -> threading.Event:
    """An event that is set by SIGTERM and SIGINT, and when the process `parent` is gone."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if parent is not None:
        threading.Thread(target=_stop_without_parent, args=(stop, parent), daemon=True).start()
    return stop


def _stop_without_parent(stop: threading.Event, parent: int) -> None:
    while not stop.wait(1.0):
        if os.getppid() != parent:
            stop.set()


def home_of(path: Path) -> Path:
    """The home folder; raises UserError where there is none."""
    if not path.is_dir():
        raise UserError(f"The home folder {path} does not exist.", ExitCode.DOCUMENTS_REFUSED)
    return path
