"""docs/reference.md says what the code says, and every command that a page shows exists with the options shown."""

import re
import shlex

import click
import pytest

from cli.main import crosslight
from runtime.exits import ExitCode
from tests import reference_page
from tests.project_files import ROOT, project_files, read

PAGES = [
    path for path in project_files() if path.suffix == ".md" and (path.parts[0] == "docs" or path.name == "README.md")
]
CALL = re.compile(
    r"\bcrosslight ((?:agreement|epoch|roster|holder|broker|institution|charity|demo|doctor)\b[^`\n;|&]*)"
)


def test_every_table_is_what_the_code_says() -> None:
    assert reference_page.differing(reference_page.PAGE.read_text("utf-8")) == []


def test_a_changed_table_is_noticed() -> None:
    text = reference_page.PAGE.read_text("utf-8").replace("done in part", "half done", 1)
    assert reference_page.differing(text) == ["exit codes"]


def test_every_command_explains_itself_in_a_sentence() -> None:
    silent = [name for name, _, line in reference_page.commands() if not line.endswith(".")]
    assert silent == []


def test_every_option_has_a_help_text() -> None:
    silent = [
        f"{name} {option.opts[0]}"
        for name, command, _ in reference_page.commands()
        for option in command.params
        if isinstance(option, click.Option) and not option.help and option.opts[0] not in SELF_EVIDENT
    ]
    assert silent == []


SELF_EVIDENT = {"--format", "--database"}
"""Options whose choices say it."""


def test_the_help_of_crosslight_names_every_exit_code() -> None:
    text = " ".join((crosslight.help or "").split())
    assert all(re.search(rf"\b{int(code)} [a-z]", text) for code in ExitCode)


def calls() -> list[tuple[str, str]]:
    """Every command that a page shows, with the page's name."""
    return sorted({(str(page), found) for page in PAGES for found in CALL.findall(read(page) or "")})


@pytest.mark.parametrize(("page", "call"), calls())
def test_a_command_that_a_page_shows_exists_with_its_options(page: str, call: str) -> None:
    try:
        words = shlex.split(call.split("  ")[0].split(" #")[0].strip().rstrip(".,:)"), comments=True)
    except ValueError:
        words = call.split()
    command: click.Command = crosslight
    for word in words:
        if isinstance(command, click.Group) and re.fullmatch(r"[a-z-]+", word) and not word.startswith("-"):
            found = command.get_command(click.Context(command), word)
            assert found is not None, f"{page}: there is no command {word} in crosslight {call}"
            command = found
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help", "-h"}
    for option in (word.split("=")[0] for word in words if re.match(r"--[a-z]", word)):
        assert option in known, f"{page}: crosslight {call} has no option {option}"


def test_every_setting_that_the_operators_page_names_exists() -> None:
    known = {each.name for cls in reference_page.SETTINGS.values() for each in reference_page.describe(cls)}
    page = (ROOT / "docs/operator.md").read_text("utf-8")
    named = {"metrics_from", "certificate", "certificate_key", "base_url", "workers", "threads", "holder_key_file"}
    assert named <= known
    assert all(f"`{name}`" in page for name in named)
