"""`crosslight charity desk` as a real process: its key file, its address, its gates, and its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from crypto.keyfiles import write_key_file
from tests.charity_world import CharityWorld
from tests.desk_server import example_charity

PASSPHRASE = "a passphrase of tests"


@dataclass
class RunningDesk:
    """A desk and the address that it printed."""

    process: subprocess.Popen[str]
    address: str
    charity: CharityWorld


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[RunningDesk]:
    charity = example_charity(tmp_path / "charity")
    write_key_file(charity.home / "keys.age", charity.ring(), PASSPHRASE)
    command = [sys.executable, "-m", "cli", "charity", "desk", "--home", str(charity.home), "--port", "0", "--json"]
    environment = {**os.environ, "CROSSLIGHT_PASSPHRASE": PASSPHRASE, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    printed = "".join(process.stdout.readline() for _ in range(3))
    yield RunningDesk(process, json.loads(printed)["address"], charity)
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_the_printed_address_lets_in_and_the_bare_one_does_not(desk: RunningDesk) -> None:
    base = desk.address.split("/enter")[0]
    assert base.startswith("http://127.0.0.1:")
    with httpx.Client(base_url=base, timeout=120, trust_env=False) as browser:
        assert browser.get("/").status_code == 401
        page = browser.get(desk.address, follow_redirects=True)
        assert page.status_code == 200
        # The example's services have no addresses that exist: the desk says so, and stands.
        assert "cannot be reached" in page.text


def test_an_interrupt_ends_it_quietly_and_nothing_was_logged(desk: RunningDesk) -> None:
    httpx.get(desk.address, timeout=30, trust_env=False)
    desk.process.send_signal(signal.SIGINT)
    output, errors = desk.process.communicate(timeout=30)
    assert "Traceback" not in errors
    assert "token" not in errors
    assert "token" not in output
    assert desk.process.returncode == 0
