"""docs/charity.md names every command and every setting of the charity's client."""

from __future__ import annotations

from pathlib import Path

from clients.charity.commands import charity
from clients.charity.settings import CharitySettings
from runtime.settings import describe

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/charity.md").read_text("utf-8")
WHERE_REASONS_ARE_SAID = (
    "policies/evidence.py",
    "clients/charity/evidence.py",
    "clients/charity/office.py",
    "clients/charity/opening.py",
)


def test_every_command_is_described():
    assert [name for name in charity.commands if f"`crosslight charity {name}" not in PAGE] == []


def test_every_setting_is_described_with_its_default():
    for setting in describe(CharitySettings):
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{setting.name}` |")]
        if setting.default:
            assert setting.default.removesuffix(".0") in row


def test_the_reasons_that_the_page_explains_are_those_that_the_client_gives():
    sources = "".join((ROOT / name).read_text("utf-8") for name in WHERE_REASONS_ARE_SAID)
    rows = PAGE.split("## What stays shut, and why")[1].split("\n## ")[0].splitlines()
    quoted = [part for row in rows if row.startswith("| ") for part in row.split("|")[1].strip().split(", ...")]
    reasons = [" ".join(part.replace("...", " ").split()) for part in quoted][1:]
    assert len(reasons) >= 8
    assert [reason for reason in reasons if reason not in sources] == []


def test_the_picture_of_the_desk_is_small_enough_to_be_read_by_mail():
    assert (ROOT / "docs/desk.png").stat().st_size <= 200_000
