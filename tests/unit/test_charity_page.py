"""docs/charity.md names every command and every setting of the charity's client."""

from __future__ import annotations

from pathlib import Path

from clients.charity.commands import charity
from clients.charity.settings import CharitySettings
from runtime.settings import describe

PAGE = (Path(__file__).parents[2] / "docs/charity.md").read_text("utf-8")


def test_every_command_is_described():
    assert [name for name in charity.commands if f"`crosslight charity {name}" not in PAGE] == []


def test_every_setting_is_described_with_its_default():
    for setting in describe(CharitySettings):
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{setting.name}` |")]
        if setting.default:
            assert setting.default.removesuffix(".0") in row
