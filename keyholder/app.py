"""The key holder's Flask application: its own database, its own key, nothing shared with another party.

Built once in the server's parent process; the worker processes are forked from it, so that the key file is opened once.
"""

from __future__ import annotations

import os

from flask import Flask

from crypto.keyfiles import KeyRing, read_key_file
from keyholder.api.counts import counts_resource
from keyholder.api.documents import documents_resource
from keyholder.api.evaluation import evaluation_resource
from keyholder.api.keygen import keygen_resource
from keyholder.api.opening import opening_resource
from keyholder.api.withdrawals import withdrawals_resource
from keyholder.holder import Holder
from keyholder.settings import HolderSettings
from keyholder.store.schema import request_nonce
from policies.library import FOLDER, DocumentLibrary
from policies.trust import Trust
from runtime.clock import Clock, SystemClock
from runtime.console import PASSPHRASE_VARIABLE
from runtime.database import open_engine
from runtime.exits import ExitCode, UserError
from runtime.migrations import is_current, migrate
from wire.service import create_service

STORE = "keyholder.store"


def create_app(settings: HolderSettings, *, clock: Clock | None = None, key_ring: KeyRing | None = None) -> Flask:
    """The service of one key holder. Migrates its database, and takes in the documents in its home folder.

    `key_ring`: the holder's secrets; without them the key file is opened with the passphrase in CROSSLIGHT_PASSPHRASE.
    Raises UserError where settings, documents or keys do not fit together.
    """
    if key_ring is None:
        key_ring = read_key_file(settings.key_file, _passphrase())
    holder = open_holder(settings, key_ring, clock or SystemClock())
    take_in_documents(holder, settings)
    enrolled = holder.state().standing.enrolment.holders[settings.index - 1]
    app = create_service(
        "holder",
        signing_key=holder.signing_key,
        party_id=holder.party_id,
        resolve=holder.caller,
        base_url=settings.base_url or enrolled.address,
        clock=holder.clock,
        engine=holder.engine,
        nonce_table=request_nonce,
        resources=[
            evaluation_resource(holder),
            opening_resource(holder),
            withdrawals_resource(holder),
            counts_resource(holder),
            documents_resource(holder),
            keygen_resource(holder),
        ],
        checks={
            "database": lambda: None if is_current(holder.engine, STORE) else "Run `crosslight holder migrate`.",
            "epoch": lambda: why_not_ready(holder),
        },
        metrics_from=settings.metrics_from,
    )
    app.extensions["crosslight-holder"] = holder
    return app


def open_holder(settings: HolderSettings, key_ring: KeyRing, clock: Clock) -> Holder:
    """The holder of these settings, its database brought to the newest schema."""
    pinned = pinned_enrolment(settings)
    engine = open_engine(settings.database, pool_size=settings.threads + 2)
    migrate(engine, STORE)
    return Holder(settings.index, key_ring, pinned, engine, clock)


def pinned_enrolment(settings: HolderSettings) -> Trust:
    """The enrolment that is pinned in the home folder; raises DocumentRefused."""
    library = DocumentLibrary(settings.home / FOLDER, settings.expected_hash)
    pinned_hash = library.pinned_hash
    enrolment = next((signed for signed in library.documents() if signed.hash == pinned_hash), None)
    if enrolment is None:
        raise UserError(
            f"The pinned enrolment is not in {settings.home / FOLDER}: run `crosslight enrolment pin` again.",
            ExitCode.DOCUMENTS_REFUSED,
        )
    return Trust.pin(enrolment, pinned_hash)


def take_in_documents(holder: Holder, settings: HolderSettings) -> None:
    """Accept what lies in the home folder's documents/ and is not in the database yet. Raises DocumentRefused."""
    library = DocumentLibrary(settings.home / FOLDER, settings.expected_hash)
    for signed in holder.state().standing.what_follows(library.documents()):
        holder.accept(signed)


def why_not_ready(holder: Holder) -> str | None:
    """Why the holder cannot serve its newest epoch, in a sentence; None where it can."""
    state = holder.state()
    if not state.standing.epochs:
        return "There is no epoch yet."
    newest = state.standing.epochs[0]
    if not newest.is_ready:
        return f"There is no roster of epoch {newest.epoch.number} yet."
    return state.shares[newest.epoch_id].fault


def _passphrase() -> str:
    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    if not passphrase:
        raise UserError(f"No passphrase for the key file: set {PASSPHRASE_VARIABLE}.", ExitCode.KEYS)
    return passphrase
