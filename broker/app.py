"""The broker's application: its parts put together, its resources registered. Starts nothing and reads no file.

Knows settings and keys as it is given them; commands.py reads them from the home folder.
"""

from __future__ import annotations

from flask import Flask
from sqlalchemy import Engine

from broker.api import alerts, audit, documents, log, status, submissions, withdrawals
from broker.context import EXTENSION, BrokerContext
from broker.directory import Directory
from broker.log.sequencer import Sequencer, make_signer
from broker.rulings import keep_decision, make_authorise
from broker.settings import BrokerSettings, check_separation
from broker.store.schema import nonce
from crypto.signatures import SigningKey
from policies.errors import DocumentRefused
from policies.parties import BROKER
from runtime.clock import Clock, SystemClock
from runtime.database import open_engine
from runtime.migrations import is_current
from wire.access import Caller
from wire.service import create_service

MIGRATIONS = "broker.store"
RESOURCES = (
    submissions.resource,
    withdrawals.resource,
    documents.resource,
    status.resource,
    alerts.resource,
    log.resource,
    audit.resource,
)


def create_app(
    settings: BrokerSettings,
    *,
    signing_key: SigningKey,
    pinned_hash: bytes,
    clock: Clock | None = None,
    engine: Engine | None = None,
    insecure_single_operator: bool = False,
) -> Flask:
    """The application of a broker whose database is migrated and holds the pinned agreement.

    Raises UserError where the settings name a key holder's key file, DocumentRefused where the database does not hold
    the agreement whose 32-byte hash is pinned, or the signing key is not the one that it names.
    """
    check_separation(settings, insecure_single_operator=insecure_single_operator)
    clock = clock or SystemClock()
    engine = engine or open_engine(settings.database)
    directory = Directory(engine, pinned_hash)
    trust = directory.trust()
    if trust.broker_key != signing_key.public_key:
        raise DocumentRefused("The broker's key file does not hold the signing key that the agreement names.")

    def resolve(party_id: str, key_id_hex: str) -> Caller | None:
        found = directory.trust().caller(party_id, key_id_hex)
        return None if found is None else Caller(party_id, found[1], found[0])

    app = create_service(
        "broker",
        signing_key=signing_key,
        party_id=BROKER,
        resolve=resolve,
        base_url=settings.base_url or trust.agreement.broker.address,
        clock=clock,
        engine=engine,
        nonce_table=nonce,
        resources=RESOURCES,
        checks={
            "schema": lambda: (
                None if is_current(engine, MIGRATIONS) else "the database needs `crosslight broker migrate`"
            ),
            "epoch": lambda: None if directory.trust().is_ready else "there is no signed epoch with a roster yet",
        },
        metrics_from=settings.metrics_from,
        authorise=make_authorise(directory.trust, clock),
        on_effect=keep_decision,
    )
    sequencer = Sequencer(engine, clock, make_signer(trust, signing_key))
    app.extensions[EXTENSION] = BrokerContext(engine, clock, directory, signing_key, sequencer)
    return app
