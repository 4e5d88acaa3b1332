"""A service: who is let in, what is refused and how, that a request counts once, and that every answer is signed."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from crypto.errors import InvalidElement
from crypto.signatures import SigningKey
from runtime.database import open_engine, read_transaction, write_transaction
from tests.clocks import MovableClock
from tests.wire_world import BASE_URL, KEYS, NONCES, SERVER, SERVER_KEY, World, build_world, resolve
from wire.access import Caller, UndeclaredAccess, public, route_access, signed
from wire.http_signatures import RequestParts, sign_request, verify_response
from wire.messages.evaluation import EvaluateRequest, EvaluateResponse
from wire.messages.message import encode_message
from wire.nonces import prune_nonces, spend_nonce
from wire.problems import RemoteProblem
from wire.resources import Resource
from wire.service import create_service

MESSAGE = EvaluateRequest(bytes(32), "phone", 1, (1, 2), bytes(64))
BODY = encode_message(MESSAGE)


@pytest.fixture
def world(database_url: str) -> World:
    """A service on each kind of database."""
    return build_world(database_url)


@pytest.fixture
def small(sqlite_url: str) -> World:
    """A service where the database's kind does not matter."""
    return build_world(sqlite_url)


def send(
    world: World,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    party: str = "bank-a",
    key: SigningKey | None = None,
    base_url: str = BASE_URL,
    changed: dict[str, str] | None = None,
    sent_body: bytes | None = None,
) -> TestResponse:
    """Send a signed request, some of whose headers may be changed after signing."""
    headers = dict(sign_request(key or KEYS[party][0], party, method, base_url + path, body, world.clock.now()))
    headers |= changed or {}
    return world.app.test_client().open(
        path, method=method, data=body if sent_body is None else sent_body, headers=headers
    )


def problem(response: TestResponse) -> tuple[int, str]:
    assert response.content_type == "application/problem+json"
    document = json.loads(response.data)
    assert document["status"] == response.status_code
    assert document["detail"].endswith(".")
    assert document["instance"] == f"urn:crosslight:request:{response.headers['X-Request-Id']}"
    return response.status_code, document["type"].removeprefix("urn:crosslight:problem:")


def nonces(world: World) -> int:
    with read_transaction(world.engine) as connection:
        return connection.execute(select(func.count()).select_from(NONCES)).scalar_one()


def test_a_signed_request_has_its_effect_and_is_answered_with_a_signed_message(world: World) -> None:
    with world.session("bank-a") as session:
        assert session.post("/v1/evaluate", MESSAGE, EvaluateResponse) == EvaluateResponse(bytes(64), bytes(64))
    assert world.effects() == 1


def test_a_replayed_request_has_no_second_effect(world: World) -> None:
    headers = dict(
        sign_request(KEYS["bank-a"][0], "bank-a", "POST", BASE_URL + "/v1/evaluate", BODY, world.clock.now())
    )
    client = world.app.test_client()
    assert client.post("/v1/evaluate", data=BODY, headers=headers).status_code == 200
    assert problem(client.post("/v1/evaluate", data=BODY, headers=headers)) == (409, "replay")
    assert world.effects() == 1


def test_a_replayed_read_is_refused_too(world: World) -> None:
    headers = dict(sign_request(KEYS["bank-a"][0], "bank-a", "GET", BASE_URL + "/v1/me", b"", world.clock.now()))
    client = world.app.test_client()
    assert client.get("/v1/me", headers=headers).status_code == 200
    assert problem(client.get("/v1/me", headers=headers)) == (409, "replay")


def test_a_replay_is_refused_after_a_restart_and_before_the_signature_expires(database_url: str) -> None:
    world = build_world(database_url)
    headers = dict(
        sign_request(KEYS["bank-a"][0], "bank-a", "POST", BASE_URL + "/v1/evaluate", BODY, world.clock.now())
    )
    assert world.app.test_client().post("/v1/evaluate", data=BODY, headers=headers).status_code == 200
    restarted = build_world(database_url)
    restarted.clock.advance(seconds=300)
    assert problem(restarted.app.test_client().post("/v1/evaluate", data=BODY, headers=headers)) == (409, "replay")
    restarted.clock.advance(seconds=1)
    again = restarted.app.test_client().post("/v1/evaluate", data=BODY, headers=headers)
    assert problem(again) == (401, "signature-expired")
    assert restarted.effects() == 1


def test_old_nonces_are_forgotten_only_after_600_seconds(world: World) -> None:
    assert send(world, "GET", "/v1/me").status_code == 200
    for seconds, kept in ((600, 1), (1, 0)):
        world.clock.advance(seconds=seconds)
        with write_transaction(world.engine) as connection:
            prune_nonces(connection, NONCES, world.clock.now())
        assert nonces(world) == kept


def test_spending_forgets_old_nonces_now_and_then(world: World) -> None:
    old, rare, usual = bytes([9]) * 16, bytes(16), bytes([4]) + bytes(15)
    for nonce, kept in ((old, 1), (usual, 2), (rare, 2)):
        with write_transaction(world.engine) as connection:
            spend_nonce(connection, NONCES, bytes(8), nonce, world.clock.now())
        assert nonces(world) == kept
        world.clock.advance(seconds=400)


def test_a_request_signed_for_another_host_is_refused_whatever_its_host_header_says(small: World) -> None:
    response = send(
        small,
        "POST",
        "/v1/evaluate",
        BODY,
        base_url="https://holder2.example.org",
        changed={"Host": "holder2.example.org", "X-Forwarded-Host": "holder2.example.org"},
    )
    assert problem(response) == (401, "signature-invalid")
    assert small.effects() == 0


def test_the_host_header_plays_no_part(small: World) -> None:
    assert send(small, "GET", "/v1/me", changed={"Host": "anything.example"}).status_code == 200


def test_unsigned_unknown_and_wrongly_signed_requests_are_refused(small: World) -> None:
    assert problem(small.app.test_client().get("/v1/me")) == (401, "signature-missing")
    assert small.app.test_client().get("/v1/me").headers["WWW-Authenticate"].startswith("Signature")
    assert problem(send(small, "GET", "/v1/me", key=SigningKey(b"\x55" * 32))) == (401, "unknown-key")
    assert problem(send(small, "POST", "/v1/evaluate", BODY, sent_body=BODY + b" ")) == (401, "digest-mismatch")
    assert problem(send(small, "GET", "/v1/me", changed={"Content-Digest": "sha-256=:AAAA:"}))[0] == 401


def test_a_resolver_that_answers_for_another_party_is_not_believed(sqlite_url: str) -> None:
    world = build_world(sqlite_url)

    def confused(party_id: str, key_id_hex: str) -> Caller:
        return Caller("bank-b", "institution", KEYS["bank-a"][0].public_key)

    app = create_service(
        "holder",
        signing_key=SERVER_KEY,
        party_id=SERVER,
        resolve=confused,
        base_url=BASE_URL,
        clock=world.clock,
        engine=world.engine,
        nonce_table=NONCES,
        resources=[declared(signed("institution", action="try"))],
    )
    assert problem(send(World(app, world.engine, world.clock), "GET", "/v1/x")) == (401, "unknown-key")


def test_a_role_that_a_view_does_not_name_is_refused(small: World) -> None:
    assert problem(send(small, "POST", "/v1/evaluate", BODY, party="charity")) == (403, "role")
    assert problem(send(small, "GET", "/v1/me", party="holder2")) == (403, "role")
    assert send(small, "GET", "/v1/me", party="charity").status_code == 200
    assert small.effects() == 0


def test_every_role_and_route_answers_as_declared(small: World) -> None:
    for method, rule, roles, _ in route_access(small.app):
        for party, (_, role) in KEYS.items():
            status = send(small, method, rule, b"", party=party).status_code
            refused = status in (401, 403)
            assert refused == (roles != "public" and role not in roles), (method, rule, party, status)
        if roles != "public":
            assert small.app.test_client().open(rule, method=method).status_code == 401


def declared(declare: object) -> Resource:
    resource = Resource("extra", "extra")

    def view() -> EvaluateResponse:
        """A view."""
        return EvaluateResponse(bytes(32), bytes(64))

    documented = resource.response(200, EvaluateResponse)(view)
    resource.route("/v1/x")(declare(documented) if callable(declare) else documented)
    return resource


def serve(engine_url: str, resource: Resource, **settings: Any) -> Flask:
    return create_service(
        "holder",
        signing_key=SERVER_KEY,
        party_id=SERVER,
        resolve=resolve,
        base_url=BASE_URL,
        clock=MovableClock(),
        engine=open_engine(engine_url),
        nonce_table=NONCES,
        resources=[resource],
        **settings,
    )


def test_a_route_without_declared_access_keeps_the_service_from_starting(sqlite_url: str) -> None:
    with pytest.raises(UndeclaredAccess):
        serve(sqlite_url, declared(None))
    assert ("GET", "/v1/x", "public", "try") in route_access(serve(sqlite_url, declared(public(action="try"))))


def test_a_route_added_later_is_not_served(small: World) -> None:
    small.app.add_url_rule("/v1/later", view_func=lambda: "secret")
    assert problem(small.app.test_client().get("/v1/later")) == (405, "method-not-allowed")


def test_a_view_declares_its_access_once_and_with_known_roles() -> None:
    with pytest.raises(ValueError, match="roles"):
        signed(action="try")
    with pytest.raises(ValueError, match="roles"):
        signed("admin", action="try")
    with pytest.raises(ValueError, match="once"):
        signed("institution", action="try")(public(action="try")(lambda: None))


def test_a_success_without_a_spent_nonce_is_withheld(small: World) -> None:
    assert problem(send(small, "POST", "/v1/forgetful")) == (500, "internal")


def test_an_unforeseen_failure_says_nothing_of_its_cause(small: World) -> None:
    response = send(small, "GET", "/v1/fault")
    assert problem(response) == (500, "internal")
    assert b"900123" not in response.data


def test_what_crypto_refuses_in_the_content_is_answered_with_the_place(sqlite_url: str) -> None:
    resource = Resource("extra", "extra")

    @resource.route("/v1/x")
    @signed("institution", action="try")
    @resource.response(204)
    def view() -> None:
        """Refuse."""
        raise InvalidElement(7)

    world = World(serve(sqlite_url, resource), open_engine(sqlite_url), MovableClock())
    build_world(sqlite_url)
    response = send(world, "GET", "/v1/x")
    assert problem(response) == (422, "invalid-content")
    assert b"Element 7 is not a canonical" in response.data


@pytest.mark.parametrize(
    ("body", "status", "suffix"),
    [
        (b"", 400, "invalid-json"),
        (b"{", 400, "invalid-json"),
        (b'{"a":1,"a":2}', 400, "invalid-json"),
        (b"\xff", 400, "invalid-json"),
        (b"[" * 100_000, 400, "invalid-json"),
        (b"[]", 422, "invalid-message"),
        (b"null", 422, "invalid-message"),
        (b"{}", 422, "invalid-message"),
        (BODY[:-1] + b',"surplus":1}', 422, "invalid-message"),
        (BODY.replace(b"phone", b"PHONE"), 422, "invalid-message"),
    ],
)
def test_bodies_that_are_not_the_message_are_refused(small: World, body: bytes, status: int, suffix: str) -> None:
    assert problem(send(small, "POST", "/v1/evaluate", body)) == (status, suffix)
    assert small.effects() == 0


def test_a_refused_field_is_named_by_pointer_and_its_value_is_not_repeated(small: World) -> None:
    response = send(small, "POST", "/v1/evaluate", BODY.replace(b"phone", b"+447700900123"))
    assert json.loads(response.data)["errors"] == [
        {"pointer": "/family", "detail": "Not 1 to 64 characters of a-z, 0-9, point and hyphen."}
    ]
    assert b"7700900123" not in response.data


def test_other_media_types_and_encodings_are_refused(small: World) -> None:
    for changed in ({"Content-Type": "text/plain"}, {"Content-Type": "application/json; charset=utf-8"}):
        assert problem(send(small, "POST", "/v1/evaluate", BODY, changed=changed)) == (415, "media-type")
    assert problem(send(small, "POST", "/v1/evaluate", BODY, changed={"Content-Encoding": "gzip"}))[0] == 415


def test_a_body_beyond_the_limit_is_refused_unread(small: World) -> None:
    small.app.config["MAX_CONTENT_LENGTH"] = 1000
    assert problem(send(small, "POST", "/v1/evaluate", b" " * 1001)) == (413, "too-large")
    assert problem(small.app.test_client().post("/v1/evaluate", data=b" " * 1001)) == (413, "too-large")


def test_missing_resources_methods_and_slashes_are_problems(small: World) -> None:
    assert problem(send(small, "GET", "/v1/nothing")) == (404, "not-found")
    assert problem(send(small, "GET", "/v1/me/")) == (404, "not-found")
    assert problem(send(small, "GET", "//v1/me")) == (404, "not-found")
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
        response = send(small, method, "/v1/me")
        assert problem(response) == (405, "method-not-allowed")
        assert response.headers["Allow"] == "GET"
    assert send(small, "HEAD", "/v1/me").status_code == 405


@pytest.mark.parametrize(
    ("method", "path", "body", "party"),
    [
        ("POST", "/v1/evaluate", BODY, "bank-a"),
        ("GET", "/v1/me", b"", "charity"),
        ("GET", "/v1/hello", b"", "bank-a"),
        ("GET", "/openapi.json", b"", "bank-a"),
        ("GET", "/v1/nothing", b"", "bank-a"),
        ("PUT", "/v1/me", b"", "bank-a"),
        ("POST", "/v1/evaluate", b"{}", "bank-a"),
        ("POST", "/v1/evaluate", b"{", "bank-a"),
        ("POST", "/v1/evaluate", BODY, "charity"),
        ("GET", "/v1/fault", b"", "bank-a"),
        ("GET", "/v1/away", b"", "bank-a"),
    ],
)
def test_every_answer_is_signed_for_its_request(small: World, method: str, path: str, body: bytes, party: str) -> None:
    headers = tuple(sign_request(KEYS[party][0], party, method, BASE_URL + path, body, small.clock.now()))
    response = small.app.test_client().open(path, method=method, data=body, headers=dict(headers))
    request = RequestParts(method, BASE_URL + path, headers)
    verify_response(response.status_code, list(response.headers), response.data, request, SERVER, SERVER_KEY.public_key)


def test_refusals_of_bad_signatures_are_signed_too(small: World) -> None:
    small.clock.advance(days=-1)
    headers = tuple(sign_request(KEYS["bank-a"][0], "bank-a", "GET", BASE_URL + "/v1/me", b"", small.clock.now()))
    small.clock.advance(days=1)
    response = small.app.test_client().get("/v1/me", headers=dict(headers))
    assert problem(response) == (401, "signature-expired")
    request = RequestParts("GET", BASE_URL + "/v1/me", headers)
    verify_response(401, list(response.headers), response.data, request, SERVER, SERVER_KEY.public_key)


@pytest.mark.parametrize("target", ["http://other.example/v1/me", "/v1/me?x=\x00", "/v1/me?a b", "/v1/me?\xff"])
def test_request_targets_that_are_no_encoded_path_are_refused(small: World, target: str) -> None:
    response = small.app.test_client().get("/v1/me", environ_overrides={"RAW_URI": target})
    assert problem(response) == (400, "invalid-target")


@pytest.mark.parametrize("value", ["ä", "sig1", "sig1=:AAAA", "sig1=(", ";;", "sig1=1, sig1=2", "x" * 5000])
def test_headers_that_are_no_signature_are_refused(small: World, value: str) -> None:
    for name in ("Signature", "Signature-Input"):
        assert problem(send(small, "GET", "/v1/me", changed={name: value})) == (401, "signature-malformed")


def test_request_ids_are_taken_only_in_their_form(small: World) -> None:
    client = small.app.test_client()
    assert client.get("/healthz", headers={"X-Request-Id": "abc-123"}).headers["X-Request-Id"] == "abc-123"
    for value in ("a b", "<script>", "x" * 65, "", "ä"):
        assert client.get("/healthz", headers={"X-Request-Id": value}).headers["X-Request-Id"] != value


def test_the_clock_that_counts_is_the_services(small: World) -> None:
    with small.session("bank-a") as session:
        behind = MovableClock(small.clock.now() - timedelta(seconds=400))
        session._clock = behind
        with pytest.raises(RemoteProblem) as caught:
            session.get("/v1/me", EvaluateResponse)
    assert caught.value.type_suffix == "signature-expired"
    assert "400 s old" in caught.value.detail


def test_openapi_declares_security_and_problems(small: World) -> None:
    document = small.app.test_client().get("/openapi.json").json
    assert document is not None
    operation = document["paths"]["/v1/evaluate"]["post"]
    assert operation["security"] == [{"httpMessageSignature": []}]
    assert "security" not in document["paths"]["/v1/hello"]["get"]
    default = document["components"]["responses"]["DEFAULT_ERROR"]
    assert list(default["content"]) == ["application/problem+json"]
    schema = document["components"]["schemas"]["EvaluateRequest"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["epoch_id"]["pattern"] == "^[A-Za-z0-9_-]{40}[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048]$"
