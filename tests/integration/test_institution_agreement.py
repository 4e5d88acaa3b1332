"""The institution keeps to the agreement that it co-signed by itself, and takes the broker's word for nothing.

Real broker and key holders; what the agreement forbids is refused here, whatever they would say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clients.institution.contact import AskBroker, contact
from clients.institution.kept_answers import newest_answers
from clients.institution.log_proofs import export_receipts
from clients.institution.state import State
from clients.log.store import CHECKPOINT_FILE
from clients.log.witness_duty import SplitViewReported
from policies.agreement.document import Agreement as AgreementDocument
from policies.agreement.model import Gate, Mode
from policies.decisions.record import DecisionRecord
from policies.decisions.replay import replay
from policies.log.log_keys import LogKeys
from policies.log.proof_file import ProofFile
from policies.log.split_view import SplitView
from runtime.exits import ExitCode, UserError
from tests.agreement_world import make_world
from tests.institutions import Agreement, Institution
from tests.sync_parts import people, table

GATE = (Gate("bank", ("cash",)),)

Amend = Callable[[AgreementDocument], AgreementDocument]


def agreement_of(tmp_path: Path, amend: Amend = lambda agreement: agreement) -> Agreement:
    return Agreement.build(f"sqlite:///{tmp_path / 'broker.sqlite'}", tmp_path, make_world(amend=amend))


def with_modes(*modes: Mode) -> Amend:
    def amend(agreement: AgreementDocument) -> AgreementDocument:
        members = tuple(
            replace(one, modes=modes) if one.institution_id == "bank-a" else one for one in agreement.parties.members
        )
        return replace(agreement, parties=replace(agreement.parties, members=members))

    return amend


def state_of(bank: Institution) -> State:
    return State.open(
        bank.home.state_folder, bank.agreement.world.trust.epoch_id, bank.home.institution_id, to_look_only=True
    )


def test_a_receipt_is_provisional_until_the_log_is_proven_to_hold_it(tmp_path: Path) -> None:
    agreement = agreement_of(tmp_path)
    bank = agreement.institution("bank-a")
    rows = people(5)
    first = bank.sync(table(rows))
    assert (first.sent, first.proven, first.provisional) == (5, 0, 1)
    del rows["customer-0"]
    second = bank.sync(table(rows))
    assert (second.proven, second.provisional) == (1, 1)
    bank.sync(table(rows))
    policy = LogKeys.of(agreement.world.trust).policy
    with state_of(bank) as state:
        assert export_receipts(state, tmp_path / "receipts") == 2
    for number, event in ((1, "submission"), (2, "withdrawal")):
        stem = tmp_path / "receipts" / f"statement-{number:06}"
        leaf = stem.with_suffix(".leaf.json").read_bytes()
        assert json.loads(leaf)["type"] == f"crosslight/v1 leaf {event}"
        ProofFile.parse(stem.with_suffix(".tlog-proof").read_text("utf-8")).verify(policy, leaf)


@pytest.mark.parametrize(
    ("amend", "rule"),
    [
        (lambda agreement: replace(agreement, fields={}), "field-not-agreed"),
        (
            lambda agreement: replace(agreement, gates=(Gate("bank", ("cash",)),), indicators={"bank": ("cash",)}),
            "gate",
        ),
    ],
)
def test_a_row_outside_the_agreement_is_left_out_and_counted_with_the_rule(
    tmp_path: Path, amend: Amend, rule: str
) -> None:
    agreement = agreement_of(tmp_path, amend)
    bank = agreement.institution("bank-a")
    report = bank.sync(table(people(3)))
    assert (report.sent, report.submissions) == (0, 0)
    ((reason, count),) = report.skipped.items()
    assert count == 3
    assert rule in reason
    assert agreement.broker.count("record") == 0
    with state_of(bank) as state:
        (kept,) = newest_answers(state)
    record = DecisionRecord.from_document(kept["record"])
    assert (kept["rows"], record.allowed) == (3, False)
    assert replay(record, agreement.world.trust.agreement) == record


def test_without_the_mode_provide_nothing_is_read_or_sent(tmp_path: Path) -> None:
    agreement = agreement_of(tmp_path, with_modes("watch"))
    bank = agreement.institution("bank-a")
    with pytest.raises(UserError, match="Not allowed"):
        bank.sync(table(people(3)))
    assert agreement.broker.count("submission") == 0


def test_the_kept_answers_hold_nothing_of_any_row(tmp_path: Path) -> None:
    bank = agreement_of(tmp_path).institution("bank-a")
    rows = people(3)
    bank.sync(table(rows))
    with state_of(bank) as state:
        kept = json.dumps(newest_answers(state))
    assert not any(value in kept for row in rows.values() for value in row.values() if value)


@pytest.mark.parametrize("fault", ["forked", "truncated"])
def test_a_log_that_was_rewritten_stops_the_sync_with_evidence_and_the_outbox_untouched(
    tmp_path: Path, fault: str
) -> None:
    agreement = agreement_of(tmp_path)
    bank = agreement.institution("bank-a")
    rows = people(4)
    bank.sync(table(rows))
    log = agreement.world.log()
    log.append(*(b"another leaf %d" % number for number in range(1 if fault == "forked" else 1000)))
    (bank.home.place.path / CHECKPOINT_FILE).write_text(log.note(), "utf-8")
    sent = agreement.broker.count("submission")
    rows |= people(8)
    with pytest.raises(SplitViewReported) as caught:
        bank.sync(table(rows))
    assert caught.value.exit_code == ExitCode.VERIFICATION_FAILED
    found = SplitView.from_document(json.loads(caught.value.path.read_text("utf-8")))
    assert found.fault == fault
    assert found.check(LogKeys.of(agreement.world.trust).key)
    assert agreement.broker.count("submission") == sent


def test_a_contact_without_the_broker_is_no_witness(tmp_path: Path) -> None:
    agreement = agreement_of(tmp_path)
    bank = agreement.institution("bank-a")
    bank.sync(table(people(1)))
    with contact(bank.home, agreement.broker.clock, agreement.network, AskBroker.NOT) as found:
        assert found.log is None
