"""Runs a scenario from set-up to opening, and gathers what came of it.

Compares with the truth; what one person looks like at the broker is read from the broker's own database.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clients.institution.mapping_file import load_mapping
from clients.institution.prepare import prepare_row
from clients.institution.rows import read_rows
from demo.broker_view import HeldRecord, find_in_database, held_record
from demo.own_files import RECORD_ID
from demo.scenario import Audit, Scenario
from demo.score import Pair, RecordName, Score, why_missed
from policies.documents import SignedDocument
from runtime.console import say

_NEEDLES = 200
"""How many identifiers of found people are searched for in the broker's database."""

_SHORTEST_NEEDLE = 7
"""Characters: shorter ones would be found by chance in ciphertext."""


@dataclass(frozen=True)
class Search:
    """What a search of the broker's database for planted identifiers came to."""

    sought: int
    values: int
    found: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What one run came to.

    missed   each planted pair that did not surface, and why
    example  one record of a found pair as the broker holds it
    agreement, checkpoint  what all parties signed, and the log's newest checkpoint with the witnesses' cosignatures
    audit    what the auditor found of the whole run
    """

    score: Score
    truth_is_known: bool
    alerts: int
    opened: int
    rejected: int
    placeholders: int
    seconds: float
    missed: Mapping[Pair, str]
    example: HeldRecord | None
    search: Search
    agreement: SignedDocument
    checkpoint: str
    audit: Audit

    def to_json(self, cpu_seconds: Mapping[str, float]) -> dict[str, Any]:
        """The result for scripts."""
        return {
            "pairs_found": len(self.score.found),
            "planted": len(self.score.planted),
            "precision": round(self.score.precision, 6) if self.truth_is_known else None,
            "recall": round(self.score.recall, 6) if self.truth_is_known else None,
            "alerts": self.alerts,
            "opened": self.opened,
            "rejected": self.rejected,
            "seconds": round(self.seconds, 2),
            "cpu_seconds": dict(cpu_seconds),
        }


def run_scenario(scenario: Scenario, truth: frozenset[Pair] | None) -> Outcome:
    """Set up, start, sync every institution, match, open, and score; `truth` None where nobody knows it."""
    started = time.monotonic()
    say("Making keys and signed documents for every party ...")
    agreement = scenario.set_up()
    say("Starting broker, worker and key holders ...")
    scenario.start()
    reports = []
    for institution_id in scenario.institution_ids:
        say(f"Syncing {institution_id} ...")
        reports.append(scenario.sync(institution_id))
    say("Waiting for the broker's worker ...")
    scenario.wait_until_matched()
    say("Waiting for the log's witnesses ...")
    scenario.wait_until_cosigned()
    say("Opening what the key holders open ...")
    opening = scenario.open_all()
    seconds = time.monotonic() - started
    say("Auditing: every leaf of the log, every decision ...")
    checkpoint, audit = scenario.wait_until_cosigned(), scenario.audit()
    score = Score(frozenset(map(_pair, opening["pairs"])), truth or frozenset())
    values = _values_in_the_clear(scenario)
    alone = frozenset(scenario.terms.opening_rule.alone)
    return Outcome(
        score=score,
        truth_is_known=truth is not None,
        alerts=opening["alerts"],
        opened=opening["opened"],
        rejected=sum(each["count"] for report in reports for each in report["rejected"]),
        placeholders=sum(each["count"] for report in reports for each in report["placeholders"]),
        seconds=seconds,
        missed={pair: why_missed(pair, values, alone) for pair in sorted(score.missed)},
        example=_example(scenario, score),
        search=_search(scenario, score, values),
        agreement=agreement,
        checkpoint=checkpoint,
        audit=audit,
    )


def _pair(opened: Mapping[str, Any]) -> Pair:
    return Pair.of(
        (opened["institution_a"], opened["fields_a"][RECORD_ID]),
        (opened["institution_b"], opened["fields_b"][RECORD_ID]),
    )


def _values_in_the_clear(scenario: Scenario) -> dict[RecordName, frozenset[tuple[str, str]]]:
    """What each row's identifiers are once normalised: for reasons and for the search, never for the result."""
    values: dict[RecordName, frozenset[tuple[str, str]]] = {}
    for institution_id in scenario.institution_ids:
        mapping = load_mapping(scenario.home(institution_id) / "mapping.toml")
        for row in read_rows(mapping):
            prepared = prepare_row(row, mapping, scenario.terms)
            if prepared.skipped is None:
                values[institution_id, row.row_id] = frozenset((one.kind, one.value) for one in prepared.identifiers)
    return values


def _example(scenario: Scenario, score: Score) -> HeldRecord | None:
    """The broker's view of the first record of the first right pair."""
    for pair in sorted(score.hits or score.found):
        institution_id, row_id = pair.first
        handle = scenario.handle_of(institution_id, row_id)
        if handle is not None:
            return held_record(scenario.broker_database, institution_id, handle)
    return None


def _search(scenario: Scenario, score: Score, values: Mapping[RecordName, frozenset[tuple[str, str]]]) -> Search:
    """Look for the identifiers of found people in every value of the broker's database."""
    names = [name for pair in sorted(score.found) for name in (pair.first, pair.second)]
    needles = _needles(values, names)
    looked_at, found = find_in_database(scenario.broker_database, needles)
    return Search(len(needles), looked_at, tuple(sorted(found)))


def _needles(values: Mapping[RecordName, frozenset[tuple[str, str]]], names: Iterable[RecordName]) -> list[str]:
    needles: dict[str, None] = {}
    for name in names:
        for _, value in sorted(values.get(name, ())):
            for piece in (value, *value.split("|")):
                if len(piece) >= _SHORTEST_NEEDLE:
                    needles[piece] = None
        if len(needles) >= _NEEDLES:
            break
    return list(needles)[:_NEEDLES]
