"""Taking recorded decisions again, years later, from the record and the agreement alone, and comparing.

Works through any number of records in batches, with flat memory. Knows no log and no database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from policies.agreement.document import Agreement
from policies.decisions.decide import decide, decide_many
from policies.decisions.question import QuestionRefused
from policies.decisions.record import DecisionRecord
from policies.decisions.rules import UnknownRules, rules_of
from policies.errors import DocumentRefused

BATCH: Final = 2048


@dataclass(frozen=True, slots=True)
class Replayed:
    """A record beside the answer that it gets now; `again` is None where it could not be taken again.

    `trouble` is empty where both agree, and else says in a sentence how they differ.
    """

    record: DecisionRecord
    again: DecisionRecord | None
    trouble: str

    @property
    def holds(self) -> bool:
        """Whether the record says what the rules say."""
        return not self.trouble


def replay(record: DecisionRecord, agreement: Agreement) -> DecisionRecord:
    """Take the decision again, by the rules that it names. Equal to the record if the record is right.

    Raises DocumentRefused for another agreement than the record's, UnknownRules and QuestionRefused.
    """
    if agreement.hash != record.agreement_hash:
        raise DocumentRefused(
            f"The decision was taken under the agreement {record.agreement_hash.hex()}, not this one."
        )
    return decide(record.question, agreement, rules_of(record.rules_hash))


def replay_many(records: Iterable[DecisionRecord], agreements: Mapping[bytes, Agreement]) -> Iterator[Replayed]:
    """Replay records in their order; `agreements` by their hashes. Never raises for what a record says."""
    pending = iter(records)
    while batch := list(islice(pending, BATCH)):
        yield from _replay_batch(batch, agreements)


def _replay_batch(batch: list[DecisionRecord], agreements: Mapping[bytes, Agreement]) -> list[Replayed]:
    """The batch's records, by groups that share agreement and rules."""
    groups: dict[tuple[bytes, bytes], list[int]] = {}
    for position, record in enumerate(batch):
        groups.setdefault((record.agreement_hash, record.rules_hash), []).append(position)
    found: dict[int, Replayed] = {}
    for (agreement_hash, _), positions in groups.items():
        group = [batch[position] for position in positions]
        agreement = agreements.get(agreement_hash)
        found |= zip(positions, _replay_group(group, agreement), strict=True)
    return [found[position] for position in range(len(batch))]


def _replay_group(group: list[DecisionRecord], agreement: Agreement | None) -> list[Replayed]:
    if agreement is None:
        sentence = f"No agreement {group[0].agreement_hash.hex()} is known, under which it was decided."
        return [Replayed(record, None, sentence) for record in group]
    try:
        rules = rules_of(group[0].rules_hash)
    except UnknownRules as unknown:
        return [Replayed(record, None, str(unknown)) for record in group]
    try:
        answers = decide_many([record.question for record in group], agreement, rules)
    except QuestionRefused as refused:
        if len(group) == 1:
            return [Replayed(group[0], None, refused.reason)]
        # Somewhere in the group: find out which, one by one.
        return [replayed for record in group for replayed in _replay_group([record], agreement)]
    return [Replayed(record, again, _difference(record, again)) for record, again in zip(group, answers, strict=True)]


def _difference(record: DecisionRecord, again: DecisionRecord) -> str:
    if record.allowed != again.allowed:
        return f"It says {_answer(record)}, but the rules say {_answer(again)}."
    if record.rules != again.rules:
        return f"It says that {_named(record)} decided, but {_named(again)} decides."
    if record.question != again.question:
        return "Its facts hold words that the agreement does not have."
    return ""


def _answer(record: DecisionRecord) -> str:
    return "allowed" if record.allowed else "refused"


def _named(record: DecisionRecord) -> str:
    return ", ".join(record.rules) or "no rule"
