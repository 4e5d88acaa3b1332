"""The wheel is the whole product: built from the project's files alone, installed where no checkout can be imported.

The new environment sees the dependencies that this one has, so that only the build asks the package index (for its
own tools).
"""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.main import COMMANDS
from tests.project_files import PACKAGES, ROOT, copy_project, shipped_files

pytestmark = pytest.mark.xdist_group("processes")

# A .pth file in this folder would bring the checkout back; as a plain path entry its .pth files are not read.
DEPENDENCIES = sysconfig.get_path("purelib")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the project."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    copy_project(source)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(built), ".", cwd=source)
    (path,) = built.glob("crosslight-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of commands of a new virtual environment that holds the wheel, and sees its dependencies."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False)
    python = environment / "bin/python"
    run(sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    library = next(environment.glob("lib/python*/site-packages"))
    (library / "dependencies.pth").write_text(DEPENDENCIES + "\n")
    yield environment / "bin"


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command without this process's ideas of where modules and settings are; it must end well."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "CROSSLIGHT_"))}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if not name.endswith("/")}
    in_packages = {name for name in held if name.split("/")[0] in PACKAGES}
    assert in_packages == {path.as_posix() for path in shipped_files()}
    others = {name.split("/")[0] for name in held - in_packages}
    assert len(others) == 1 and others.pop().endswith(".dist-info")


def test_the_installed_modules_are_the_wheels(installed: Path, tmp_path: Path) -> None:
    code = "import json, sys; print(json.dumps([__import__(name).__file__ for name in sys.argv[1:]]))"
    done = run(str(installed / "python"), "-c", code, *PACKAGES, cwd=tmp_path)
    for path in json.loads(done.stdout):
        assert Path(path).is_relative_to(installed.parent)
        assert not Path(path).is_relative_to(ROOT)


def test_the_installed_command_explains_itself(installed: Path, tmp_path: Path) -> None:
    assert "institution" in run(str(installed / "crosslight"), "--help", cwd=tmp_path).stdout


@pytest.mark.parametrize("party", [*COMMANDS])
def test_every_partys_commands_load(installed: Path, tmp_path: Path, party: str) -> None:
    assert "Usage:" in run(str(installed / "crosslight"), party, "--help", cwd=tmp_path).stdout


def test_the_installed_doctor_finds_all_well(installed: Path, tmp_path: Path) -> None:
    report = json.loads(run(str(installed / "crosslight"), "doctor", "--json", cwd=tmp_path).stdout)
    assert {"broker.store/migrations", "keyholder.store/migrations"} <= {one["name"] for one in report["findings"]}
    assert all(one["well"] for one in report["findings"])


def test_the_shipped_templates_rules_and_lists_are_read_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = """
from clients.identifiers import Hints, normalise
from policies.agreement import templates
from policies.decisions.rules import current_rules
print([sorted(templates.template(name).kinds) for name in templates.names()])
print(sorted(current_rules().rules))
print(normalise("phone", {"number": "0000000000"}, Hints(region="GB")))
"""
    output = run(str(installed / "python"), "-c", code, cwd=tmp_path).stdout
    assert "person.name-birthdate" in output
    assert "gate-not-met" in output
    assert "PlaceholderFound" in output


def test_the_wheel_declares_what_it_depends_on(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
    required = [line.removeprefix("Requires-Dist: ") for line in metadata.splitlines() if "Requires-Dist" in line]
    assert all(">=" in line for line in required)
    assert any(line.startswith("pycryptodome") and "platform_system" in line for line in required)
    assert "License-Expression: Apache-2.0" in metadata or "License: Apache-2.0" in metadata
