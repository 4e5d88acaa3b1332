"""The institution's commands that speak to others, over real HTTP: results, exit codes, one sentence each."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from clients.institution.commands import institution
from crypto.keyfiles import write_key_file
from policies.documents import write_json_file
from policies.home import PartyHome
from policies.parties import BROKER, holder_party_id
from policies.party_keys import CARD_FILE
from runtime.console import run_command
from runtime.exits import ExitCode
from tests.agreement_world import DAY, example_terms, make_world
from tests.brokers import build_broker
from tests.holders import free_addresses, serve_in_process

PASSPHRASE = "a passphrase of tests"
MAPPING = """
[source]
path = "customers.csv"

[row]
id = "id"

[defaults]
region = "GB"

[columns]
phone = "phone"
email = "email"

[filter]
all_rows = true
"""


@dataclass
class Place:
    """An institution's home, and how its commands are run."""

    home: Path
    capture: pytest.CaptureFixture[str]

    def write(self, *rows: str) -> None:
        """The source."""
        (self.home / "customers.csv").write_text("\n".join(["id,phone,email", *rows]) + "\n", "utf-8")

    def run(self, *arguments: str, code: ExitCode = ExitCode.OK) -> dict[str, Any]:
        """Run a command with --json; return what it printed, or its error."""
        found = run_command(institution, [*arguments, "--home", str(self.home), "--json"])
        printed = self.capture.readouterr()
        assert found == code, printed.err
        result: dict[str, Any] = json.loads(printed.out or printed.err)
        return result

    def error(self, code: ExitCode, *arguments: str) -> str:
        """The one sentence of a failure."""
        sentence: str = self.run(*arguments, code=code)["error"]
        return sentence


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """bank-a before a broker and three holders that listen on loopback."""
    now = int(time.time())
    names = [BROKER, *(holder_party_id(index) for index in (1, 2, 3))]
    addresses = free_addresses(names)
    world = make_world(example_terms(), addresses=addresses, not_before=now - 3 * DAY, not_after=now + 30 * DAY)
    broker = build_broker(f"sqlite:///{tmp_path / 'broker.sqlite'}", agreement=world, now=now)
    holders = serve_in_process(world, tmp_path / "holders", clock=broker.clock)
    apps = {BROKER: broker.app, **{holder_party_id(index): app for index, app in holders.apps.items()}}
    home = tmp_path / "bank-a"
    home.mkdir()
    keys = world.parties["bank-a"]
    write_json_file(home / CARD_FILE, keys.card.to_document())
    write_key_file(home / "keys.age", keys.secrets, PASSPHRASE)
    PartyHome(home).library.pin(world.agreement, world.agreement.hash)
    (home / "mapping.toml").write_text(MAPPING, "utf-8")
    monkeypatch.setenv("CROSSLIGHT_PASSPHRASE", PASSPHRASE)
    with listening(apps, addresses):
        yield Place(home, capsys)


@contextmanager
def listening(apps: Mapping[str, Flask], addresses: Mapping[str, str]) -> Iterator[None]:
    """Serve applications at their addresses, each in a thread."""
    servers = [
        make_server("127.0.0.1", int(addresses[name].rpartition(":")[2]), app, threaded=True)
        for name, app in apps.items()
    ]
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def test_a_night_from_a_csv_file_to_the_broker_and_back_again(place: Place) -> None:
    place.write("C-1,07900 100001,a@canary.example", "C-2,07900 100002,", "C-3,not a number,c@canary.example")
    report = place.run("sync")
    assert (report["rows"], report["sent"], report["submissions"]) == (3, 3, 1)
    assert [(each["column"], each["count"]) for each in report["rejected"]] == [("phone", 1)]
    found = place.run("status")
    assert (found["live"], found["outbox"], found["broker"]) == (3, 0, {"last_seq": 1, "records_live": 3})
    assert place.run("sync")["submissions"] == 0
    withdrawn = place.run("withdraw", "C-2")
    assert (withdrawn["withdrawn"], withdrawn["final"]) == (1, True)
    assert place.run("status")["broker"] == {"last_seq": 2, "records_live": 2}
    # It stays withdrawn while its row stays as it is.
    assert place.run("sync")["sent"] == 0
    begun = place.run("rotate-key")
    assert begun["state"] == "waiting"
    assert json.loads(Path(begun["card"]).read_text("utf-8"))["party_id"] == "bank-a"
    assert place.run("rotate-key")["is_new"] is False


def test_each_mistake_of_a_user_is_one_sentence_and_an_exit_code(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "customers.csv" in place.error(ExitCode.INPUT_REFUSED, "sync")
    place.write()
    assert "0 rows" in place.error(ExitCode.INPUT_REFUSED, "sync")
    place.write("C-1,07900100001,", "C-1,07900100002,")
    assert "Rows 1 and 2 have the same id" in place.error(ExitCode.INPUT_REFUSED, "sync")
    (place.home / "customers.csv").write_text("id,phone\nC-1,07900100001\n", "utf-8")
    assert "email" in place.error(ExitCode.INPUT_REFUSED, "sync")
    assert "name rows" in place.error(ExitCode.USAGE, "withdraw")
    monkeypatch.setenv("CROSSLIGHT_PASSPHRASE", "another")
    assert "passphrase" in place.error(ExitCode.KEYS, "sync")


def test_commands_teach_what_they_do(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("sync", "status", "withdraw", "rotate-key"):
        assert run_command(institution, [name, "--help"]) == ExitCode.OK
        text = capsys.readouterr().out
        assert len(text.splitlines()) > 12
        assert "--home" in text


def test_without_the_broker_a_sync_says_so_and_a_status_shows_what_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(time.time())
    addresses = free_addresses([BROKER, "holder1", "holder2", "holder3"])
    world = make_world(addresses=addresses, not_before=now - DAY, not_after=now + DAY)
    home = tmp_path / "bank-a"
    home.mkdir()
    keys = world.parties["bank-a"]
    write_json_file(home / CARD_FILE, keys.card.to_document())
    write_key_file(home / "keys.age", keys.secrets, PASSPHRASE)
    library = PartyHome(home).library
    library.pin(world.agreement, world.agreement.hash)
    for signed in (world.epoch, world.roster):
        library.accept(signed)
    monkeypatch.setenv("CROSSLIGHT_PASSPHRASE", PASSPHRASE)
    place = Place(home, capsys)
    assert "broker at http://127.0.0.1" in place.error(ExitCode.UNREACHABLE, "sync")
    assert place.run("status")["broker"] is None
    assert place.run("status", "--offline")["live"] == 0
