"""The operator's page is a rehearsal that runs: its console blocks, in order, from the first key to an opened alert."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo.processes import free_port
from tests.project_files import ROOT

SERVICES = ("8430", "8441", "8442", "8443")
"""The ports that the page names; the test takes free ones in their place."""


class Rehearsal:
    """One shell after another in one folder; variables that a block sets are known to the next, as at a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {port: str(free_port()) for port in SERVICES}
        self._shells: list[subprocess.Popen[str]] = []
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "TMPDIR": str(folder),
        }

    def run(self, block: str) -> None:
        """Run a block; it must end well. What it starts in the background goes on until `stop`."""
        # Addresses first: the loop over the holders' ports is the only place that names half a port.
        block = block.replace("--bind 127.0.0.1:844$i", "--bind 127.0.0.1:$(printenv PORT_844$i)")
        for port, free in self.ports.items():
            block = block.replace(port, free)
        script = f"set -euo pipefail; [ ! -f .variables ] || . ./.variables; set -a\n{block}\nexport -p > .variables\n"
        log = self.folder / f"block-{len(self._shells)}.log"
        environment = self._environment | {f"PORT_{port}": free for port, free in self.ports.items()}
        with log.open("w") as output:
            shell = subprocess.Popen(
                ["bash", "-c", script],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self._shells.append(shell)
        assert shell.wait(timeout=600) == 0, f"{block}\n{log.read_text('utf-8', 'replace')}"

    def wait_until_ready(self) -> None:
        """Wait until every service answers 200 at /readyz."""
        for port in self.ports.values():
            deadline = time.monotonic() + 120
            while not _is_ready(port):
                assert time.monotonic() < deadline, [log.read_text() for log in self.folder.glob("*.log")]
                time.sleep(0.2)

    def stop(self) -> None:
        """End what still runs: the session of each shell, by its id."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for shell in self._shells:
                try:
                    os.killpg(shell.pid, number)
                except ProcessLookupError:
                    continue
            time.sleep(1)


def _is_ready(port: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    """An empty folder, and everything that was started in it ended afterwards."""
    running = Rehearsal(tmp_path)
    yield running
    running.stop()


# Minutes of key files opened and services started: with the other long runs.
@pytest.mark.chaos
def test_the_ceremony_of_the_page_runs_and_ends_with_an_opened_alert(rehearsal: Rehearsal) -> None:
    page = (ROOT / "docs/operator.md").read_text("utf-8")
    blocks = re.findall(r"```console\n(.*?)```", page, re.S)
    assert len(blocks) >= 14
    for block in blocks:
        rehearsal.run(block)
        if "holder serve" in block:
            rehearsal.wait_until_ready()
    pairs = (rehearsal.folder / "pairs.csv").read_text("utf-8").splitlines()
    assert pairs[1:] == ["bank-a,1,bank-b,7,person.name-birthdate phone"]
