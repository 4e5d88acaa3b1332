"""The rules as they stand in policies/rules: Cedar policies with their ids and sentences, the schema, and their hash.

A decision names the hash of the rules that it was taken by. Rules that a released version had stay under
rules/retired, so that its decisions can still be replayed. Knows no agreement and no question.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final, Literal

from cedarpy import PolicySet, Schema, policies_to_json_str

Effect = Literal["permit", "forbid"]
FactType = Literal["number", "yes or no", "word", "words"]

SCHEMA_FILE: Final = "schema.cedarschema"
RETIRED: Final = "retired"
NOT_ALLOWED: Final = "not-allowed"

_HASH_LABEL = b"crosslight/v1 rules\0"
_FACT_TYPES: Mapping[str, FactType] = {"Long": "number", "Bool": "yes or no", "String": "word", "Set<String>": "words"}
# Policies stand apart by blank lines, each with its annotations first.
_POLICY = re.compile(r'^@id\("([^"]+)"\).*?(?=\n\n|\n*\Z)', re.M | re.S)
_TYPE = re.compile(r"^type (\w+) = \{(.*?)\};", re.M | re.S)
_ACTION = re.compile(r'^action "([^"]+)"[^;]*? appliesTo \{.*?context: (\w+|\{.*?\})\n\};', re.M | re.S)
_FACT = re.compile(r"(\w+)(\??): ([\w<>]+)")


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy.

    sentence  what it says, for people
    remedy    for a forbid: what would have to change
    theme     the file that it stands in
    text      the policy as it is written
    problem   the code with which a service refuses by it
    body      the policy in Cedar's JSON form
    """

    rule_id: str
    effect: Effect
    sentence: str
    remedy: str
    theme: str
    text: str
    problem: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FactForm:
    """What a fact must be, and whether a question may leave it out."""

    type: FactType
    optional: bool


@dataclass(frozen=True)
class RuleSet:
    """All rules of one moment: parsed for Cedar, and by id for people; `hash` is 32 bytes."""

    hash: bytes
    policies: PolicySet
    schema: Schema
    rules: Mapping[str, Rule]
    facts: Mapping[str, Mapping[str, FactForm]]
    """The facts of each action, `at` not among them."""
    source: str
    schema_source: str


class UnknownRules(LookupError):
    """A decision was taken by rules that this version does not have; the text is a sentence."""


@cache
def current_rules() -> RuleSet:
    """The rules by which decisions are taken now."""
    return read_rules(_folder())


def rules_of(rules_hash: bytes) -> RuleSet:
    """The current or retired rules with this hash; raises UnknownRules."""
    current = current_rules()
    if rules_hash == current.hash:
        return current
    found = _retired_rules().get(rules_hash)
    if found is None:
        raise UnknownRules(f"This version of Crosslight has no rules with the hash {rules_hash.hex()}.")
    return found


@cache
def _retired_rules() -> Mapping[bytes, RuleSet]:
    retired = _folder().joinpath(RETIRED)
    if not retired.is_dir():
        return {}
    read = [read_rules(folder) for folder in retired.iterdir() if folder.is_dir()]
    return {rules.hash: rules for rules in read}


def _folder() -> Traversable:
    return files("policies").joinpath("rules")


def read_rules(folder: Traversable) -> RuleSet:
    """The rules in a folder; raises ValueError where they cannot be parsed or are not written as rules must be."""
    schema_source = folder.joinpath(SCHEMA_FILE).read_text("utf-8")
    themes = {
        each.name: each.read_text("utf-8")
        for each in sorted(folder.iterdir(), key=lambda each: each.name)
        if each.name.endswith(".cedar")
    }
    source = "\n".join(themes.values())
    return RuleSet(
        hash=rules_hash({**themes, SCHEMA_FILE: schema_source}),
        policies=PolicySet.from_str(source),
        schema=Schema.from_str(schema_source),
        rules=_read_policies(themes),
        facts=_read_facts(str(Schema.from_str(schema_source))),
        source=source,
        schema_source=schema_source,
    )


def rules_hash(sources: Mapping[str, str]) -> bytes:
    """SHA-256 over the label and, by name, each file's name and content, both with their lengths; 32 bytes."""
    digest = hashlib.sha256(_HASH_LABEL)
    for name in sorted(sources):
        for part in (name.encode(), sources[name].encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
    return digest.digest()


def _read_policies(themes: Mapping[str, str]) -> Mapping[str, Rule]:
    rules: dict[str, Rule] = {}
    for name, source in themes.items():
        texts = {match[1]: match[0] for match in _POLICY.finditer(source)}
        for body in json.loads(policies_to_json_str(source))["staticPolicies"].values():
            rule = _rule(name.removesuffix(".cedar"), body, texts)
            if rule.rule_id in rules:
                raise ValueError(f"two rules have the id {rule.rule_id}")
            rules[rule.rule_id] = rule
    return rules


def _rule(theme: str, body: Mapping[str, Any], texts: Mapping[str, str]) -> Rule:
    annotations: Mapping[str, str] = body.get("annotations", {})
    effect: Effect = body["effect"]
    rule_id = annotations.get("id", "")
    needed = ("id", "sentence", "remedy") if effect == "forbid" else ("id", "sentence")
    for name in needed:
        if not annotations.get(name):
            raise ValueError(f"a rule in {theme} ({rule_id or 'without an id'}) lacks @{name}")
    if rule_id not in texts:
        raise ValueError(f"the rule {rule_id} in {theme} does not begin with its @id after a blank line")
    return Rule(
        rule_id=rule_id,
        effect=effect,
        sentence=annotations["sentence"],
        remedy=annotations.get("remedy", ""),
        theme=theme,
        text=texts[rule_id],
        problem=annotations.get("problem", NOT_ALLOWED),
        body=body,
    )


def _read_facts(schema_text: str) -> Mapping[str, Mapping[str, FactForm]]:
    """The facts of every action, from the schema as Cedar writes it."""
    types = {match[1]: match[2] for match in _TYPE.finditer(schema_text)}
    return {match[1]: dict(_facts(types.get(match[2], match[2]))) for match in _ACTION.finditer(schema_text)}


def _facts(record: str) -> Iterator[tuple[str, FactForm]]:
    for name, optional, cedar_type in _FACT.findall(record):
        if name != "at":
            yield name, FactForm(_FACT_TYPES[cedar_type], bool(optional))
