"""The keeper of the log as a program: once, and beside a server that is then killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from broker.settings import BrokerSettings
from broker.store import log
from crypto.keyfiles import write_key_file
from policies.library import DocumentLibrary
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.leaves import read_leaf
from policies.log.log_keys import LogKeys
from policies.log.tiles import TilePlace, decode_entries
from policies.service_settings import write_settings
from runtime.console import PASSPHRASE_VARIABLE
from runtime.database import open_engine, read_transaction
from tests.agreement_world import DAY, World, make_world
from tests.brokers import FOUR_GROUPS
from tests.holders import free_addresses

PASSPHRASE = "correct horse battery staple"
PATIENCE = 60.0


@pytest.fixture
def world() -> World:
    # The programs read the machine's clock. Nobody answers at the holders' addresses.
    now = int(time.time())
    addresses = free_addresses(["broker", "holder1", "holder2", "holder3"])
    return make_world(members=FOUR_GROUPS, addresses=addresses, not_before=now - DAY, not_after=now + 80 * DAY)


@pytest.fixture
def home(tmp_path: Path, world: World) -> Path:
    folder = tmp_path / "broker"
    folder.mkdir()
    library = DocumentLibrary.of_home(folder)
    library.pin(world.agreement, world.agreement.hash)
    for signed in (world.epoch, world.roster):
        library.accept(signed)
    write_key_file(folder / "keys.age", world.parties["broker"].secrets, PASSPHRASE)
    address = world.trust.agreement.broker.address
    write_settings(BrokerSettings, folder, {"bind": address.removeprefix("http://"), "workers": 1})
    return folder


def command(name: str, home: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "cli", "broker", name, "--home", str(home), *options]


def environment() -> dict[str, str]:
    return {**os.environ, PASSPHRASE_VARIABLE: PASSPHRASE}


@pytest.fixture
def serving(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command("serve", home), env=environment(), stderr=subprocess.DEVNULL) as process:
        yield process
        if process.poll() is None:
            process.terminate()


def wait_for(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.1)
    return False


def logged_events(home: Path) -> list[str]:
    """The events of the leaves that have a place, straight from the database."""
    with read_transaction(open_engine(f"sqlite:///{home / BrokerSettings.DATABASE}")) as connection:
        return [read_leaf(leaf).type for leaf in log.leaves(connection, 0, log.log_size(connection))]


def test_once_gives_every_leaf_its_place_under_a_signed_checkpoint(home: Path, world: World) -> None:
    subprocess.run(command("log", home, "--once"), env=environment(), check=True, stderr=subprocess.DEVNULL)
    assert logged_events(home) == ["agreement", "epoch", "roster", "activity"]
    subprocess.run(command("log", home, "--once"), env=environment(), check=True, stderr=subprocess.DEVNULL)
    assert logged_events(home) == ["agreement", "epoch", "roster", "activity"]


def test_without_the_key_the_keeper_says_so(home: Path) -> None:
    wrong = subprocess.run(
        command("log", home, "--once"),
        env={**os.environ, PASSPHRASE_VARIABLE: "wrong"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrong.returncode == 5
    assert "Traceback" not in wrong.stderr


def test_serving_keeps_the_log_with_a_passphrase_that_no_environment_holds(
    home: Path, world: World, serving: subprocess.Popen[bytes]
) -> None:
    address = world.trust.agreement.broker.address

    def answers() -> bool:
        try:
            return httpx.get(f"{address}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    assert wait_for(answers)
    # Only the keeper closes hours.
    assert wait_for(lambda: "activity" in logged_events(home))
    checkpoint = CosignedCheckpoint(httpx.get(f"{address}/log/checkpoint").text).verify(LogKeys.of(world.trust).key)
    place = TilePlace(0, checkpoint.size)
    bundle = httpx.get(f"{address}/log/tile/entries/{place.format()}").content
    assert read_leaf(decode_entries(bundle, checkpoint.size)[-1]).type == "activity"
    (keeper,) = [child for child in psutil.Process(serving.pid).children() if "log" in child.cmdline()]
    assert PASSPHRASE_VARIABLE not in keeper.environ()
    assert PASSPHRASE not in " ".join(keeper.cmdline())
    os.kill(serving.pid, signal.SIGKILL)
    serving.wait()
    assert wait_for(lambda: not keeper.is_running() or keeper.status() == psutil.STATUS_ZOMBIE)
