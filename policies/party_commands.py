"""`crosslight enrolment`: a party's keys, and the one file that pins everybody's.

Reads and writes files only; nothing here speaks to another party.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from policies.assembly import build_enrolment
from policies.budgets import coverage
from policies.document_commands import (
    Digest,
    existing_file,
    home_option,
    merge_command,
    out_option,
    passphrase_reader,
    sign_file,
    signature_report,
    write_new,
)
from policies.documents import SignedDocument, parse_document, read_document_file, read_json_file
from policies.enrolment import Enrolment
from policies.errors import DocumentRefused
from policies.home import PartyHome
from policies.party_keys import HOLDER_ROLE, ROLES, Card, new_party, read_card_file
from policies.rendering import grouped, render_enrolment
from policies.terms import Terms
from policies.trust import Trust
from runtime.console import emit, json_option, passphrase_option, say


@click.group()
def enrolment() -> None:
    """Make keys, and the enrolment file that pins everybody's.

    \b
    1. Every party:  crosslight enrolment keys ...        makes its keys and a card
    2. One of them:  crosslight enrolment new ...         makes the file from all cards and the terms
    3. Every party:  crosslight enrolment show FILE       reads it and compares the hash by telephone
    4. Every party:  crosslight enrolment sign FILE       signs it
    5. One of them:  crosslight enrolment merge FILE ...  brings the signatures together
    6. Every party:  crosslight enrolment pin FILE        trusts it from then on
    """


@enrolment.command("keys")
@click.argument("role", type=click.Choice(ROLES))
@click.argument("party_id", metavar="ID")
@click.option("--group", required=True, help="The group of parties under one control that this one belongs to.")
@click.option("--index", type=click.IntRange(1, 255), help="A key holder's number; its ID is then holder1, holder2 ...")
@click.option("--address", help="Of key holders and the broker: https://host, where they are reached.")
@click.option("--declare", multiple=True, metavar="FAMILY=N", help="Of institutions: distinct values to be submitted.")
@home_option
@passphrase_option
@json_option
def make_keys(
    role: str,
    party_id: str,
    group: str,
    index: int | None,
    address: str | None,
    declare: tuple[str, ...],
    home: Path,
    passphrase_file: Path | None,
) -> None:
    """Make a party's keys: HOME/keys.age, which stays, and HOME/card.json, which the others get.

    \b
    crosslight enrolment keys bank bank-a --group group-a --declare phone=80000 --declare email=50000 --home bank-a
    crosslight enrolment keys holder holder1 --group university --address https://holder.example --home holder1
    crosslight enrolment keys recipient charity --group charity --home charity
    crosslight enrolment keys broker broker --group operator --address https://broker.example --home broker
    """
    if index is not None and (role != HOLDER_ROLE or party_id != f"holder{index}"):
        raise click.UsageError(f"--index {index} belongs to the key holder with the id holder{index}")
    party = new_party(role, party_id, group, address=address, declared=_declared(declare))
    place = PartyHome(home)
    place.create(party, passphrase_reader(passphrase_file, confirm=True)())
    emit(
        {"home": str(home), "card": party.card.to_document()},
        f"Keys of {party_id} are in {place.key_file}; keep its passphrase, nobody can replace it.\n"
        f"Give {home / 'card.json'} to whoever makes the enrolment file.",
    )


@enrolment.command("new")
@click.argument("cards", nargs=-1, required=True, type=existing_file)
@click.option("--agreement", "agreement_id", required=True, help="The agreement's id.")
@click.option("--terms", type=existing_file, help="The terms as JSON; the shipped example where none are given.")
@click.option("--quorum", type=click.IntRange(1), required=True, help="How many institutions sign epochs and rosters.")
@click.option("--days", type=click.IntRange(1), default=90, show_default=True, help="Length of an epoch, for budgets.")
@out_option
@json_option
def new_enrolment(
    cards: tuple[Path, ...], agreement_id: str, terms: Path | None, quorum: int, days: int, out: Path
) -> None:
    """Make the enrolment file from every party's card and the terms.

    Budgets are 1.25 times what an institution declared, and 2% of it for every day of an epoch. The coverage, the
    share of all identifiers that may be evaluated, is published; above 1% there is a warning.

    \b
    crosslight enrolment new --agreement example --quorum 2 --out enrolment.json */card.json
    """
    read_cards: list[Card] = [read_card_file(card) for card in cards]
    built = build_enrolment(agreement_id, read_terms(terms), quorum, read_cards, days=days)
    signed = SignedDocument(built.to_document(), {})
    write_new(out, signed)
    for row in coverage(built.members, built.terms):
        if row.is_high:
            say(f"Warning: coverage of {row.sentence()}.")
    emit(
        {"file": str(out), "hash": built.hash.hex(), "parties": sorted(built.keys)},
        f"{out} is ready to be shown to every party, compared and signed. Its hash:\n{grouped(built.hash)}",
    )


@enrolment.command("show")
@click.argument("file", type=existing_file)
@json_option
def show_enrolment(file: Path) -> None:
    """Show an enrolment file in words, with its hash in groups for comparing by telephone."""
    signed = read_document_file(file)
    read = Enrolment.from_document(signed.document)
    report = {**signature_report(signed, read.keys), "document": signed.document}
    emit(report, lambda: render_enrolment(read, signed))


@enrolment.command("sign")
@click.argument("file", type=existing_file)
@click.option("--hash", "expected", type=Digest(), help="Sign only if the file has this hash.")
@home_option
@passphrase_option
@json_option
def sign_enrolment(file: Path, expected: bytes | None, home: Path, passphrase_file: Path | None) -> None:
    """Add this party's signature to an enrolment file.

    Refused where the file is not well formed, names this party with other keys than it has, or has another hash than
    was given. Run `crosslight enrolment show` first: a signature says that you agree.
    """
    signed = read_document_file(file)
    read = Enrolment.from_document(signed.document)
    if expected is not None and read.hash != expected:
        raise DocumentRefused(f"{file} has the hash {read.hash.hex()}, not the one given.")
    place = PartyHome(home)
    check_own_entry(read, place.card)
    ring = place.key_ring(passphrase_reader(passphrase_file))
    sign_file(file, signed, place, f"enrolment of {read.agreement_id}", ring)


enrolment.add_command(merge_command)


@enrolment.command("verify")
@click.argument("file", type=existing_file)
@click.option("--hash", "expected", type=Digest(), help="The hash that was compared.")
@json_option
def verify_enrolment(file: Path, expected: bytes | None) -> None:
    """Check an enrolment file whole: well formed, signed by every party, and of the hash given."""
    signed = read_document_file(file)
    trust = Trust.pin(signed, expected if expected is not None else signed.hash)
    remark = "" if expected is not None else " Compare its hash before you rely on it."
    emit(
        signature_report(signed, trust.enrolment.keys),
        f"{file} is well formed and signed by all {len(trust.enrolment.keys)} parties.{remark}\n"
        f"{grouped(trust.enrolment.hash)}",
    )


@enrolment.command("pin")
@click.argument("file", type=existing_file)
@click.option("--hash", "expected", type=Digest(), required=True, help="The hash, as compared with the other parties.")
@home_option
@json_option
def pin_enrolment(file: Path, expected: bytes, home: Path) -> None:
    """Trust an enrolment file from now on: its keys are this party's pins.

    Give the hash as you heard it from the other parties, not as you read it in the file.
    """
    place = PartyHome(home)
    trust = place.library.pin(read_document_file(file), expected)
    emit(
        {"home": str(home), "hash": trust.enrolment.hash.hex(), "agreement_id": trust.enrolment.agreement_id},
        f"The enrolment of {trust.enrolment.agreement_id} is pinned in {home}.",
    )


def read_terms(path: Path | None) -> Terms:
    """The terms in a file, or the shipped example; raises DocumentRefused."""
    if path is None:
        value = parse_document(files("policies").joinpath("terms_example.json").read_bytes(), "the shipped terms")
    else:
        value = read_json_file(path)
    if not isinstance(value, dict):
        raise DocumentRefused("The terms are no JSON object.")
    return Terms.from_document(value)


def check_own_entry(read: Enrolment, card: Card) -> None:
    """Refuse an enrolment that does not name the card's party, or names it with other keys, role or group."""
    name = card.party_id
    if name not in read.keys:
        raise DocumentRefused(f"The enrolment does not name {name}.")
    if read.keys[name] != card.signing_key:
        raise DocumentRefused(f"The enrolment names {name} with another signing key than it has.")
    facts: dict[str, tuple[object, ...]] = {
        **{member.institution_id: (member.role, member.group_id) for member in read.members},
        **{recipient.recipient_id: ("recipient", recipient.group_id) for recipient in read.recipients},
        **{holder.party_id: (HOLDER_ROLE, holder.group_id, holder.dkg_key, holder.address) for holder in read.holders},
    }
    own: tuple[object, ...] = (card.role, card.group_id)
    if card.role == HOLDER_ROLE:
        own = (*own, card.dkg_key, card.address)
    if name in facts and facts[name] != own:
        raise DocumentRefused(f"The enrolment says something else about {name} than its card.")


def _declared(pairs: tuple[str, ...]) -> dict[str, int]:
    declared: dict[str, int] = {}
    for pair in pairs:
        family, separator, number = pair.partition("=")
        if not separator or not number.isascii() or not number.isdigit() or family in declared:
            raise click.UsageError(f"--declare {pair}: write FAMILY=N, each family once")
        declared[family] = int(number)
    return declared
