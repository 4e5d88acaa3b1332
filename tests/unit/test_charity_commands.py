"""`crosslight charity`: every command prints what a person and what a program needs, and fails in one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import clients.charity.commands
from cli.main import crosslight
from clients.charity.office import Office
from clients.charity.settings import CharitySettings, read_settings
from runtime.console import run_command
from runtime.exits import UserError
from runtime.settings import describe
from tests.charity_world import CharityWorld
from tests.desk_server import example_charity


@pytest.fixture
def charity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CharityWorld:
    world = example_charity(tmp_path / "charity")
    monkeypatch.setenv("CROSSLIGHT_PASSPHRASE", "tests")

    @contextmanager
    def office(home: Path, passphrase: str) -> Iterator[Office]:
        opened = world.office()
        yield opened
        opened.close()

    # Only the second of CPU that opens an age file, and the network, are left out.
    monkeypatch.setattr(clients.charity.commands, "open_office", office)
    return world


def run(charity: CharityWorld, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run_command(crosslight, ["charity", *arguments, "--home", str(charity.home)])
    output = capsys.readouterr()
    return code, output.out, output.err


def test_alerts_lists_the_queue_for_people_and_programs(charity: CharityWorld, capsys: pytest.CaptureFixture[str]):
    code, text, _ = run(charity, capsys, "alerts")
    assert code == 0
    assert text.splitlines()[0].startswith("ALERT")
    assert len(text.splitlines()) == 4
    _, text, _ = run(charity, capsys, "alerts", "--json")
    assert [item["alert_id"] for item in json.loads(text)] == ["k3jd81hs", "p0zm42xa", "w9bb37qe"]
    assert not any(item["asked"] for item in json.loads(text))


def test_open_all_opens_what_is_new_and_then_nothing(
    charity: CharityWorld, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    pairs = tmp_path / "pairs.csv"
    code, text, _ = run(charity, capsys, "open", "--all", "--json", "--pairs", str(pairs))
    report = json.loads(text)
    assert code == 0
    assert (report["alerts"], report["asked"], report["records"], report["opened"]) == (3, 3, 8, 5)
    assert len(report["pairs"]) == 4
    assert len(pairs.read_text().splitlines()) == 5
    _, text, _ = run(charity, capsys, "open", "--all", "--json")
    assert (json.loads(text)["asked"], json.loads(text)["opened"]) == (0, 5)
    _, text, _ = run(charity, capsys, "open", "--all")
    assert text == "Nothing new to open.\n"


def test_open_one_prints_its_case_with_what_stays_shut(charity: CharityWorld, capsys: pytest.CaptureFixture[str]):
    code, text, _ = run(charity, capsys, "open", "k3jd81hs")
    assert code == 0
    assert "passport: DE|C01X00T47  [match A]" in text
    assert "bank-e (bank)" in text
    assert "do not support bank-e's record" in text


def test_below_the_threshold_the_command_says_so(charity: CharityWorld, capsys: pytest.CaptureFixture[str]):
    code, text, _ = run(charity, capsys, "open", "w9bb37qe")
    assert code == 0
    assert "Below the threshold: nothing of this alert opens." in text
    assert "+4915199999999" not in text


def test_failed_holders_end_with_nine_and_the_next_run_finishes(
    charity: CharityWorld, capsys: pytest.CaptureFixture[str]
):
    charity.holders[1].away = charity.holders[2].away = True
    code, text, _ = run(charity, capsys, "open", "--all")
    assert code == 9
    assert "Key holder 1: holder1 cannot be reached" in text
    charity.holders[1].away = False
    code, text, _ = run(charity, capsys, "open", "--all", "--json")
    assert (code, json.loads(text)["opened"]) == (0, 5)


def test_show_asks_no_holder_and_export_gives_only_what_was_opened(
    charity: CharityWorld, capsys: pytest.CaptureFixture[str]
):
    code, text, _ = run(charity, capsys, "show", "k3jd81hs")
    assert code == 0
    assert "passport: (sealed)  [match A]" in text
    assert charity.holders[1].asked == []
    code, _, error = run(charity, capsys, "export", "k3jd81hs")
    assert code == 3
    assert "open it first" in error
    run(charity, capsys, "open", "k3jd81hs")
    code, text, _ = run(charity, capsys, "export", "k3jd81hs")
    assert code == 0
    assert json.loads(text)[0]["records"][0]["entries"]
    assert run(charity, capsys, "export", "--all", "--format", "csv")[1].startswith("alert_id,")


def test_naming_no_alert_is_a_wrong_call(charity: CharityWorld, capsys: pytest.CaptureFixture[str]):
    for command in ("open", "export"):
        assert run(charity, capsys, command)[0] == 2
        assert run(charity, capsys, command, "--all", "k3jd81hs")[0] == 2


def test_a_broker_that_is_away_is_one_sentence(charity: CharityWorld, capsys: pytest.CaptureFixture[str]):
    charity.broker.away = True
    code, text, error = run(charity, capsys, "alerts")
    assert (code, text) == (6, "")
    assert error == "crosslight: broker cannot be reached: no connection. Try again later.\n"


def test_settings_are_documented_and_the_store_lies_in_the_home_folder(tmp_path: Path):
    assert {setting.name for setting in describe(CharitySettings)} >= {"timeout", "store", "desk_port"}
    assert read_settings(tmp_path, {}).store == tmp_path / "charity.sqlite3"
    (tmp_path / "charity.toml").write_text('desk_port = 9000\nstore = "kept/here.sqlite3"\n')
    settings = read_settings(tmp_path, {})
    assert (settings.desk_port, settings.store) == (9000, tmp_path / "kept/here.sqlite3")
    (tmp_path / "charity.toml").write_text("unknown = 1\n")
    with pytest.raises(UserError, match="unknown"):
        read_settings(tmp_path, {})
