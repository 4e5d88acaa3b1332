"""The rules of the house that a reviewer would otherwise have to look for: files, names, sizes, commands."""

import ast
import re
import subprocess
import tomllib

import pytest

from tests.project_files import PACKAGES, ROOT, modules, project_files, read

LONGEST_MODULE = 400
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "lib", "stuff"}
# Written so that this module does not hold what it looks for.
MACHINE_PATHS = re.compile(r"(?<![\w.$/}\])-])/(?:(?:work|root|Users|mnt)/|home/[a-z]|tmp/[a-z])")
REGISTRY_HOSTS = re.compile("|".join([r"pypi\." + "org", "python" + "hosted", "npm" + "js", r"golang\." + "org"]))
UNFINISHED = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b")
NOT_RUN = re.compile(r"pytest\.(?:" + "sk" + r"ip|mark\.sk" + r"ip|x" + r"fail|mark\.x" + r"fail|import" + "orskip)")


def hits(pattern: re.Pattern[str], suffixes: tuple[str, ...] = ()) -> list[str]:
    """Every line of the project's files on which the pattern is found, as path:line."""
    found = []
    for path in project_files():
        text = read(path) if not suffixes or path.suffix in suffixes else None
        for number, line in enumerate((text or "").splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{path}:{number}")
    return found


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    # Manuals name the usual places of a server, such as /srv and /etc.
    assert hits(MACHINE_PATHS) == []


def test_no_file_names_a_package_registry() -> None:
    assert hits(REGISTRY_HOSTS) == []


def test_nothing_is_left_unfinished_and_no_test_is_passed_over() -> None:
    assert hits(UNFINISHED, (".py", ".md", ".html", ".css", ".toml", ".sh")) == []
    assert hits(NOT_RUN, (".py",)) == []


@pytest.mark.parametrize("pattern", [MACHINE_PATHS, REGISTRY_HOSTS, UNFINISHED, NOT_RUN])
def test_the_patterns_find_what_they_are_for(pattern: re.Pattern[str]) -> None:
    planted = ["cd /wo" + "rk/main", "https://pypi." + "org/simple", "# TO" + "DO: later", "pytest.sk" + "ip('later')"]
    assert any(pattern.search(line) for line in planted)


def test_every_module_begins_by_saying_what_it_is_for() -> None:
    silent = [str(path) for path in modules() if not ast.get_docstring(ast.parse(read(path) or ""))]
    assert silent == []


def test_every_folder_of_shipped_modules_is_a_package() -> None:
    # Migrations are read by their path, one after another, and are no package.
    folders = {path.parent for path in modules() if path.parts[0] in PACKAGES and path.parent.name != "versions"}
    assert [str(folder) for folder in sorted(folders) if not (ROOT / folder / "__init__.py").exists()] == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [str(path) for path in modules() if path.stem in VAGUE_NAMES] == []


def test_no_shipped_module_is_too_long_to_be_read_in_one_go() -> None:
    shipped = [path for path in modules() if path.parts[0] in PACKAGES]
    too_long = {str(path): lines for path in shipped if (lines := (read(path) or "").count("\n")) > LONGEST_MODULE}
    assert too_long == {}


def test_test_modules_have_different_names() -> None:
    names = [path.name for path in modules() if path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


def test_make_alone_lists_every_target_with_a_line() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    described = dict(re.findall(r"^  make (\S+) +(\S.*)$", listed, re.M))
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert phony is not None
    assert set(described) == set(phony[1].split())
    assert {"demo", "test", "lint", "bench", "chaos", "clean"} <= set(described)


def test_ci_runs_what_a_person_runs() -> None:
    steps = [line for line in (ROOT / ".ci/run").read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert steps[-1] == "make test"
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


def test_the_import_contract_packaging_and_type_checks_cover_the_same_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contract = project["tool"]["importlinter"]
    layers = [name.strip() for layer in contract["contracts"][0]["layers"] for name in layer.split("|")]
    assert set(contract["root_packages"]) == set(layers) == set(project["tool"]["mypy"]["files"]) == set(PACKAGES)
    packaged = re.search(r"^PACKAGES = (\[.*\])$", (ROOT / "setup.py").read_text("utf-8"), re.M)
    assert packaged is not None
    assert set(ast.literal_eval(packaged[1])) == set(PACKAGES)
    others = {path.parts[0] for path in modules() if len(path.parts) > 1} - set(PACKAGES)
    assert others == {"tests", "benchmarks"}


def test_the_changelog_has_a_place_for_what_is_not_released() -> None:
    assert re.search(r"^## Unreleased$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text


def test_every_page_is_reached_from_another_and_every_link_leads_somewhere() -> None:
    pages = [path for path in project_files() if path.suffix == ".md" and path.parts[0] in ("docs", path.name)]
    reached = set()
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", read(page) or ""):
            if not re.match(r"[a-z]+:", target):
                found = (ROOT / page.parent / target).resolve()
                assert found.exists(), f"{page} links to {target}"
                reached.add(found)
    lost = [str(page) for page in pages if page.parts[0] == "docs" and (ROOT / page).resolve() not in reached]
    decisions = {str(page) for page in pages if page.parent.name == "decisions"}
    assert set(lost) - decisions == set()
