"""A question to the rules: who wants to do what, when, and the facts that the answer depends on. Never an identifier.

Facts are whole numbers, yes or no, words, and sets of words. Knows no agreement and no rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from policies.decisions.actions import ACTIONS
from policies.document_fields import is_party_id
from policies.document_values import INTEGER_LIMIT, check_value
from policies.errors import DocumentRefused
from runtime.exits import ExitCode, UserError

Fact = int | bool | str | tuple[str, ...]

UNLISTED: Final = "?"
"""Stands in a record for a word that the agreement does not have: such a word could be anything, a name included."""

LONGEST_WORD = 64
MOST_WORDS = 1024


class QuestionRefused(UserError):
    """A question that the rules cannot be asked: an unknown action, role or fact, or one that is missing."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, ExitCode.INPUT_REFUSED)
        self.reason = reason


@dataclass(frozen=True)
class Question:
    """What is asked.

    action    one of policies.decisions.actions.ACTIONS
    party_id  who asks; "anybody" for whoever needs no signature
    role      in which role: institution, recipient, holder, broker, auditor, anybody
    at        Unix seconds
    facts     by the names that schema.cedarschema gives the action; sets of words are kept sorted, each word once
    """

    action: str
    party_id: str
    role: str
    at: int
    facts: Mapping[str, Fact] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise QuestionRefused(f"There is no action {self.action!r}.")
        if not is_party_id(self.party_id):
            raise QuestionRefused("A question names its party by an id of a-z, 0-9, point and hyphen.")
        if isinstance(self.at, bool) or not 0 <= self.at < INTEGER_LIMIT:
            raise QuestionRefused("The time of a question is Unix seconds, from 0 to below 2^53.")
        object.__setattr__(self, "facts", {name: _fact(name, self.facts[name]) for name in sorted(self.facts)})

    @property
    def words(self) -> frozenset[str]:
        """Every word in the facts."""
        found: set[str] = set()
        for fact in self.facts.values():
            if isinstance(fact, str):
                found.add(fact)
            elif isinstance(fact, tuple):
                found.update(fact)
        return frozenset(found)

    def keeping(self, words: frozenset[str]) -> Question:
        """The same question with every word that is not among `words` replaced by UNLISTED."""
        if self.words <= words:
            return self
        facts: dict[str, Fact] = {}
        for name, fact in self.facts.items():
            if isinstance(fact, str):
                facts[name] = fact if fact in words else UNLISTED
            elif isinstance(fact, tuple):
                facts[name] = tuple(word if word in words else UNLISTED for word in fact)
            else:
                facts[name] = fact
        return Question(self.action, self.party_id, self.role, self.at, facts)


def _fact(name: str, fact: object) -> Fact:
    if isinstance(fact, bool):
        return fact
    if isinstance(fact, int):
        if not 0 <= fact < INTEGER_LIMIT:
            raise QuestionRefused(f"The fact {name} is a number outside 0 to 2^53 - 1.")
        return fact
    if isinstance(fact, str):
        return _word(name, fact)
    if isinstance(fact, (tuple, list, set, frozenset)):
        words = tuple(sorted({_word(name, word) for word in fact}))
        if len(words) > MOST_WORDS:
            raise QuestionRefused(f"The fact {name} has more than {MOST_WORDS} words.")
        return words
    raise QuestionRefused(f"The fact {name} is none of a whole number, yes or no, a word and a set of words.")


def _word(name: str, word: object) -> str:
    if not isinstance(word, str) or len(word) > LONGEST_WORD:
        raise QuestionRefused(f"The fact {name} holds something that is no word of at most {LONGEST_WORD} characters.")
    try:
        check_value(word, name)
    except DocumentRefused as refused:
        raise QuestionRefused(f"In the facts, {refused.reason}") from None
    return word
