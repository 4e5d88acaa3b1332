"""The signed session: it believes nothing that the service's key did not sign for this very request."""

import gzip
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from werkzeug.serving import make_server

from crypto.signatures import SigningKey
from runtime.exits import ExitCode, UserError
from tests.wire_world import BASE_URL, KEYS, SERVER, SERVER_KEY, World, build_world
from wire.base_url import normalise_base_url
from wire.http_signatures import RequestParts, sign_response
from wire.messages.evaluation import EvaluateRequest, EvaluateResponse
from wire.messages.message import encode_message
from wire.problems import RemoteProblem
from wire.session import SignedSession, Unreachable, UntrustedResponse

MESSAGE = EvaluateRequest(bytes(32), "phone", 1, (1, 2), bytes(32))
GOOD = encode_message(EvaluateResponse(bytes(32), bytes(64)))

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def world(sqlite_url: str) -> World:
    """A service in process."""
    return build_world(sqlite_url)


def talking_to(world: World, handler: Handler, attempts: int = 1) -> SignedSession:
    """A session whose other side is a function."""
    return SignedSession(
        BASE_URL,
        "bank-a",
        KEYS["bank-a"][0],
        SERVER,
        SERVER_KEY.public_key,
        world.clock,
        attempts=attempts,
        transport=httpx.MockTransport(handler),
    )


def signed(world: World, request: httpx.Request, status: int, body: bytes, **headers: str) -> httpx.Response:
    parts = RequestParts(request.method, str(request.url), tuple(request.headers.items()))
    lines = sign_response(SERVER_KEY, SERVER, status, body, parts, world.clock.now())
    # A stream, since httpx would decode what it is given whole.
    return httpx.Response(status, headers=[*lines, *headers.items()], stream=httpx.ByteStream(body))


def test_a_service_with_another_key_is_not_believed(world: World) -> None:
    other = SigningKey(b"\x77" * 32).public_key
    with world.session("bank-a", server_key=other) as session, pytest.raises(UntrustedResponse) as caught:
        session.get("/v1/me", EvaluateResponse)
    assert caught.value.exit_code == ExitCode.VERIFICATION_FAILED


def test_a_refusal_carries_type_title_and_detail(world: World) -> None:
    with world.session("charity") as session, pytest.raises(RemoteProblem) as caught:
        session.post("/v1/evaluate", MESSAGE, EvaluateResponse)
    assert (caught.value.status, caught.value.type_suffix) == (403, "role")
    assert caught.value.exit_code == ExitCode.SERVICE_REFUSED
    assert "not for the role recipient" in caught.value.message


def test_a_refused_message_names_its_fields(world: World) -> None:
    with world.session("bank-a") as session, pytest.raises(RemoteProblem) as caught:
        session.post("/v1/evaluate", EvaluateRequest(bytes(31), "phone", 1, (1,), bytes(32)), EvaluateResponse)
    assert [error["pointer"] for error in caught.value.extra["errors"]] == ["/epoch_id"]


def test_a_query_is_signed_with_the_path(world: World) -> None:
    with world.session("bank-a") as session:
        assert session.get("/v1/me", EvaluateResponse, query={"a b": "ü/?&"}).proof == bytes(64)
        assert session.get("/v1/me?x=1", EvaluateResponse).proof == bytes(64)


@pytest.mark.parametrize("status", [200, 403, 302, 500])
def test_an_unsigned_answer_is_not_believed_whatever_it_says(world: World, status: int) -> None:
    session = talking_to(world, lambda request: httpx.Response(status, stream=httpx.ByteStream(GOOD)))
    with pytest.raises(UntrustedResponse):
        session.get("/v1/me", EvaluateResponse)


def test_an_answer_to_an_earlier_request_is_not_believed(world: World) -> None:
    earlier: list[httpx.Response] = []

    def replaying(request: httpx.Request) -> httpx.Response:
        if not earlier:
            earlier.append(signed(world, request, 200, GOOD))
            return earlier[0]
        return httpx.Response(200, headers=earlier[0].headers, stream=httpx.ByteStream(GOOD))

    session = talking_to(world, replaying)
    assert session.get("/v1/me", EvaluateResponse).proof == bytes(64)
    with pytest.raises(UntrustedResponse):
        session.get("/v1/me", EvaluateResponse)


def test_a_changed_body_or_status_is_not_believed(world: World) -> None:
    def changing(request: httpx.Request) -> httpx.Response:
        lines = signed(world, request, 200, GOOD).headers
        return httpx.Response(200, headers=lines, stream=httpx.ByteStream(GOOD.replace(b"A", b"Q")))

    with pytest.raises(UntrustedResponse):
        talking_to(world, changing).get("/v1/me", EvaluateResponse)

    def promoting(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=signed(world, request, 403, GOOD).headers, stream=httpx.ByteStream(GOOD))

    with pytest.raises(UntrustedResponse):
        talking_to(world, promoting).get("/v1/me", EvaluateResponse)


def test_a_signed_redirect_is_not_followed(world: World) -> None:
    asked: list[str] = []

    def redirecting(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return signed(world, request, 307, b"", Location="https://elsewhere.example/")

    with pytest.raises(UntrustedResponse, match="redirects"):
        talking_to(world, redirecting).get("/v1/me", EvaluateResponse)
    assert len(asked) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", GOOD[:-1] + b',"x":1}', b'{"a":1,"a":1}'])
def test_a_signed_answer_that_is_not_the_message_is_not_believed(world: World, body: bytes) -> None:
    with pytest.raises(UntrustedResponse):
        talking_to(world, lambda request: signed(world, request, 200, body)).get("/v1/me", EvaluateResponse)


def test_an_encoded_or_endless_answer_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    zipped = gzip.compress(GOOD)
    with pytest.raises(UntrustedResponse):
        talking_to(world, lambda request: signed(world, request, 200, zipped, **{"Content-Encoding": "gzip"})).get(
            "/v1/me", EvaluateResponse
        )
    monkeypatch.setattr("wire.session.LARGEST_RESPONSE", 1000)
    with pytest.raises(UntrustedResponse, match="1000 bytes"):
        talking_to(world, lambda request: signed(world, request, 200, bytes(1001))).get("/v1/me", EvaluateResponse)


def test_a_problem_document_from_the_service_is_made_fit_for_a_terminal(world: World) -> None:
    body = b'{"type":"urn:crosslight:problem:budget-spent","title":"x\\u001b[31m","detail":"y","left":0}'
    with pytest.raises(RemoteProblem) as caught:
        talking_to(world, lambda request: signed(world, request, 429, body)).get("/v1/me", EvaluateResponse)
    assert "\x1b" not in caught.value.message
    assert caught.value.exit_code == ExitCode.BUDGET_SPENT
    assert caught.value.extra == {"left": 0}


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let retries follow one another at once."""
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)


def test_a_service_that_comes_back_is_asked_again_under_a_fresh_nonce(world: World, no_pauses: None) -> None:
    signatures: list[str] = []

    def recovering(request: httpx.Request) -> httpx.Response:
        signatures.append(request.headers["signature-input"])
        if len(signatures) == 1:
            raise httpx.ConnectError("refused")
        if len(signatures) == 2:
            raise httpx.ReadError("reset")
        return signed(world, request, 503 if len(signatures) == 3 else 200, GOOD)

    assert talking_to(world, recovering, attempts=5).get("/v1/me", EvaluateResponse).proof == bytes(64)
    assert len(set(signatures)) == 4


def test_a_service_that_stays_away_is_unreachable(world: World, no_pauses: None) -> None:
    def absent(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused by 10.1.2.3")

    with pytest.raises(Unreachable) as caught:
        talking_to(world, absent, attempts=3).get("/v1/me", EvaluateResponse)
    assert caught.value.exit_code == ExitCode.UNREACHABLE
    with pytest.raises(Unreachable):
        talking_to(world, lambda request: httpx.Response(502, stream=httpx.ByteStream(b""))).get(
            "/v1/me", EvaluateResponse
        )


def test_a_signed_503_is_quoted_at_the_end(world: World, no_pauses: None) -> None:
    with world.session("bank-a") as session, pytest.raises(RemoteProblem) as caught:
        session.get("/v1/away", EvaluateResponse)
    assert (caught.value.status, caught.value.detail) == (503, "There is no epoch yet.")


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[World, str]]:
    """The same service behind a real socket."""
    world = build_world(f"sqlite:///{tmp_path / 'real.sqlite'}")
    server = make_server("127.0.0.1", 0, world.app, threaded=True)
    address = f"http://127.0.0.1:{server.server_port}"
    found = world.app.extensions["crosslight-wire"]
    world.app.extensions["crosslight-wire"] = type(found)(**{**vars(found), "base_url": address})
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield world, address
    server.shutdown()
    thread.join()


def test_it_works_over_a_real_socket(listening: tuple[World, str]) -> None:
    world, address = listening
    with SignedSession(
        address, "bank-a", KEYS["bank-a"][0], SERVER, SERVER_KEY.public_key, world.clock, attempts=1
    ) as session:
        for _ in range(3):
            assert session.post("/v1/evaluate", MESSAGE, EvaluateResponse).elements == bytes(32)
        assert session.get("/v1/me", EvaluateResponse, query={"q": "a b+ü%"}).proof == bytes(64)
    assert world.effects() == 3


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://Broker.Example.org/", "https://broker.example.org"),
        ("HTTPS://broker.example.org:443", "https://broker.example.org"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:9", "http://[::1]:9"),
    ],
)
def test_addresses_have_one_spelling(url: str, normal: str) -> None:
    assert normalise_base_url(url) == normal


@pytest.mark.parametrize(
    "url",
    [
        "broker",
        "ftp://x",
        "https://",
        "https://u@x",
        "https://x/p",
        "https://x?",
        "https://x#",
        "https://x:99999",
        "https://a b",
    ],
)
def test_addresses_with_more_than_scheme_and_host_are_refused(url: str) -> None:
    with pytest.raises(UserError) as caught:
        normalise_base_url(url)
    assert caught.value.exit_code == ExitCode.DOCUMENTS_REFUSED
