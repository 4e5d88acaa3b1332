"""Evaluations against submissions: who stands out, and whether the key holders' signed counts continue one another."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from clients.auditor.evaluations import (
    CUTOFF,
    LEAST,
    RULE,
    EvaluatedDay,
    check_counts,
    evaluated_days,
    mark_outliers,
    outlier_sentence,
)
from clients.auditor.ledger import Ledger
from clients.auditor.verification import verify_log
from crypto.statements import SubmissionStatement
from policies.documents import Document, document_hash, sign_document
from policies.log.checkpoint import CosignedCheckpoint, make_checkpoint
from policies.log.leaves import evaluations_leaf, submission_leaf
from policies.log.log_keys import LogKeys
from tests.agreement_world import START, World, make_world
from tests.log_tree import MemoryLog
from tests.unit.test_auditor_report import Source
from wire.packed import pack

DAY = 86_400
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04")


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


class Counts:
    """One holder's chain of daily counts."""

    def __init__(self, world: World, holder: int = 1) -> None:
        self._world, self._holder = world, holder
        self.previous = world.trust.epoch_id

    def leaf(self, day: str, counts: Mapping[str, Mapping[str, int]], *, signer: str = "") -> bytes:
        document: Document = {
            "type": "crosslight/v1 counts",
            "holder": self._holder,
            "epoch_id": pack(self._world.trust.epoch_id),
            "day": day,
            "counts": {institution: dict(families) for institution, families in counts.items()},
            "previous": pack(self.previous),
        }
        self.previous = document_hash(document)
        name = f"holder{self._holder}"
        signed = sign_document(document, name, self._world.parties[signer or name].signing_key)
        return evaluations_leaf(document, signed.signatures[name], START)


def submission(world: World, institution: str, seq: int, records: int, at: int) -> bytes:
    statement = SubmissionStatement(world.trust.epoch_id, institution, seq, bytes(16), records, bytes(32))
    return submission_leaf(statement.encode(), at)


def ledger_of(world: World, folder: Path, leaves: Sequence[bytes]) -> Ledger:
    ledger = Ledger(folder / "auditor.sqlite")
    log = MemoryLog(leaves, LogKeys.of(world.trust).origin)
    checkpoint = log.checkpoint()
    note = make_checkpoint(log.origin, checkpoint.size, checkpoint.root, world.parties["broker"].signing_key)
    assert verify_log(ledger, Source(log), CosignedCheckpoint(note), lambda count: None).findings == ()
    return ledger


def day(elements: int, submitted: int, family: str = "phone") -> EvaluatedDay:
    return EvaluatedDay("2026-03-01", "bank-a", family, 1, elements, submitted, 0)


def outliers(days: Sequence[EvaluatedDay]) -> list[int]:
    return [number for number, one in enumerate(mark_outliers(days)) if one.is_outlier]


def test_a_day_of_probing_stands_out_among_ordinary_days() -> None:
    ordinary = [day(1000 + 10 * number, 1000) for number in range(20)]
    assert outliers([*ordinary, day(5000, 1000)]) == [20]
    assert outliers(ordinary) == []


def test_who_evaluates_and_submits_nothing_stands_out() -> None:
    assert outliers([*[day(900, 300)] * 10, day(900, 0)]) == [10]


def test_a_few_elements_never_stand_out() -> None:
    ordinary = [day(1000, 1000)] * 10
    assert outliers([*ordinary, day(LEAST - 1, 0)]) == []
    assert outliers([*ordinary, day(LEAST, 0)]) == [10]


def test_families_are_judged_apart() -> None:
    phones = [day(5000, 1000)] * 10
    emails = [day(1000, 1000, "email")] * 10
    assert outliers([*phones, *emails]) == []
    assert outliers([*phones, *emails, day(5000, 1000, "email")]) == [20]


def test_where_all_days_are_alike_the_limit_is_a_share_of_the_median() -> None:
    alike = [day(1000, 1000)] * 10
    just_below, just_above = int(1000 * (1 + CUTOFF / 10)), int(1000 * (1 + CUTOFF / 10)) + 1
    assert outliers([*alike, day(just_below, 1000)]) == []
    assert outliers([*alike, day(just_above, 1000)]) == [10]


def test_the_rule_says_its_numbers_and_an_outlier_its_own() -> None:
    assert str(LEAST) in RULE
    assert f"{CUTOFF} robust" in RULE
    assert outlier_sentence(day(5000, 1)) == (
        "bank-a had 5,000 identifiers of the family phone evaluated at holder1 on 2026-03-01 and submitted 1 record "
        "that day."
    )


def test_counts_and_submissions_of_a_day_meet_in_the_log(world: World, tmp_path: Path) -> None:
    counts = Counts(world)
    leaves = [
        submission(world, "bank-a", 1, 40, START),
        submission(world, "bank-a", 2, 60, START + 3600),
        submission(world, "bank-b", 1, 100, START + DAY),
        counts.leaf(DAYS[0], {"bank-a": {"phone": 120, "record": 100}}),
        counts.leaf(DAYS[1], {"bank-b": {"phone": 110}, "bank-a": {"phone": 4000}}),
    ]
    found = {
        (one.day, one.institution_id, one.family): one for one in evaluated_days(ledger_of(world, tmp_path, leaves))
    }
    assert found[DAYS[0], "bank-a", "phone"].submitted == 100
    assert found[DAYS[0], "bank-a", "phone"].ratio == 1.2
    assert found[DAYS[1], "bank-b", "phone"].submitted == 100
    assert found[DAYS[1], "bank-a", "phone"].submitted == 0
    assert found[DAYS[1], "bank-a", "phone"].position == 4
    assert [key for key, one in found.items() if one.is_outlier] == [(DAYS[1], "bank-a", "phone")]


def test_counts_that_continue_one_another_are_no_finding(world: World, tmp_path: Path) -> None:
    first, second = Counts(world, 1), Counts(world, 2)
    leaves = [chain.leaf(day, {"bank-a": {"phone": 5}}) for day in DAYS for chain in (first, second)]
    assert list(check_counts(ledger_of(world, tmp_path, leaves), world.trust)) == []


def test_a_missing_day_of_counts_is_named(world: World, tmp_path: Path) -> None:
    chain = Counts(world)
    leaves = [chain.leaf(each, {}) for each in DAYS]
    found = list(check_counts(ledger_of(world, tmp_path, [leaves[0], *leaves[2:]]), world.trust))
    assert any(DAYS[1] in one.sentence and one.position == 1 for one in found)


def test_counts_that_another_signed_or_that_were_changed_are_named(world: World, tmp_path: Path) -> None:
    chain = Counts(world)
    leaves = [chain.leaf(DAYS[0], {}), chain.leaf(DAYS[1], {}, signer="holder2")]
    found = list(check_counts(ledger_of(world, tmp_path, leaves), world.trust))
    assert [one.position for one in found] == [1]
    assert "not signed by it" in found[0].sentence


def test_counts_that_begin_a_chain_of_their_own_are_named(world: World, tmp_path: Path) -> None:
    leaves = [Counts(world).leaf(DAYS[0], {}), Counts(world).leaf(DAYS[1], {"bank-a": {"phone": 1}})]
    found = list(check_counts(ledger_of(world, tmp_path, leaves), world.trust))
    assert [one.position for one in found] == [1]
    assert "do not continue" in found[0].sentence
    assert json.loads(leaves[1])["day"] == DAYS[1]
