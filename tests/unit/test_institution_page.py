"""docs/institution.md says what the code does: every kind, part, reason and setting, and a mapping that works."""

import re
from pathlib import Path

from clients.identifiers.kinds import national_id
from clients.identifiers.outcomes import REASONS
from clients.identifiers.registry import KIND_NAMES, kind_of
from clients.institution.mapping_file import parse_mapping
from clients.institution.prepare import INDICATOR_NOT_AGREED
from clients.institution.preview import TOO_LARGE, Preview
from clients.institution.preview_report import Standing, preview_data
from clients.institution.settings import InstitutionSettings
from runtime.settings import describe

PAGE = (Path(__file__).parents[2] / "docs" / "institution.md").read_text("utf-8")


def test_every_kind_stands_in_the_page_with_all_of_its_parts() -> None:
    for name in KIND_NAMES:
        [line] = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
        for part in kind_of(name).parts:
            assert f"`{part.name}`" in line, f"{part.name} of {name}"


def test_every_reason_stands_in_the_page_as_the_commands_say_it() -> None:
    for reason, sentence in REASONS.items():
        assert f"| `{reason}` | {sentence} |" in PAGE
    assert f"| `{INDICATOR_NOT_AGREED}` |" in PAGE


def test_every_setting_stands_in_the_page_with_its_meaning() -> None:
    for each in describe(InstitutionSettings):
        assert re.search(rf"^\| `{each.name}` \| .*{re.escape(each.help)} \|$", PAGE, re.MULTILINE), each.name


def test_the_mapping_in_the_page_can_be_read() -> None:
    [text] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    found = parse_mapping(text, Path("mapping.toml"), {})
    assert found.kinds == ("phone", "email", "bank-account", "passport", "web-handle", "person.name-birthdate")
    assert found.filter.described() == ["flagged", ["yes", "1"]]


def test_every_count_of_a_preview_stands_in_the_page() -> None:
    names = set(preview_data(Preview({}), "", Standing({}))) - {"source", "indicators_left_out"}
    assert not [name for name in names if f"`{name}`" not in PAGE]
    assert TOO_LARGE.replace("-", "_") in names


def test_the_page_counts_the_countries_with_check_digits_rightly() -> None:
    [count] = re.findall(r"for the (\d+) countries in which one number is everybody's", PAGE)
    assert int(count) == len(national_id.SCHEMES)
