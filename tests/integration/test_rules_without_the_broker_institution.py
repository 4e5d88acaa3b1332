"""Each rule is taken away from the broker, and the institution's client still holds it: it asks nobody else.

What it may send it decides before a byte leaves; whoever else would take it. Key holders and the desk have their parts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clients.institution.agreement_rules import RULE, SendingRules, own_terms, reason_in_words
from clients.institution.contact import AskBroker, contact
from clients.institution.kept_answers import newest_answers
from clients.institution.log_proofs import LONGEST_WAIT
from clients.institution.mapping_file import load_mapping
from clients.institution.outbox import store_withdrawal
from clients.institution.preview import Preview, preview
from clients.institution.preview_report import Standing, preview_text
from clients.institution.rows import read_rows
from clients.institution.state import State
from clients.institution.tools import parts
from clients.institution.withdrawal import all_live, finality, tell_holders
from policies.agreement.document import Agreement as AgreementDocument
from policies.agreement.model import Gate
from policies.agreement.standing import Departure, Suspension
from policies.decisions.record import DecisionRecord
from policies.decisions.refusal import NotAllowed
from policies.decisions.replay import replay
from policies.decisions.rules import current_rules
from policies.trust import Trust
from runtime.clock import unix
from runtime.exits import ExitCode, UserError
from runtime.progress import silent_progress
from tests.agreement_world import START, make_world
from tests.decision_world import END, NOW, make_agreement
from tests.decision_world import START as BEGINNING
from tests.institutions import Agreement, Institution
from tests.sync_parts import Identifier, people, table

LIFE = 90_000


@dataclass(frozen=True)
class Record:
    """What a mapping made of a row; by default all that the small agreement lets a bank send."""

    identifiers: tuple[Identifier, ...] = (Identifier("phone", "+447700900123"), Identifier("email", "a@b.example"))
    fields: Mapping[str, str] = field(default_factory=lambda: {"record_id": "17", "note": "first"})
    indicators: tuple[str, ...] = ("cash-only", "shared-address")


@dataclass(frozen=True)
class Attempt:
    """Who tries to send what, when, and how it stands."""

    record: Record = Record()
    lifetime: int = LIFE
    party_id: str = "bank-a"
    now: int = NOW
    agreement: Mapping[str, Any] = field(default_factory=dict)
    suspended: frozenset[str] = frozenset()
    departed: frozenset[str] = frozenset()

    def rules(self) -> SendingRules:
        """The client before this agreement."""
        trust = SimpleNamespace(
            agreement=make_agreement(**self.agreement), suspended=self.suspended, departed=self.departed
        )
        return SendingRules(cast(Trust, trust), self.party_id, self.now)


BANK_A = frozenset({"bank-a"})
ROWS: dict[str, Attempt] = {
    "kind-not-agreed": Attempt(Record(identifiers=(Identifier("passport", "GB|123456"),))),
    "field-not-agreed": Attempt(Record(fields={"record_id": "17", "balance": "100"})),
    "indicator-not-agreed": Attempt(Record(indicators=("cash-only", "is-famous"))),
    "gate-not-met": Attempt(Record(indicators=("shared-address",))),
    "record-lives-too-long": Attempt(lifetime=LIFE + 1),
}
"""By the rule that refuses it, a row of an institution that may send others."""

STANDINGS: dict[str, Attempt] = {
    "mode-not-provide": Attempt(Record(indicators=()), party_id="police-a", agreement={"gates": ()}),
    "before-start": Attempt(now=BEGINNING - 1),
    "after-end": Attempt(now=END),
    "party-suspended": Attempt(suspended=BANK_A),
    "party-departed": Attempt(departed=BANK_A),
    "party-not-in-agreement": Attempt(party_id="bank-z"),
}
"""By the rule that refuses it, an institution that may send nothing at all."""


def test_what_the_agreement_covers_may_be_sent() -> None:
    """Or else the tests below would prove nothing."""
    rules = Attempt().rules()
    rules.require_sending()
    assert rules.refusal_of(Record(), LIFE) is None


@pytest.mark.parametrize("rule", ROWS)
def test_a_row_that_a_rule_forbids_is_left_out_by_that_rule(rule: str) -> None:
    attempt = ROWS[rule]
    rules = attempt.rules()
    rules.require_sending()
    reason = rules.refusal_of(attempt.record, attempt.lifetime)
    assert reason == RULE + rule
    assert reason_in_words(reason) == current_rules().rules[rule].sentence.removesuffix(".")
    assert rules.refusal_of(Record(), LIFE) is None


@pytest.mark.parametrize("rule", STANDINGS)
def test_an_institution_that_a_rule_stops_sends_nothing_and_the_answer_is_kept(rule: str) -> None:
    attempt = STANDINGS[rule]
    rules = attempt.rules()
    with pytest.raises(NotAllowed):
        rules.require_sending()
    (kept,) = rules.answers.values()
    assert rule in kept.rules
    assert replay(kept, rules.trust.agreement) == kept
    assert rule in (rules.refusal_of(attempt.record, attempt.lifetime) or "")


def test_there_is_no_other_rule_on_sending() -> None:
    """A rule that is added to the Cedar files is added here, or this fails."""
    over_all = re.compile(r"forbid \(principal[^,]*, action, resource\)")
    on_sending = {
        rule.rule_id
        for rule in current_rules().rules.values()
        if rule.effect == "forbid"
        and (
            any(f'Action::"{name}"' in rule.text for name in ("send-records", "providing", "using"))
            or over_all.search(rule.text)
        )
    }
    assert on_sending == {*ROWS, *STANDINGS}


def test_what_a_role_may_seal_is_its_own_and_not_another_roles() -> None:
    world = make_world(amend=lambda agreement: replace(agreement, fields={"bank": ("note",), "police": ("rank",)}))
    assert own_terms(world.trust, "bank-a").fields == ("note",)
    assert own_terms(world.trust, "desk-d").fields == ()
    with pytest.raises(UserError, match="does not name bank-z"):
        own_terms(world.trust, "bank-z")


# The gate, in the preview


CUSTOMERS = """\
id,mail,remark,cash
1,a@b.example,first,yes
2,c@d.example,second,no
3,e@f.example,third,
"""

MAPPING = """\
[source]
path = "customers.csv"

[row]
id = "id"

[columns]
email = "mail"

[payload]
note = "remark"

[indicators.flags]
cash-only = { column = "cash", any = ["yes"] }

[filter]
all_rows = true
"""


def gated(agreement: AgreementDocument) -> AgreementDocument:
    return replace(agreement, indicators={"bank": ("cash-only",)}, gates=(Gate("bank", ("cash-only",)),))


@pytest.fixture
def previewed(tmp_path: Path) -> Preview:
    """Three rows, of which one carries the red flag of the gate."""
    (tmp_path / "customers.csv").write_text(CUSTOMERS, "utf-8")
    (tmp_path / "mapping.toml").write_text(MAPPING, "utf-8")
    mapping = load_mapping(tmp_path / "mapping.toml")
    trust = make_world(amend=gated).trust
    terms, rules = own_terms(trust, "bank-a"), SendingRules(trust, "bank-a", START)
    with silent_progress(None, "rows") as progress:
        return preview(read_rows(mapping), mapping, terms, limit=3, show_values=False, progress=progress, rules=rules)


def test_the_preview_counts_rows_without_a_red_flag_of_the_gate_and_says_why(previewed: Preview) -> None:
    assert (previewed.rows, previewed.sent) == (3, 1)
    assert previewed.not_allowed == {RULE + "gate-not-met": 2}
    text = preview_text(previewed, "customers", Standing(None))
    assert "stays here, Where the agreement sets a gate for a role" in text
    assert "second" not in text


# With the real services


def agreement_of(tmp_path: Path) -> Agreement:
    return Agreement.build(f"sqlite:///{tmp_path / 'broker.sqlite'}", tmp_path, make_world())


def state_of(bank: Institution) -> State:
    return State.open(
        bank.home.state_folder, bank.agreement.world.trust.epoch_id, bank.home.institution_id, to_look_only=True
    )


def suspension(bank: Institution, *, number: int, suspended: bool) -> None:
    world = bank.agreement.world
    given = Suspension(
        world.trust.agreement.agreement_id, 1, "bank-a", "members", number, suspended, START, "Wrong data."
    )
    bank.agreement.accept(world.sign(given.to_document(), "bank-b", "police-c"))


def test_a_suspended_institution_sends_nothing_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    agreement = agreement_of(tmp_path)
    bank = agreement.institution("bank-a")
    bank.sync(table(people(2)))
    sent = agreement.broker.count("submission")
    suspension(bank, number=1, suspended=True)
    agreement.broker.clock.advance(seconds=1)
    with pytest.raises(UserError) as caught:
        bank.sync(table(people(4)))
    assert "A suspended party" in caught.value.message
    assert agreement.broker.count("submission") == sent
    with state_of(bank) as state:
        (kept,) = newest_answers(state)
        record = DecisionRecord.from_document(kept["record"])
        assert (kept["rows"], record.allowed, record.rules) == (0, False, ("party-suspended",))
        assert replay(record, agreement.world.trust.agreement) == record
    suspension(bank, number=2, suspended=False)
    assert bank.sync(table(people(4))).sent == 2


def test_a_suspended_institution_still_takes_its_records_back(tmp_path: Path) -> None:
    agreement = agreement_of(tmp_path)
    bank = agreement.institution("bank-a")
    bank.sync(table(people(2)))
    suspension(bank, number=1, suspended=True)
    clock = agreement.broker.clock
    with (
        contact(bank.home, clock, agreement.network, AskBroker.WHERE_REACHED) as found,
        State.open(bank.home.state_folder, found.membership.epoch_id, "bank-a") as state,
    ):
        tools = parts(found, state, b"mapping", clock)
        store_withdrawal(state, all_live(state), tools.author, unix(clock))
        assert tell_holders(state, found.links.holders, found.membership, clock) == {}
        tools.delivery.send_all()
        assert finality(state, found.membership).is_final
    assert agreement.broker.count("submission") == 1
    assert agreement.broker.count("record") == 0


def test_a_departed_institution_sends_nothing(tmp_path: Path) -> None:
    agreement = agreement_of(tmp_path)
    bank = agreement.institution("bank-a")
    bank.sync(table(people(2)))
    left = Departure(agreement.world.trust.agreement.agreement_id, 1, "bank-a", START)
    agreement.accept(agreement.world.sign(left.to_document(), "bank-a"))
    with pytest.raises(UserError):
        bank.sync(table(people(4)))
    assert agreement.broker.count("submission") == 1


def test_a_night_that_breaks_off_keeps_what_was_decided_in_it(tmp_path: Path) -> None:
    agreement = agreement_of(tmp_path)
    bank = agreement.institution("bank-a")
    for index in (1, 2, 3):
        agreement.gates[f"holder{index}"].is_closed = True
    with pytest.raises(UserError):
        bank.sync(table(people(3)))
    with state_of(bank) as state:
        (kept,) = newest_answers(state)
    assert (kept["rows"], kept["record"]["allowed"]) == (3, True)


def test_a_receipt_dated_to_the_future_buys_the_broker_no_time(tmp_path: Path) -> None:
    """The hour within which the log must hold what was signed for runs by the institution's own clock."""
    agreement = agreement_of(tmp_path)
    bank = agreement.institution("bank-a")
    bank.sync(table(people(1)))
    with State.open(bank.home.state_folder, agreement.world.trust.epoch_id, "bank-a") as state:
        receipt = json.loads(state.connection.execute("SELECT receipt FROM statements").fetchone()[0])
        receipt["document"]["received_at"] += 10 * 365 * 86_400
        with state.transaction() as connection:
            connection.execute("UPDATE statements SET receipt = ?", (json.dumps(receipt),))
    assert bank.sync(table(people(1))).provisional == 1
    agreement.broker.clock.advance(seconds=LONGEST_WAIT + 1)
    with pytest.raises(UserError, match="its log does not hold it") as caught:
        bank.sync(table(people(1)))
    assert caught.value.exit_code == ExitCode.VERIFICATION_FAILED
