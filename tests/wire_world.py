"""A small service and its callers, for tests of signatures, sessions and access."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from flask import Flask
from sqlalchemy import Column, Engine, Integer, MetaData, Table, func, insert, select

from crypto.signatures import SigningKey, key_id
from runtime.database import open_engine, read_transaction, write_transaction
from tests.clocks import MovableClock
from wire.access import Caller, public, signed
from wire.messages.evaluation import EvaluateRequest, EvaluateResponse
from wire.nonces import nonce_table
from wire.problems import Problem
from wire.resources import Resource
from wire.service import calling_party, create_service, spend_request_nonce
from wire.session import SignedSession

BASE_URL = "https://holder1.example.org"
SERVER = "holder1"
SERVER_KEY = SigningKey(b"\x01" * 32)
KEYS = {
    "bank-a": (SigningKey(b"\x02" * 32), "institution"),
    "charity": (SigningKey(b"\x03" * 32), "recipient"),
    "holder2": (SigningKey(b"\x04" * 32), "holder"),
}
METADATA = MetaData()
NONCES = nonce_table(METADATA)
EFFECTS = Table("effect", METADATA, Column("id", Integer, primary_key=True), Column("size", Integer, nullable=False))


def resolve(party_id: str, key_id_hex: str) -> Caller | None:
    """Find a caller among KEYS."""
    if party_id not in KEYS:
        return None
    key, role = KEYS[party_id]
    return Caller(party_id, role, key.public_key) if key_id(key.public_key).hex() == key_id_hex else None


@dataclass
class World:
    """One service on a database, and how to reach it."""

    app: Flask
    engine: Engine
    clock: MovableClock

    def session(
        self, party_id: str, *, key: SigningKey | None = None, server_key: bytes | None = None
    ) -> SignedSession:
        """A session of a party with the service, in process."""
        return SignedSession(
            BASE_URL,
            party_id,
            key or KEYS[party_id][0],
            SERVER,
            server_key or SERVER_KEY.public_key,
            self.clock,
            attempts=1,
            transport=httpx.WSGITransport(app=self.app),
        )

    def effects(self) -> int:
        """How many requests had an effect."""
        with read_transaction(self.engine) as connection:
            return connection.execute(select(func.count()).select_from(EFFECTS)).scalar_one()


def resources(engine: Callable[[], Engine]) -> Resource:
    """Routes of each sort."""
    resource = Resource("evaluation", "evaluation", description="Evaluation")

    @resource.route("/v1/evaluate", methods=["POST"])
    @signed("institution", action="try")
    @resource.arguments(EvaluateRequest)
    @resource.response(200, EvaluateResponse)
    def evaluate(message: EvaluateRequest) -> EvaluateResponse:
        """Evaluate elements."""
        with write_transaction(engine()) as connection:
            spend_request_nonce(connection)
            connection.execute(insert(EFFECTS).values(size=len(message.elements)))
        return EvaluateResponse(message.elements, bytes(64))

    @resource.route("/v1/forgetful", methods=["POST"])
    @signed("institution", action="try")
    @resource.response(200, EvaluateResponse)
    def forgetful() -> EvaluateResponse:
        """Answer without spending the nonce, which is a fault."""
        return EvaluateResponse(bytes(32), bytes(64))

    @resource.route("/v1/me")
    @signed("institution", "recipient", action="try")
    @resource.response(200, EvaluateResponse)
    def me() -> EvaluateResponse:
        """Answer with the caller's key."""
        return EvaluateResponse(calling_party().public_key, bytes(64))

    @resource.route("/v1/fault")
    @signed("institution", action="try")
    @resource.response(200, EvaluateResponse)
    def fault() -> EvaluateResponse:
        """Fail in a way that nobody foresaw."""
        raise RuntimeError("+44 7700 900123")

    @resource.route("/v1/away")
    @signed("institution", action="try")
    @resource.response(200, EvaluateResponse)
    def away() -> EvaluateResponse:
        """Say that the service is not ready."""
        raise Problem(503, "not-ready", "not ready", "There is no epoch yet.")

    @resource.route("/v1/hello")
    @public(action="try")
    @resource.response(200, EvaluateResponse)
    def hello() -> EvaluateResponse:
        """Answer anybody."""
        return EvaluateResponse(bytes(32), bytes(64))

    return resource


def build_world(database_url: str, **settings: Any) -> World:
    """Make the database's tables and the service, with settings of `create_service`."""
    engine = open_engine(database_url)
    with write_transaction(engine) as connection:
        METADATA.create_all(connection)
    clock = MovableClock()
    app = create_service(
        "holder",
        signing_key=SERVER_KEY,
        party_id=SERVER,
        resolve=resolve,
        base_url=BASE_URL,
        clock=clock,
        engine=engine,
        nonce_table=NONCES,
        resources=[resources(lambda: engine)],
        **settings,
    )
    return World(app, engine, clock)
