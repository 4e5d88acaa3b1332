"""The terms: what an agreement says whoever its parties are, the opening rule and the kinds first of all.

They are drawn from the agreement, and part of them is repeated in each epoch document. Knows no party.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import post_load

from policies.document_fields import DocumentSchema, Identifier, ListOf, Number, Truth
from policies.documents import Document
from policies.errors import DocumentRefused
from policies.opening_rule import KindPolicy, OpeningRule

RECORD_FAMILY = "record"
"""The key family of record secrets; no kind may belong to it."""

HOLDER_LIMIT = 255
PADDED_SIZE_LIMIT = 65_536


class KindSchema(DocumentSchema):
    """One kind's policy."""

    weight = Number(most=1_000_000)
    cap = Number(least=1)
    possession = Truth()
    normalisation = Number(most=65_535)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> KindPolicy:
        return KindPolicy(**data)


class OpeningRuleSchema(DocumentSchema):
    """The opening rule."""

    t = Number(least=2, most=10_000)
    least_weight = Number()
    alone = ListOf(Identifier())

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> OpeningRule:
        return OpeningRule(data["t"], data["least_weight"], tuple(data["alone"]))


@dataclass(frozen=True)
class Terms:
    """What an agreement's parties agreed on.

    padded_size        bytes of every record's sealed payload, its four length bytes included
    t_h                how many key holders evaluate together
    kinds              policy of each kind
    fields             names of the fields that a sealed payload may carry, of whichever role
    indicators         codes of the red flags that it may carry, of whichever role
    record_lifetime    seconds from a record's issue to its expiry
    openings_per_day   records that a recipient may have opened a day
    records_per_day    record secrets that an institution may have evaluated a day
    identifier_spaces  how many identifiers of a kind there are at all, for the published coverage
    """

    padded_size: int
    t_h: int
    kinds: Mapping[str, KindPolicy]
    opening_rule: OpeningRule
    fields: tuple[str, ...]
    indicators: tuple[str, ...]
    record_lifetime: int
    openings_per_day: int
    records_per_day: int
    identifier_spaces: Mapping[str, int]

    @property
    def families(self) -> frozenset[str]:
        """The key families of the kinds; `record` is not among them."""
        return families_of(self.kinds)


def family_of(kind: str) -> str:
    """The key family of a kind: its part before the first dot."""
    return kind.partition(".")[0]


def families_of(kinds: Iterable[str]) -> frozenset[str]:
    """The key families of `kinds`, each once."""
    return frozenset(family_of(kind) for kind in kinds)


def kinds_to_document(kinds: Mapping[str, KindPolicy]) -> Document:
    """The JSON form of the kinds."""
    return {
        kind: {
            "weight": policy.weight,
            "cap": policy.cap,
            "possession": policy.possession,
            "normalisation": policy.normalisation,
        }
        for kind, policy in kinds.items()
    }


def rule_to_document(rule: OpeningRule) -> Document:
    """The JSON form of the opening rule."""
    return {"t": rule.t, "least_weight": rule.least_weight, "alone": list(rule.alone)}


def check_kinds(kinds: Mapping[str, KindPolicy], rule: OpeningRule) -> None:
    """Refuse kinds without a family, kinds in the family `record`, and a rule that they cannot serve."""
    if not kinds:
        raise DocumentRefused("There is no kind at all.")
    for kind in kinds:
        if not family_of(kind):
            raise DocumentRefused(f"The kind {kind} has no key family: its part before the first dot is empty.")
        if family_of(kind) == RECORD_FAMILY:
            raise DocumentRefused(f"The kind {kind} may not use the key family of record secrets.")
    check_distinct(rule.alone, "the kinds that suffice alone")
    for kind in rule.alone:
        if kind not in kinds:
            raise DocumentRefused(f"The kind {kind} is to suffice alone, but is none of the kinds.")
        if not kinds[kind].possession:
            raise DocumentRefused(f"The kind {kind} is to suffice alone, but does not prove possession.")


def check_distinct(items: Iterable[object], what: str) -> None:
    """Refuse a list in which something stands twice; `what` names the list."""
    seen: set[object] = set()
    for item in items:
        if item in seen:
            raise DocumentRefused(f"{item} stands twice in {what}.")
        seen.add(item)
