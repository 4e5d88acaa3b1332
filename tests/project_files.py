"""Which files belong to the project: what git tracks or would track, or without git everything that is not ignored.

Knows paths alone. Used by the tests that hold rules over all files, and to copy the project elsewhere.
"""

from __future__ import annotations

import fnmatch
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("crypto", "wire", "policies", "runtime", "keyholder", "broker", "clients", "cli", "demo")
"""The top-level packages that are shipped."""


@cache
def project_files() -> tuple[Path, ...]:
    """Every file of the project, relative to its root, sorted."""
    names = _names_from_git() if (ROOT / ".git").exists() and shutil.which("git") else _names_from_folder()
    # A file that was just removed may still be in git's index.
    return tuple(sorted(Path(name) for name in names if (ROOT / name).is_file()))


def shipped_files() -> list[Path]:
    """Every file under one of the shipped packages."""
    return [path for path in project_files() if path.parts[0] in PACKAGES]


def modules() -> list[Path]:
    """Every Python module."""
    return [path for path in project_files() if path.suffix == ".py"]


def read(path: Path) -> str | None:
    """The text of a project file; None where it is no text."""
    try:
        return (ROOT / path).read_text("utf-8")
    except UnicodeDecodeError:
        return None


def copy_project(destination: Path) -> None:
    """Copy the project's files, and nothing else that lies between them, into a new folder."""
    for path in project_files():
        target = destination / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)


def _names_from_git() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [name for name in listed.stdout.decode("utf-8").split("\0") if name]


def _names_from_folder() -> list[str]:
    lines = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    ignored = [line.strip().rstrip("/") for line in lines if line.strip() and not line.startswith("#")]
    found = []
    for path in ROOT.rglob("*"):
        relative = path.relative_to(ROOT)
        parts = [str(Path(*relative.parts[: count + 1])) for count in range(len(relative.parts))]
        if ".git" not in relative.parts and not any(_is_ignored(part, ignored) for part in parts):
            found.append(str(relative))
    return found


def _is_ignored(name: str, ignored: list[str]) -> bool:
    """Whether a path is what one of the .gitignore lines (without negation) names."""
    return any(fnmatch.fnmatch(name, rule.strip("/")) or fnmatch.fnmatch(Path(name).name, rule) for rule in ignored)
