"""Checks a folder of vector files: finds each file's form by its name or its fields, and recomputes all of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cli.vectors.documents import check_documents
from cli.vectors.evaluation import check_oprf_threshold, check_record_secret
from cli.vectors.keys import Surroundings, surroundings
from cli.vectors.records import check_hpke_xwing, check_record, check_submission, check_tags
from cli.vectors.report import Node, Report
from cli.vectors.rules import check_ed25519_strict, check_merkle, check_opening_rule

Check = Callable[[Node, Surroundings], None]

FORMS: Mapping[str, tuple[Check, frozenset[str]]] = {
    "documents": (check_documents, frozenset({"epoch", "roster"})),
    "oprf_threshold": (check_oprf_threshold, frozenset({"cases"})),
    "tags": (check_tags, frozenset({"identifiers", "sorted_entries"})),
    "record_secret": (check_record_secret, frozenset({"y_r", "runs"})),
    "record": (check_record, frozenset({"envelope", "head"})),
    "hpke_xwing": (check_hpke_xwing, frozenset({"recipient_seed", "enc"})),
    "submission": (check_submission, frozenset({"records", "statement"})),
    "merkle": (check_merkle, frozenset({"trees"})),
    "opening_rule": (check_opening_rule, frozenset({"kinds", "groups", "cases"})),
    "ed25519_strict": (check_ed25519_strict, frozenset({"cases"})),
}
"""By a file's name without .json: its check, and fields by which it is known under another name."""


def check_folder(folder: Path) -> dict[str, Report]:
    """A report for each .json file of `folder`, by name, in order. Nothing in a file can make this raise."""
    parsed: dict[str, object] = {path.name: _parse(path) for path in sorted(folder.glob("*.json"))}
    by_form = {_form(name, value): value for name, value in reversed(parsed.items())}
    around = surroundings(by_form.get("documents"), by_form.get("hpke_xwing"))
    return {name: check_file(name, value, around) for name, value in parsed.items()}


def check_file(name: str, value: object, around: Surroundings) -> Report:
    """The report on one parsed file."""
    report = Report()
    form = _form(name, value)
    if isinstance(value, _Unreadable):
        report.differ("", value.reason)
    elif form is None:
        report.differ("", f"is of no known form; known are {', '.join(FORMS)}")
    else:
        check, _ = FORMS[form]
        with report.at(""):
            check(Node(value, "", report), around)
        if report.checked == 0 and not report.differences:
            report.differ("", f"holds nothing to check as {form}")
    return report


def _form(name: str, value: object) -> str | None:
    stem = name.removesuffix(".json")
    if stem in FORMS:
        return stem
    prefixed = [form for form in FORMS if stem.startswith((f"{form}_", f"{form}-", f"{form}."))]
    if prefixed:
        return max(prefixed, key=len)
    if isinstance(value, dict):
        fitting = [form for form, (_, fields) in FORMS.items() if fields <= set(value)]
        return max(fitting, key=lambda form: len(FORMS[form][1])) if fitting else None
    return None


class _Unreadable:
    def __init__(self, reason: str) -> None:
        self.reason = reason


def _parse(path: Path) -> object:
    """The JSON value of a file, or why it is none."""
    try:
        return json.loads(path.read_bytes(), object_pairs_hook=_no_duplicates)
    except OSError as error:
        return _Unreadable(f"cannot be read: {error.strerror}")
    except RecursionError:
        return _Unreadable("is nested too deeply")
    except ValueError as error:
        # A decoding error's text names a position, and quotes nothing of the file.
        return _Unreadable(
            f"is no JSON: {error}" if isinstance(error, json.JSONDecodeError) else f"is no JSON: {error!s:.80}"
        )


def _no_duplicates(members: list[tuple[str, Any]]) -> dict[str, Any]:
    collected = dict(members)
    if len(collected) != len(members):
        raise ValueError("a name is there twice in one object")
    return collected
