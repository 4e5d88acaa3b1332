"""The broker's commands on a home folder, and what makes it refuse to start."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.app import MIGRATIONS, create_app
from broker.commands import broker as broker_commands
from broker.settings import BrokerSettings
from broker.store.schema import metadata
from crypto.keyfiles import write_key_file
from crypto.signatures import SigningKey
from policies.documents import write_document_file
from policies.errors import DocumentRefused
from policies.library import DocumentLibrary
from policies.service_settings import read_settings, write_settings
from runtime.console import run_command
from runtime.database import open_engine
from runtime.exits import ExitCode, UserError
from runtime.migrations import migrate, schema_differences
from tests.agreement_world import World, make_world
from tests.brokers import BASE_URL, FOUR_GROUPS, build_broker


@pytest.fixture
def agreement() -> World:
    return make_world(members=FOUR_GROUPS, addresses={"broker": BASE_URL})


@pytest.fixture
def home(tmp_path: Path, agreement: World) -> Iterator[Path]:
    folder = tmp_path / "broker"
    folder.mkdir()
    library = DocumentLibrary.of_home(folder)
    library.pin(agreement.agreement, agreement.agreement.hash)
    yield folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert run_command(broker_commands, [*arguments, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_a_broker_is_set_up_and_takes_in_documents(
    home: Path, agreement: World, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up = run(capsys, "init", "--home", str(home), "--bind", "127.0.0.1:9999")
    assert (home / "broker.toml").stat().st_mode & 0o777 == 0o600
    assert (set_up["ready"], set_up["agreement_hash"]) == (False, agreement.agreement.hash.hex())
    assert read_settings(BrokerSettings, home, {}).bind == "127.0.0.1:9999"
    files = [str(home.parent / f"{name}.json") for name in ("epoch", "roster")]
    for path, signed in zip(files, (agreement.epoch, agreement.roster), strict=True):
        write_document_file(Path(path), signed)
    assert run(capsys, "accept", *files, "--home", str(home))["accepted"] == dict.fromkeys(files, True)
    assert run(capsys, "accept", *files, "--home", str(home))["accepted"] == dict.fromkeys(files, False)
    assert (home / "documents/epoch-1.json").exists() and (home / "documents/roster-1-1.json").exists()
    status = run(capsys, "status", "--home", str(home))
    assert (status["epoch"], status["roster"], status["unmatched_submissions"], status["records"]) == (1, 1, 0, 0)
    assert run(capsys, "caps", "--home", str(home)) == {"set_aside": [], "excess_across_groups": []}
    assert run_command(broker_commands, ["worker", "--home", str(home), "--once"]) == 0


def test_an_unsigned_document_is_refused_with_a_sentence(
    home: Path, agreement: World, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "init", "--home", str(home))
    path = home.parent / "epoch.json"
    write_document_file(path, type(agreement.epoch)(agreement.epoch.document, {}))
    assert run_command(broker_commands, ["accept", str(path), "--home", str(home)]) == ExitCode.DOCUMENTS_REFUSED
    assert "lacks a valid signature" in capsys.readouterr().err


def test_a_holders_key_file_in_the_settings_keeps_the_broker_from_starting(
    home: Path, agreement: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_settings(BrokerSettings, home, {"holder_key_file": "holder/keys.age"})
    write_key_file(home / "keys.age", agreement.parties["broker"].secrets, "x")
    monkeypatch.setenv("CROSSLIGHT_PASSPHRASE", "x")
    assert run_command(broker_commands, ["serve", "--home", str(home)]) == ExitCode.DOCUMENTS_REFUSED
    said = capsys.readouterr().err
    assert "holder_key_file" in said and "--insecure-single-operator" in said and "guess every identifier" in said
    assert "Traceback" not in said


def test_only_the_single_operator_flag_lets_it_start(sqlite_url: str, agreement: World) -> None:
    settings = BrokerSettings(holder_key_file=Path("holder/keys.age"))
    with pytest.raises(UserError, match="holder_key_file"):
        build_broker(sqlite_url, agreement=agreement, settings=settings)
    app = create_app(
        settings,
        signing_key=agreement.parties["broker"].signing_key,
        pinned_hash=agreement.agreement.hash,
        engine=open_engine(sqlite_url),
        insecure_single_operator=True,
    )
    assert app.test_client().get("/readyz").status_code == 200


def test_a_signing_key_other_than_the_enrolled_is_refused(sqlite_url: str, agreement: World) -> None:
    build_broker(sqlite_url, agreement=agreement)
    with pytest.raises(DocumentRefused, match="signing key"):
        create_app(
            BrokerSettings(),
            signing_key=SigningKey(bytes(32)),
            pinned_hash=agreement.agreement.hash,
            engine=open_engine(sqlite_url),
        )
    with pytest.raises(DocumentRefused, match="pinned agreement"):
        create_app(
            BrokerSettings(),
            signing_key=agreement.parties["broker"].signing_key,
            pinned_hash=bytes(32),
            engine=open_engine(sqlite_url),
        )


def test_before_the_first_epoch_the_broker_runs_and_says_that_it_is_not_ready(
    home: Path, sqlite_url: str, agreement: World
) -> None:
    from broker.startup import prepare_database

    settings = BrokerSettings(home=home, database_url=sqlite_url)
    engine, pinned_hash = prepare_database(settings)
    app = create_app(
        settings, signing_key=agreement.parties["broker"].signing_key, pinned_hash=pinned_hash, engine=engine
    )
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["checks"]["schema"] == "ready"


def test_migrations_make_the_tables_that_the_code_declares(database_url: str) -> None:
    engine = open_engine(database_url)
    migrate(engine, MIGRATIONS)
    migrate(engine, MIGRATIONS)
    assert schema_differences(engine, metadata) == []
