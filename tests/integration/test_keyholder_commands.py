"""`crosslight holder ...` as an operator uses it: one sentence for each mistake, and nothing lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.main import crosslight
from crypto.keyfiles import read_key_file, write_key_file
from keyholder.app import create_app
from keyholder.settings import HolderSettings
from keyholder.store import evaluations
from keyholder.store.evaluations import Charge
from policies.assembly import build_epoch
from policies.documents import write_document_file
from policies.generated_keys import read_generated_key, verified_families
from policies.library import DocumentLibrary
from policies.parties import BROKER
from policies.party_keys import CARD_FILE
from policies.service_settings import read_settings, write_settings
from runtime.clock import SystemClock
from runtime.console import run_command
from runtime.database import open_engine, write_transaction
from runtime.exits import ExitCode, UserError
from tests.agreement_world import START, World, make_world
from tests.clocks import MovableClock
from tests.holders import (
    PASSPHRASE,
    HolderProcesses,
    MemoryLink,
    free_addresses,
    key_ring,
    make_home,
    running_world,
)

FROM_HERE = Path(__file__).parent.parent.parent


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def home(world: World, tmp_path: Path) -> Path:
    """The home of holder 1, set up and with documents."""
    return make_home(world, 1, tmp_path)


def run(capsys: pytest.CaptureFixture[str], home: Path, command: str, *arguments: str) -> tuple[int, Any, str]:
    """Exit code, JSON result and standard error of a command."""
    capsys.readouterr()
    code = run_command(crosslight, ["holder", command, "--home", str(home), *arguments, "--json"])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else None, captured.err


def test_init_writes_settings_from_the_card_and_makes_the_database(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    DocumentLibrary.of_home(tmp_path).pin(world.agreement, world.agreement.hash)
    (tmp_path / CARD_FILE).write_text(json.dumps(world.parties["holder2"].card.to_document()))
    code, data, _ = run(capsys, tmp_path, "init", "--bind", "127.0.0.1:9999")
    assert (code, data["index"], data["agreement_hash"]) == (0, 2, world.agreement.hash.hex())
    settings = read_settings(HolderSettings, tmp_path, {})
    assert (settings.index, settings.bind, settings.home) == (2, "127.0.0.1:9999", tmp_path)
    assert (tmp_path / "holder.sqlite").stat().st_mode & 0o777 == 0o600
    code, _, error = run(capsys, tmp_path, "init")
    assert (code, "there already" in error) == (ExitCode.USAGE, True)


def test_documents_are_accepted_once_and_refused_with_a_reason(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = make_home(world, 1, tmp_path, documents=[])
    epoch, roster, foreign = tmp_path / "epoch.json", tmp_path / "roster.json", tmp_path / "foreign.json"
    write_document_file(epoch, world.epoch)
    write_document_file(roster, world.roster)
    write_document_file(foreign, make_world().epoch)
    assert run(capsys, home, "accept", str(roster))[0] == ExitCode.DOCUMENTS_REFUSED
    assert run(capsys, home, "accept", str(foreign))[0] == ExitCode.DOCUMENTS_REFUSED
    assert run(capsys, home, "accept", str(epoch))[1]["new"] is True
    assert run(capsys, home, "accept", str(roster))[1]["new"] is True
    assert run(capsys, home, "accept", str(roster))[1]["new"] is False
    # The next roster is signed in the home folder, so what is accepted is kept there as well.
    assert (home / "documents/epoch-1.json").exists() and (home / "documents/roster-1-1.json").exists()
    app = create_app(read_settings(HolderSettings, home, {}), key_ring=key_ring(world, 1))
    assert app.test_client().get("/readyz").status_code == 200


def test_suspend_and_resume_name_their_party_and_refuse_a_slip_of_the_pen(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, error = run(capsys, home, "suspend", "bank-z")
    assert (code, "bank-a" in error) == (ExitCode.USAGE, True)
    assert run(capsys, home, "suspend", "bank-a", "--reason", "under review")[1]["new"] is True
    assert run(capsys, home, "suspend", "charity")[1]["new"] is True
    assert [one["party_id"] for one in run(capsys, home, "resume")[1]] == ["bank-a", "charity"]
    assert run(capsys, home, "resume", "bank-a")[0] == 0
    assert run(capsys, home, "resume", "bank-a")[0] == ExitCode.USAGE


def test_counts_and_openings_are_shown_from_the_database(
    world: World, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, home, "migrate")[1] == {"epochs": 1}
    charge = Charge(world.trust.epoch_id, "bank-a", "phone", "2026-01-05", bytes(32), 7)
    with write_transaction(open_engine(read_settings(HolderSettings, home, {}).database)) as connection:
        evaluations.charge_epoch(connection, charge, 10, START)
    row = {"epoch": 1, "day": "2026-01-05", "institution_id": "bank-a", "family": "phone", "elements": 7}
    assert run(capsys, home, "counts")[1] == [{**row, "signed": False}]
    assert run(capsys, home, "counts", "--from", "2026-01-06")[1] == []
    assert run(capsys, home, "openings")[:2] == (0, [])


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda home: (home / "holder.toml").unlink(), ExitCode.DOCUMENTS_REFUSED),
        (lambda home: (home / "holder.toml").write_text("index = 1\ncolour = 'red'\n"), ExitCode.DOCUMENTS_REFUSED),
        (lambda home: shutil.rmtree(home / "documents"), ExitCode.DOCUMENTS_REFUSED),
        (lambda home: (home / "documents" / "agreement-1.json").unlink(), ExitCode.DOCUMENTS_REFUSED),
        (
            lambda home: write_settings(HolderSettings, home, {"index": 1, "agreement_hash": "00" * 32}),
            ExitCode.DOCUMENTS_REFUSED,
        ),
        (
            lambda home: write_settings(HolderSettings, home, {"index": 1, "database_url": "mysql://x"}),
            ExitCode.DOCUMENTS_REFUSED,
        ),
    ],
)
def test_a_home_that_is_not_right_is_refused_in_one_sentence(
    home: Path, capsys: pytest.CaptureFixture[str], spoil: Any, expected: ExitCode
) -> None:
    spoil(home)
    code, data, error = run(capsys, home, "migrate")
    assert (code, data) == (expected, None)
    assert len(error.strip().splitlines()) == 1
    assert "Traceback" not in error


def test_serving_needs_the_key_file_its_passphrase_and_the_right_keys(
    world: World, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve() -> tuple[int, str]:
        capsys.readouterr()
        code = run_command(crosslight, ["holder", "serve", "--home", str(home)])
        return code, capsys.readouterr().err

    monkeypatch.setenv("CROSSLIGHT_PASSPHRASE", PASSPHRASE)
    assert serve()[0] == ExitCode.KEYS
    write_key_file(home / "keys.age", key_ring(world, 2), PASSPHRASE)
    code, error = serve()
    assert (code, "does not fit the agreement" in error) == (ExitCode.DOCUMENTS_REFUSED, True)
    monkeypatch.setenv("CROSSLIGHT_PASSPHRASE", "wrong")
    assert serve()[0] == ExitCode.KEYS
    (home / "keys.age").chmod(0o644)
    code, error = serve()
    assert (code, "chmod 600" in error) == (ExitCode.KEYS, True)


def test_every_setting_says_what_it_is_for_and_a_password_is_not_shown() -> None:
    assert all(field.metadata["help"] for field in fields(HolderSettings))
    assert "hunter2" not in repr(HolderSettings(index=1, database_url="postgresql://me:hunter2@db/x"))
    with pytest.raises(UserError):
        _ = HolderSettings(index=1, agreement_hash="zz").expected_hash


def test_keygen_wants_one_way_of_exchange(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, home, "keygen", "--number", "2")[0] == ExitCode.USAGE
    both = ("--number", "2", "--online", "--exchange", str(tmp_path))
    assert run(capsys, home, "keygen", *both)[0] == ExitCode.USAGE


def test_keys_generated_online_between_processes_make_an_epoch_that_all_of_them_serve(tmp_path: Path) -> None:
    world = running_world(2)
    homes = {}
    for enrolled in world.trust.agreement.holders:
        bind = enrolled.address.removeprefix("http://")
        homes[enrolled.index] = make_home(world, enrolled.index, tmp_path, bind=bind, documents=[], workers=1)
        write_key_file(homes[enrolled.index] / "keys.age", world.parties[enrolled.party_id].secrets, PASSPHRASE)
    holders = HolderProcesses(world, SystemClock(), homes)
    try:
        for index in homes:
            holders.start(index)
        for index in homes:
            holders.wait_until_alive(index)
        for process in [_keygen(home) for home in homes.values()]:
            out, error = process.communicate(timeout=180)
            assert process.returncode == 0, error.decode()
            assert json.loads(out)["complete"] is True
        results = [read_generated_key(path) for path in sorted((homes[1] / "keygen").glob("*_key.json"))]
        families = verified_families(results, world.trust.agreement, 1)
        epoch = build_epoch(
            world.trust.agreement, 1, world.trust.epoch.not_before, world.trust.epoch.not_after, families
        )
        path = tmp_path / "epoch.json"
        write_document_file(path, world.sign(epoch.to_document()))
        for index, home in homes.items():
            _accept(home, path)
            address = world.trust.agreement.holders[index - 1].address
            # The running service has the epoch at once, and says that it has yet to read the shares and a roster.
            assert httpx.get(f"{address}/readyz", trust_env=False).status_code == 503
            names = [name for name in read_key_file(home / "keys.age", PASSPHRASE) if name.startswith("share.")]
            assert len(names) == len(families)
    finally:
        holders.stop_all()


def _keygen(home: Path) -> subprocess.Popen[bytes]:
    passphrase = home / "passphrase"
    passphrase.touch(0o600)
    passphrase.write_text(PASSPHRASE)
    command = [sys.executable, "-m", "cli", "holder", "keygen", "--home", str(home), "--number", "1", "--online"]
    return subprocess.Popen(
        [*command, "--passphrase-file", str(passphrase), "--json"],
        cwd=FROM_HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _accept(home: Path, path: Path) -> None:
    command = [sys.executable, "-m", "cli", "holder", "accept", "--home", str(home), str(path)]
    subprocess.run(command, cwd=FROM_HERE, check=True, capture_output=True)


def test_following_by_hand_says_how_far_it_came_or_that_the_broker_is_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = free_addresses([BROKER])[BROKER]
    world = make_world(addresses={BROKER: address})
    home = make_home(world, 1, tmp_path, passphrase=PASSPHRASE)
    monkeypatch.setenv("CROSSLIGHT_PASSPHRASE", PASSPHRASE)
    code, data, error = run(capsys, home, "follow")
    assert (code, data) == (ExitCode.UNREACHABLE, None)
    assert "The broker's log cannot be read: no connection." in error
    monkeypatch.setattr("keyholder.app.make_log_link", lambda *_, **__: MemoryLink(world, MovableClock(START)))
    assert run(capsys, home, "follow")[:2] == (0, {"leaves": 1, "newest_at": START})
