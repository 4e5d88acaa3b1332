"""`crosslight agreement simulate | explain`, over a real agreement made of a shipped template."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policies.agreement import templates
from policies.agreement.commands import agreement as agreement_command
from policies.agreement.document import Agreement
from policies.decisions.decide import decide
from policies.decisions.question import Question
from policies.decisions.record import DecisionRecord
from policies.documents import SignedDocument, write_document_file, write_json_file
from policies.library import DocumentLibrary
from policies.party_keys import Card, new_party
from runtime.exits import UserError
from tests.agreement_world import make_world

GOOD = {"suspended": False, "departed": False}


def cards_of(text: str) -> list[Card]:
    """A card of everybody whom the trial's template names."""
    draft = templates.template(text)
    members = [
        new_party(one.role, one.institution_id, one.group_id, declared={"phone": 100}) for one in draft.parties.members
    ]
    others = [new_party("recipient", one.recipient_id, one.group_id) for one in draft.parties.recipients]
    others += [new_party("auditor", one.auditor_id, one.auditor_id) for one in draft.parties.auditors]
    for holder in draft.parties.holders:
        others.append(
            new_party("holder", holder.party_id, holder.group_id, address=f"https://{holder.party_id}.example")
        )
    broker = new_party("broker", "broker", draft.parties.broker.group_id, address="https://broker.example")
    return [party.card for party in (*members, *others, broker)]


@pytest.fixture(scope="module")
def cards() -> list[Card]:
    return cards_of("single-operator-trial")


@pytest.fixture
def trial(cards: list[Card]) -> Agreement:
    return templates.template("single-operator-trial").with_cards(cards)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(agreement_command, [str(argument) for argument in arguments])


def written(folder: Path, agreement: Agreement, name: str = "agreement.json") -> Path:
    write_document_file(folder / name, SignedDocument(agreement.to_document(), {}))
    return folder / name


def sending(agreement: Agreement, *kinds: str) -> DecisionRecord:
    facts = {
        **GOOD,
        "kinds": kinds,
        "fields": (),
        "indicators": agreement.gates[0].any_of if agreement.gates else (),
        "lifetime": 60,
    }
    return decide(Question("send-records", "bank-a", "institution", agreement.start, facts), agreement)


def decisions(folder: Path, *records: DecisionRecord) -> Path:
    path = folder / "decisions.jsonl"
    path.write_text("".join(json.dumps(record.to_document()) + "\n" for record in records))
    return path


def test_a_later_version_is_simulated_against_past_decisions(tmp_path: Path, trial: Agreement) -> None:
    records = decisions(tmp_path, sending(trial, "phone"), sending(trial, "email"), sending(trial, "email", "phone"))
    kinds = {kind: policy for kind, policy in trial.kinds.items() if kind != "email"}
    alone = tuple(kind for kind in trial.opening_rule.alone if kind != "email")
    spaces = {kind: size for kind, size in trial.identifier_spaces.items() if kind != "email"}
    new = replace(
        trial,
        version=2,
        previous=trial.hash,
        kinds=kinds,
        identifier_spaces=spaces,
        opening_rule=replace(trial.opening_rule, alone=alone),
    )
    done = run("simulate", written(tmp_path, new), "--decisions", records, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert (told["decisions"], told["newly_refused"], told["newly_allowed"]) == (3, 2, 0)
    assert told["rules"]["kind-not-agreed"]["newly_refused"] == 2
    shown = run("simulate", tmp_path / "agreement.json", "--decisions", records)
    assert "2 of 3 decisions would have gone otherwise." in shown.output


def test_a_yaml_file_is_simulated_with_the_keys_of_the_version_before(
    tmp_path: Path, trial: Agreement, cards: list[Card]
) -> None:
    text = templates.text("single-operator-trial")
    yaml = tmp_path / "agreement.yaml"
    yaml.write_text(text.replace("provide, watch", "watch", 1))
    records = decisions(tmp_path, sending(trial, "phone"))
    before = written(tmp_path, trial, "before.json")
    done = run("simulate", yaml, "--agreement", before, "--decisions", records, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["rules"]["mode-not-provide"]["newly_refused"] == 1
    arguments: list[object] = []
    for card in cards:
        write_json_file(tmp_path / f"{card.party_id}.card", card.to_document())
        arguments += ["--card", tmp_path / f"{card.party_id}.card"]
    assert run("simulate", yaml, *arguments, "--decisions", records).exit_code == 0
    assert run("simulate", yaml, "--decisions", records).exit_code == 2
    assert run("simulate", yaml, "--agreement", before, "--home", tmp_path, "--decisions", records).exit_code == 2


def test_a_request_is_explained_with_what_would_have_to_change(tmp_path: Path, trial: Agreement) -> None:
    file = written(tmp_path, trial)
    asked = ("--action", "ask-for-opening", "--party", "charity", "--at", "2026-06-01", "--fact", "records=3")
    done = run("explain", "--agreement", file, *asked, "--fact", "purpose=trial")
    assert done.exit_code == 0, done.output
    assert "charity (recipient) may ask the key holders to open records." in done.output
    refused = run("explain", "--agreement", file, *asked, "--fact", "purpose=gossip", "--json")
    told = json.loads(refused.output)
    assert told["allowed"] is False
    assert told["reasons"][0]["rule"] == "purpose-not-agreed"
    assert told["reasons"][0]["compared"] == ["Purpose: gossip is not among the party's purposes (trial)."]
    assert told["needed"] == [told["reasons"][0]["remedy"]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--fact", "records=many", "--fact", "purpose=trial"), "whole number"),
        (("--fact", "records=3"), "Still to be said: purpose (word)"),
        (("--fact", "colour=red"), "is no fact of this action"),
        (("--fact", "suspended=perhaps"), "yes or no"),
    ],
)
def test_facts_that_are_missing_or_none_are_named(
    tmp_path: Path, trial: Agreement, arguments: tuple[str, ...], words: str
) -> None:
    file = written(tmp_path, trial)
    refused = run("explain", "--agreement", file, "--action", "ask-for-opening", "--party", "charity", *arguments)
    assert isinstance(refused.exception, UserError)
    assert words in refused.exception.message


def test_a_stranger_needs_a_role_and_an_agreement_must_be_named(tmp_path: Path, trial: Agreement) -> None:
    file = written(tmp_path, trial)
    ask = ("explain", "--agreement", file, "--action", "find-leaf", "--party", "nobody")
    assert run(*ask).exit_code == 2
    told = json.loads(run(*ask, "--role", "auditor", "--json").output)
    assert [reason["rule"] for reason in told["reasons"]] == ["party-not-in-agreement"]
    assert run("explain", "--action", "find-leaf", "--party", "nobody").exit_code == 2
    assert run("explain", "--agreement", file, "--action", "find-leaf").exit_code == 2


def test_a_record_is_explained_by_what_it_names_and_an_altered_one_is_found_out(
    tmp_path: Path, trial: Agreement
) -> None:
    file = written(tmp_path, trial)
    record = sending(trial, "phone", "shoe-size")
    write_json_file(tmp_path / "decision.json", record.to_document())
    told = json.loads(run("explain", "--agreement", file, "--record", tmp_path / "decision.json", "--json").output)
    assert told["record_holds"] is True
    assert told["reasons"][0]["rule"] == "kind-not-agreed"
    write_json_file(tmp_path / "altered.json", replace(record, allowed=True).to_document())
    altered = run("explain", "--agreement", file, "--record", tmp_path / "altered.json")
    assert "The record says something else" in altered.output


def test_a_home_gives_the_agreement_that_it_relies_on(tmp_path: Path) -> None:
    world = make_world()
    library = DocumentLibrary.of_home(tmp_path)
    library.pin(world.agreement, world.agreement.hash)
    done = run("explain", "--home", tmp_path, "--action", "read-own-status", "--party", "bank-a")
    assert "bank-a (institution) may read the own state at the broker." in done.output
    strange = replace(
        decide(Question("find-leaf", "bank-a", "institution", 0, GOOD), world.trust.agreement), agreement_hash=bytes(32)
    )
    write_json_file(tmp_path / "decision.json", strange.to_document())
    refused = run("explain", "--home", tmp_path, "--record", tmp_path / "decision.json")
    assert isinstance(refused.exception, UserError)
    assert "no agreement with the hash" in refused.exception.message
