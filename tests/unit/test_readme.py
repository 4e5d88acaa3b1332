"""The README's commands are real: each is read out of the page and run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN_ELSEWHERE = {"make demo", "make test"}
"""The two commands themselves: `make test` is what runs this test; `make demo`'s command is run by the demo's tests."""


def readme_commands() -> list[str]:
    """The lines of every console block of the README, in order."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.xdist_group("processes")
def test_every_command_of_the_readme_runs(tmp_path: Path) -> None:
    commands = readme_commands()
    assert set(commands) >= RUN_ELSEWHERE
    shutil.copytree(ROOT / "tests/vectors/crosslight", tmp_path / "tests/vectors/crosslight")
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    for command in commands:
        if command in RUN_ELSEWHERE:
            continue
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert "first-bank,1,second-bank,7" in (tmp_path / "pairs.csv").read_text("utf-8")


def test_every_page_that_the_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (ROOT / target).exists(), target
