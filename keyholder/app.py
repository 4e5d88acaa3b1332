"""The key holder's Flask application: its own database, its own key, nothing shared with another party.

Built once in the server's parent process; the worker processes are forked from it, so that the key file is opened once.
"""

from __future__ import annotations

import os

from flask import Flask

from crypto.keyfiles import KeyRing, read_key_file
from keyholder.accepted import AcceptedDocuments
from keyholder.api.counts import counts_resource
from keyholder.api.documents import documents_resource
from keyholder.api.evaluation import evaluation_resource
from keyholder.api.keygen import keygen_resource
from keyholder.api.opening import opening_resource
from keyholder.api.withdrawals import withdrawals_resource
from keyholder.api.witness import witness_resource
from keyholder.holder import Holder
from keyholder.log_following import LogFollower
from keyholder.log_link import LogLink, make_log_link
from keyholder.rulings import make_authorise
from keyholder.settings import HolderSettings
from keyholder.store.schema import request_nonce
from policies.errors import DocumentRefused
from policies.library import FOLDER, DocumentLibrary
from policies.trust import Trust
from runtime.clock import Clock, SystemClock, unix
from runtime.console import PASSPHRASE_VARIABLE
from runtime.database import open_engine
from runtime.exits import ExitCode, UserError
from runtime.migrations import is_current, migrate
from wire.service import create_service

STORE = "keyholder.store"
HOLDER = "crosslight-holder"
FOLLOWER = "crosslight-follower"


def create_app(
    settings: HolderSettings,
    *,
    clock: Clock | None = None,
    key_ring: KeyRing | None = None,
    log_link: LogLink | None = None,
) -> Flask:
    """The service of one key holder. Migrates its database, and takes in the documents in its home folder.

    `key_ring`: the holder's secrets; without them the key file is opened with the passphrase in CROSSLIGHT_PASSPHRASE.
    `log_link`: another way to the broker's log than the address in the agreement.
    Raises UserError where settings, documents or keys do not fit together.
    """
    if key_ring is None:
        key_ring = read_key_file(settings.key_file, _passphrase())
    clock = clock or SystemClock()
    holder = Holder(settings.index, key_ring, open_documents(settings, clock), clock)
    follower = make_follower(holder, settings, log_link)
    enrolled = holder.state().standing.agreement.holders[settings.index - 1]
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
            opening_resource(holder, follower),
            withdrawals_resource(holder),
            counts_resource(holder),
            documents_resource(holder),
            keygen_resource(holder),
            witness_resource(holder, settings.home),
        ],
        checks={
            "database": lambda: None if is_current(holder.engine, STORE) else "Run `crosslight holder migrate`.",
            "epoch": lambda: why_not_ready(holder),
        },
        metrics_from=settings.metrics_from,
        authorise=make_authorise(holder),
    )
    app.extensions[HOLDER] = holder
    app.extensions[FOLLOWER] = follower
    return app


def make_follower(holder: Holder, settings: HolderSettings, log_link: LogLink | None = None) -> LogFollower:
    """What follows the broker's log for a holder; by default at the broker's address in the agreement."""
    link = log_link or make_log_link(
        holder.state().standing.newest, holder.party_id, holder.signing_key, holder.clock, ca_file=settings.ca_file
    )
    return LogFollower(holder, link, settings.home)


def open_documents(settings: HolderSettings, clock: Clock) -> AcceptedDocuments:
    """The holder's database, brought to the newest schema, with the documents of its home folder taken in.

    Raises UserError for a database that cannot be opened and documents that do not hold.
    """
    library = DocumentLibrary(settings.home / FOLDER, settings.expected_hash)
    engine = open_engine(settings.database, pool_size=settings.threads + 2)
    migrate(engine, STORE)
    accepted = AcceptedDocuments(engine, pinned_agreement(library))
    for signed in accepted.standing().what_follows(library.documents()):
        accepted.accept(signed, unix(clock))
    return accepted


def pinned_agreement(library: DocumentLibrary) -> Trust:
    """The agreement that is pinned in a home folder, verified; raises DocumentRefused."""
    pinned_hash = library.pinned_hash
    pinned = next((signed for signed in library.documents() if signed.hash == pinned_hash), None)
    if pinned is None:
        raise DocumentRefused(f"The agreement {pinned_hash.hex()} is pinned, but not there: pin it again.")
    return Trust.pin(pinned, pinned_hash)


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
