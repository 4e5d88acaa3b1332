"""Writes the table of docs/decisions-and-rules.md from the rules, so that it cannot say anything else: `--write`."""

from __future__ import annotations

import argparse
import re
import sys

from policies.decisions.rules import current_rules
from tests.project_files import ROOT

PAGE = ROOT / "docs/decisions-and-rules.md"
_PLACE = re.compile(r"(<!-- rules -->\n)(.*?)(<!-- /rules -->)", re.S)


def rule_table() -> str:
    """Every rule by its file: what it is called, what it says."""
    lines = ["| file | rule | | what it says |", "|---|---|---|---|"]
    for rule in sorted(current_rules().rules.values(), key=lambda rule: (rule.theme, rule.effect, rule.rule_id)):
        lines.append(f"| {rule.theme} | `{rule.rule_id}` | {rule.effect} | {rule.sentence} |")
    return "\n".join(lines) + "\n"


def shown() -> str:
    """The table as the page has it."""
    found = _PLACE.search(PAGE.read_text("utf-8"))
    return found[2] if found is not None else ""


def main() -> int:
    """Compare, or write."""
    parser = argparse.ArgumentParser(description="the table of the rules")
    parser.add_argument("--write", action="store_true", help="write it into the page")
    if parser.parse_args().write:
        text = PAGE.read_text("utf-8")
        PAGE.write_text(_PLACE.sub(lambda found: found[1] + rule_table() + found[3], text), "utf-8")
    return 0 if shown() == rule_table() else 1


if __name__ == "__main__":
    sys.exit(main())
