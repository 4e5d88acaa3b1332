"""`crosslight agreement simulate | explain`: what another agreement would change, and why a request is allowed or not.

Reads options and files, calls one function, prints. Contacts nobody.
"""

from __future__ import annotations

from pathlib import Path

import click

from policies.agreement.document import Agreement
from policies.agreement.yaml_file import read_agreement_file
from policies.decisions.actions import ACTIONS
from policies.decisions.agreement_facts import facts_of
from policies.decisions.decision_files import read_decision, read_decisions
from policies.decisions.explain import explain
from policies.decisions.fact_options import read_facts
from policies.decisions.question import Question
from policies.decisions.rules import current_rules, rules_of
from policies.decisions.simulate import simulate
from policies.document_commands import Moment, existing_file, trust_of
from policies.documents import read_document_file
from policies.errors import DocumentRefused
from policies.party_keys import read_card_file
from runtime.clock import SystemClock, unix
from runtime.console import emit, json_option

_YAML = (".yaml", ".yml")


@click.command("simulate")
@click.argument("new", type=existing_file)
@click.option("--agreement", "file", type=existing_file, help="The version before, whose parties' keys NEW.yaml takes.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A party's folder, for the version before.",
)
@click.option("--card", "cards", type=existing_file, multiple=True, help="The card of a party that NEW.yaml adds.")
@click.option(
    "--decisions",
    "files",
    type=existing_file,
    multiple=True,
    required=True,
    help="A file of decision records, one JSON object a line (crosslight auditor decisions --output); several times.",
)
@json_option
def simulate_command(
    new: Path, file: Path | None, home: Path | None, cards: tuple[Path, ...], files: tuple[Path, ...]
) -> None:
    """Hold past decisions against the agreement in NEW: which would have gone otherwise, and by which rule.

    NEW is an agreement.json as `crosslight agreement new` makes it, signed or not, or the YAML file that it is made
    from; parties of a YAML file have the keys of the version before. Nothing is changed and nobody is contacted: this
    is for the days before signing.

    \b
    crosslight agreement simulate agreement-2.json --decisions decisions.jsonl
    crosslight agreement simulate agreement.yaml --home bank-a --decisions decisions.jsonl
    """
    agreement = _drafted(new, file, home, cards) if new.suffix in _YAML else _read_agreement(new)
    found = simulate((record for path in files for record in read_decisions(path)), agreement)
    emit({"agreement_hash": agreement.hash.hex(), **found.to_json()}, found.to_text)


@click.command("explain")
@click.option("--agreement", "file", type=existing_file, help="The agreement; else the one that --home relies on.")
@click.option(
    "--home", type=click.Path(path_type=Path, exists=True, file_okay=False), help="A party's folder, for its agreement."
)
@click.option("--action", type=click.Choice(sorted(ACTIONS)), help="What is to be done.")
@click.option("--party", "party_id", metavar="ID", help="Who asks.")
@click.option(
    "--role",
    type=click.Choice(["institution", "recipient", "holder", "broker", "auditor", "anybody"]),
    help="In which role; else the one that the agreement gives the party.",
)
@click.option("--at", type=Moment(), help="When; else now.")
@click.option(
    "--fact",
    "facts",
    multiple=True,
    metavar="NAME=VALUE",
    help="A fact that the answer depends on: kinds=phone,email or logged=yes; several times.",
)
@click.option("--record", type=existing_file, help="Explain a recorded decision (its JSON) instead.")
@json_option
def explain_command(
    file: Path | None,
    home: Path | None,
    action: str | None,
    party_id: str | None,
    role: str | None,
    at: int | None,
    facts: tuple[str, ...],
    record: Path | None,
) -> None:
    """Say why a request is allowed or refused, by which rules, and what would have to change.

    \b
    crosslight agreement explain --home charity --action open-records --party charity \\
        --fact purpose=trafficking --fact records=3 --fact opened_today=0 --fact logged=yes \\
        --fact checkpoint_age=60 --fact followed_age=60
    crosslight agreement explain --agreement agreement.json --record decision.json
    """
    if (file is None) == (home is None):
        raise click.UsageError("Say which agreement: --agreement FILE or --home HOME.")
    if record is not None:
        recorded = read_decision(record)
        agreement = _agreement_of(recorded.agreement_hash, file, home)
        explained = explain(recorded.question, agreement, rules_of(recorded.rules_hash))
        differs = explained.record != recorded
        remark = "\n\nThe record says something else: it was not decided like this." if differs else ""
        emit({**explained.to_json(), "record_holds": not differs}, lambda: explained.to_text() + remark)
        return
    if action is None or party_id is None:
        raise click.UsageError("Give --action and --party, or --record.")
    agreement = _agreement_of(None, file, home)
    read = read_facts(facts, current_rules().facts[action])
    asked = Question(
        action, party_id, role or _role_of(party_id, agreement), unix(SystemClock()) if at is None else at, read
    )
    explained = explain(asked, agreement)
    emit(explained.to_json(), explained.to_text)


def _drafted(new: Path, file: Path | None, home: Path | None, cards: tuple[Path, ...]) -> Agreement:
    """The agreement that a YAML file would become after the version before."""
    if file is not None and home is not None:
        raise click.UsageError("Give --agreement or --home, not both.")
    if file is None and home is None and not cards:
        raise click.UsageError("A YAML file names no keys: give --agreement or --home, or everybody's --card.")
    previous = None if file is None and home is None else _agreement_of(None, file, home)
    return read_agreement_file(new).with_cards([read_card_file(card) for card in cards], previous)


def _read_agreement(path: Path) -> Agreement:
    return Agreement.from_document(read_document_file(path).document)


def _agreement_of(wanted: bytes | None, file: Path | None, home: Path | None) -> Agreement:
    """The agreement in a file, or of a home: the version with the hash that is wanted, else the one in use."""
    if file is not None:
        return _read_agreement(file)
    assert home is not None  # noqa: S101  (the command asks for one of both)
    trust = trust_of(home)
    if wanted is None:
        return trust.agreement
    for version in trust.agreements:
        if version.hash == wanted:
            return version
    raise DocumentRefused(f"{home} has no agreement with the hash {wanted.hex()}.")


def _role_of(party_id: str, agreement: Agreement) -> str:
    """The role that the agreement gives a party; a question by nobody that it names needs --role."""
    for role, named in facts_of(agreement, current_rules()).principals:
        if named == party_id:
            return role
    raise click.UsageError(f"The agreement names no {party_id}: say in which --role it asks.")
