"""A decision as it is kept: the question, by which agreement and rules it was answered, and the answer.

Its JSON form is canonical (RFC 8785) and holds no identifier. Knows no rule and does not decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from policies.decisions.question import Fact, Question, QuestionRefused
from policies.documents import HASH_LENGTH, Document
from policies.errors import DocumentRefused
from wire.packed import InvalidPacked, pack, unpack

DECISION_TYPE: Final = "crosslight/v1 decision"

_MEMBERS = frozenset(
    {"type", "action", "party_id", "role", "at", "facts", "agreement_hash", "rules_hash", "rules", "allowed"}
)


@dataclass(frozen=True)
class DecisionRecord:
    """One decision.

    question        with every word that the agreement does not have replaced
    agreement_hash  32 bytes
    rules_hash      32 bytes: of the Cedar files and their schema
    rules           ids of the rules that decided, sorted: the forbids that held, or else the permits; none where
                    nothing permits
    """

    question: Question
    agreement_hash: bytes
    rules_hash: bytes
    rules: tuple[str, ...]
    allowed: bool

    def to_document(self) -> Document:
        """The JSON form."""
        facts = {name: list(fact) if isinstance(fact, tuple) else fact for name, fact in self.question.facts.items()}
        return {
            "type": DECISION_TYPE,
            "action": self.question.action,
            "party_id": self.question.party_id,
            "role": self.question.role,
            "at": self.question.at,
            "facts": facts,
            "agreement_hash": pack(self.agreement_hash),
            "rules_hash": pack(self.rules_hash),
            "rules": list(self.rules),
            "allowed": self.allowed,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> DecisionRecord:
        """Read the JSON form; raises DocumentRefused."""
        if set(document) != _MEMBERS or document["type"] != DECISION_TYPE:
            raise DocumentRefused("This is no decision record: its members are not those of one.")
        try:
            question = Question(
                _text(document, "action"),
                _text(document, "party_id"),
                _text(document, "role"),
                _whole(document, "at"),
                _facts(document["facts"]),
            )
        except QuestionRefused as refused:
            raise DocumentRefused(f"The decision record cannot be read: {refused.reason}") from None
        rules, allowed = document["rules"], document["allowed"]
        if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
            raise DocumentRefused("The rules of a decision record must be a list of ids.")
        if rules != sorted(set(rules)):
            raise DocumentRefused("The rules of a decision record must be sorted, each once.")
        if not isinstance(allowed, bool):
            raise DocumentRefused("A decision record says true or false whether the request was allowed.")
        return cls(question, _hash(document, "agreement_hash"), _hash(document, "rules_hash"), tuple(rules), allowed)


def _facts(value: object) -> dict[str, Fact]:
    if not isinstance(value, Mapping):
        raise DocumentRefused("The facts of a decision record must be an object.")
    facts: dict[str, Fact] = {}
    for name, fact in value.items():
        if isinstance(fact, list):
            if not all(isinstance(word, str) for word in fact) or fact != sorted(set(fact)):
                raise DocumentRefused(f"The fact {name} of a decision record must be words, sorted, each once.")
            facts[name] = tuple(fact)
        else:
            facts[name] = fact
    return facts


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document[name]
    if not isinstance(value, str):
        raise DocumentRefused(f"The {name} of a decision record must be text.")
    return value


def _whole(document: Mapping[str, Any], name: str) -> int:
    value = document[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise DocumentRefused(f"The {name} of a decision record must be a whole number.")
    return value


def _hash(document: Mapping[str, Any], name: str) -> bytes:
    try:
        value = unpack(_text(document, name))
    except InvalidPacked:
        value = b""
    if len(value) != HASH_LENGTH:
        raise DocumentRefused(f"The {name} of a decision record is not 32 bytes in base64url without padding.")
    return value
