"""Facts as people type them: `--fact kinds=phone,email`, read by what the schema says that they are.

Knows the command line's text and the forms of facts, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from policies.decisions.question import Fact, QuestionRefused
from policies.decisions.rules import FactForm

_TRUTHS: Final[Mapping[str, bool]] = {"yes": True, "true": True, "no": False, "false": False}
GOOD_STANDING: Final[Mapping[str, Fact]] = {"suspended": False, "departed": False}
"""What is taken for granted where it is not said."""


def read_facts(given: Iterable[str], forms: Mapping[str, FactForm]) -> dict[str, Fact]:
    """The facts of an action from NAME=VALUE each; raises QuestionRefused."""
    facts: dict[str, Fact] = {name: fact for name, fact in GOOD_STANDING.items() if name in forms}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or name not in forms:
            raise QuestionRefused(f"{text!r} is no fact of this action: its facts are {described(forms)}.")
        facts[name] = _fact(name, value, forms[name])
    missing = [name for name, form in forms.items() if name not in facts and not form.optional]
    if missing:
        raise QuestionRefused(f"Still to be said: {described({name: forms[name] for name in missing})}.")
    return facts


def described(forms: Mapping[str, FactForm]) -> str:
    """The facts with their forms, for people."""
    return ", ".join(f"{name} ({form.type})" for name, form in sorted(forms.items())) or "none"


def _fact(name: str, value: str, form: FactForm) -> Fact:
    if form.type == "words":
        return tuple(word.strip() for word in value.split(",") if word.strip())
    if form.type == "word":
        return value
    if form.type == "yes or no":
        if value not in _TRUTHS:
            raise QuestionRefused(f"The fact {name} is yes or no.")
        return _TRUTHS[value]
    if not value.isascii() or not value.isdigit():
        raise QuestionRefused(f"The fact {name} is a whole number.")
    return int(value)
