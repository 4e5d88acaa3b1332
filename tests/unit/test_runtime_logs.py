"""Logs: only what is on the list, no exception texts, no arguments of libraries' lines."""

import json
import logging

import pytest

from runtime.logs import configure_logging, logger
from tests.wire_world import KEYS, build_world
from wire.http_signatures import sign_request


@pytest.fixture
def lines() -> "Lines":
    """What is written to standard error from here on, as JSON objects."""
    return Lines()


class Lines:
    """Reads the lines written meanwhile."""

    def __init__(self) -> None:
        self.text = ""

    def begin(self) -> None:
        configure_logging("test")

    def read(self, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
        printed = capsys.readouterr()
        assert printed.out == ""
        self.text = printed.err
        return [json.loads(line) for line in printed.err.splitlines()]


def test_a_key_that_is_not_listed_is_dropped_and_named(lines: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    lines.begin()
    logger().info("stored", records=3, phone="+44 7700 900123", institution_id=b"bytes", reason="x" * 500)
    (line,) = lines.read(capsys)
    assert line["records"] == 3
    assert line["dropped"] == "phone"
    assert line["institution_id"] == "<bytes>"
    assert len(str(line["reason"])) == 200
    assert "900123" not in lines.text


def test_an_exception_is_logged_by_type_and_place(lines: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    lines.begin()
    try:
        raise ValueError("+44 7700 900123")
    except ValueError as error:
        logger().error("failed", exc_info=error)
        logging.getLogger("library").exception("failed for %s", "900123")
    ours, theirs = lines.read(capsys)
    assert ours["exception"] == theirs["exception"] == "ValueError"
    assert "test_runtime_logs" in str(ours["frames"])
    assert theirs["event"] == "failed for %s"
    assert "900123" not in lines.text


def test_requests_are_logged_without_query_body_or_path(
    lines: Lines, capsys: pytest.CaptureFixture[str], sqlite_url: str
) -> None:
    world = build_world(sqlite_url)
    lines.begin()
    target = "/v1/me?q=900123"
    headers = dict(
        sign_request(KEYS["bank-a"][0], "bank-a", "GET", f"https://holder1.example.org{target}", b"", world.clock.now())
    )
    client = world.app.test_client()
    client.get(target, headers=headers | {"X-Request-Id": "id-1"})
    client.get("/v1/+447700900123", headers={"User-Agent": "900123"})
    client.get("/healthz?900123")
    known, unknown = lines.read(capsys)
    assert (known["route"], known["status"], known["party_id"], known["request_id"]) == (
        "/v1/me",
        200,
        "bank-a",
        "id-1",
    )
    assert (unknown["route"], unknown["problem"]) == ("(none)", "not-found")
    assert "900123" not in lines.text


def test_nothing_is_logged_before_a_service_asks_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    logger().error("unheard")
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""
