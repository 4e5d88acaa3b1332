"""The threat model's page names a test for every attacker and every attack, and each of them exists."""

import ast
import re

import pytest

from tests.project_files import ROOT

PAGE = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
TEST = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
PLAYED = tuple(range(1, 16))


def section(title: str) -> str:
    """The page's text under a heading."""
    _, _, rest = PAGE.partition(f"## {title}\n")
    assert rest, title
    return rest.partition("\n## ")[0]


def rows_of(title: str) -> list[list[str]]:
    """The cells of each line of the section's table, the heading left out."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def functions_of(file_name: str) -> set[str]:
    """The test functions of the one module of that name."""
    (path,) = (ROOT / "tests").rglob(file_name)
    return {node.name for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("file_name", sorted({name for name, _ in TEST.findall(PAGE)}))
def test_every_test_on_the_page_exists(file_name: str) -> None:
    named = {function for name, function in TEST.findall(PAGE) if name == file_name}
    assert named <= functions_of(file_name)


def test_nothing_on_the_page_looks_like_a_test_without_being_one() -> None:
    assert len(re.findall(r"test_\w+\.py", PAGE)) == len(TEST.findall(PAGE))


def test_every_attack_that_is_played_is_listed_with_its_test() -> None:
    rows = rows_of("The attacks that the tests play")
    assert [int(row[0]) for row in rows] == list(PLAYED)
    assert all(len(row) == 4 and TEST.search(row[3]) for row in rows)


def test_every_attacker_has_a_test() -> None:
    rows = rows_of("Attackers")
    assert len(rows) > 10
    assert [row[0] for row in rows if not TEST.search(row[-1])] == []
