"""A service asks for a ruling before each signed view, and records it in the transaction of the request's effect."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import Connection, func, select
from werkzeug.test import TestResponse

from runtime.database import open_engine, read_transaction
from tests.clocks import MovableClock
from tests.wire_world import BASE_URL, KEYS, NONCES, SERVER, SERVER_KEY, World, build_world, resolve
from wire.access import Caller, signed
from wire.http_signatures import sign_request
from wire.messages.evaluation import EvaluateRequest
from wire.messages.message import encode_message
from wire.problems import Problem
from wire.resources import Resource
from wire.rulings import Ruling, current_decision
from wire.service import create_service

MESSAGE = EvaluateRequest(bytes(32), "phone", 1, (1, 2), bytes(64))
BODY = encode_message(MESSAGE)


class Recorder:
    """Rules as it is told to, and notes what it was asked and when an effect was recorded."""

    def __init__(self, *, refuse: bool = False, fail: bool = False) -> None:
        self.refuse, self.fail = refuse, fail
        self.asked: list[tuple[str, str, Mapping[str, Any]]] = []
        self.recorded: list[object] = []

    def authorise(self, caller: Caller, action: str, arguments: Mapping[str, Any]) -> Ruling:
        self.asked.append((caller.party_id, action, arguments))
        refusal = Problem(403, "not-allowed", "not allowed", "The rule says no.", rules=["no-rule"])
        return Ruling(f"decision {len(self.asked)}", refusal if self.refuse else None)

    def on_effect(self, connection: Connection) -> None:
        self.recorded.append(current_decision())
        if self.fail:
            raise RuntimeError("the record cannot be kept")


def world_of(url: str, recorder: Recorder) -> World:
    return build_world(url, authorise=recorder.authorise, on_effect=recorder.on_effect)


def headers_of(world: World, method: str, path: str, body: bytes = b"") -> dict[str, str]:
    return dict(sign_request(KEYS["bank-a"][0], "bank-a", method, BASE_URL + path, body, world.clock.now()))


def post(world: World, headers: dict[str, str] | None = None) -> TestResponse:
    sent = headers or headers_of(world, "POST", "/v1/evaluate", BODY)
    return world.app.test_client().post("/v1/evaluate", data=BODY, headers=sent)


def spent(world: World) -> int:
    with read_transaction(world.engine) as connection:
        return connection.execute(select(func.count()).select_from(NONCES)).scalar_one()


def test_a_ruling_is_asked_for_with_the_action_and_the_message_and_kept_with_the_effect(database_url: str) -> None:
    recorder = Recorder()
    world = world_of(database_url, recorder)
    assert post(world).status_code == 200
    assert recorder.asked == [("bank-a", "try", {"message": MESSAGE})]
    assert recorder.recorded == ["decision 1"]
    assert world.effects() == 1


def test_a_refused_request_has_no_effect_but_its_nonce_is_spent_and_its_refusal_recorded(database_url: str) -> None:
    recorder = Recorder(refuse=True)
    world = world_of(database_url, recorder)
    headers = headers_of(world, "POST", "/v1/evaluate", BODY)
    refused = post(world, headers)
    assert refused.status_code == 403
    assert json.loads(refused.data)["rules"] == ["no-rule"]
    assert "Signature" in refused.headers
    assert recorder.recorded == ["decision 1"]
    assert (world.effects(), spent(world)) == (0, 1)
    # Again: it is a replay, and no second refusal is recorded for it.
    assert post(world, headers).status_code == 409
    assert spent(world) == 1


def test_a_record_that_cannot_be_kept_undoes_the_effect(database_url: str) -> None:
    world = world_of(database_url, Recorder(fail=True))
    assert post(world).status_code == 500
    assert (world.effects(), spent(world)) == (0, 0)


def test_a_read_is_ruled_on_and_recorded_before_its_view(sqlite_url: str) -> None:
    recorder = Recorder()
    world = world_of(sqlite_url, recorder)
    headers = headers_of(world, "GET", "/v1/me")
    assert world.app.test_client().get("/v1/me", headers=headers).status_code == 200
    assert recorder.asked == [("bank-a", "try", {})]
    assert recorder.recorded == ["decision 1"]


def test_what_is_refused_before_is_not_ruled_on(sqlite_url: str) -> None:
    recorder = Recorder()
    world = world_of(sqlite_url, recorder)
    client = world.app.test_client()
    assert client.get("/v1/me").status_code == 401
    assert client.get("/v1/hello").status_code == 200
    malformed = headers_of(world, "POST", "/v1/evaluate", b"{}")
    assert client.post("/v1/evaluate", data=b"{}", headers=malformed).status_code == 422
    charity = dict(
        sign_request(KEYS["charity"][0], "charity", "POST", BASE_URL + "/v1/evaluate", BODY, world.clock.now())
    )
    assert client.post("/v1/evaluate", data=BODY, headers=charity).status_code == 403
    assert recorder.asked == []


def test_a_signed_view_under_which_nobody_would_rule_keeps_the_service_from_starting(sqlite_url: str) -> None:
    resource = Resource("extra", "extra")

    @resource.route("/v1/x")
    @signed("institution", action="try")
    def view() -> str:
        """Answer without a form."""
        return "{}"

    with pytest.raises(ValueError, match=r"no @resource\.response"):
        create_service(
            "holder",
            signing_key=SERVER_KEY,
            party_id=SERVER,
            resolve=resolve,
            base_url=BASE_URL,
            clock=MovableClock(),
            engine=open_engine(sqlite_url),
            nonce_table=NONCES,
            resources=[resource],
        )
