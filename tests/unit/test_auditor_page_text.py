"""docs/auditor.md names every command, setting and subject of a finding; the rule of outliers is the code's."""

from __future__ import annotations

from clients.auditor.commands import auditor
from clients.auditor.evaluations import CUTOFF, LEAST
from clients.auditor.settings import AuditorSettings
from runtime.settings import describe
from tests.project_files import ROOT

PAGE = (ROOT / "docs/auditor.md").read_text("utf-8")
SUBJECTS = ("log", "copy", "documents", "times", "withdrawals", "counts", "activity", "openings", "decisions")


def test_every_command_is_described():
    assert [name for name in auditor.commands if f"`crosslight auditor {name}" not in PAGE] == []


def test_every_setting_is_described_with_its_default():
    for setting in describe(AuditorSettings):
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{setting.name}` |")]
        if setting.default:
            assert setting.default.removesuffix(".0") in row


def test_every_subject_is_described():
    assert [subject for subject in SUBJECTS if f"\n| {subject} | " not in PAGE] == []


def test_the_rule_of_outliers_is_the_codes():
    assert f"at least {LEAST} evaluations" in PAGE
    assert CUTOFF == 6
