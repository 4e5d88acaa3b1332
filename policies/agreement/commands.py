"""`crosslight agreement`: from the file that people write to the document that all have signed.

Reads and writes files. What comes between two versions, and what speaks to services, is in change_commands.py.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import click

from policies.agreement.checks import check_content
from policies.agreement.document import Agreement
from policies.agreement.draft import AgreementDraft
from policies.agreement.page import render_page
from policies.agreement.standing import Suspension, suspension_place
from policies.agreement.templates import names, template
from policies.agreement.words import render_markdown
from policies.agreement.yaml_file import read_agreement_file
from policies.budgets import coverage
from policies.document_commands import (
    Digest,
    Moment,
    existing_file,
    home_option,
    merge_command,
    new_file,
    out_option,
    passphrase_reader,
    refuse_existing,
    sign_file,
    signature_report,
    trust_of,
    write_new,
)
from policies.documents import SignedDocument, read_document_file, write_file
from policies.errors import DocumentRefused
from policies.home import PartyHome
from policies.party_keys import AUDITOR_ROLE, HOLDER_ROLE, Card, read_card_file
from policies.rendering import grouped, render_agreement
from policies.trust import Trust
from runtime.console import emit, json_option, passphrase_option, say

LATER = {
    "diff": ("policies.agreement.change_commands", "diff_command"),
    "suspend": ("policies.agreement.change_commands", "suspend_command"),
    "leave": ("policies.agreement.change_commands", "leave_command"),
    "publish": ("policies.agreement.change_commands", "publish_command"),
    "simulate": ("policies.decisions.commands", "simulate_command"),
    "explain": ("policies.decisions.commands", "explain_command"),
}
"""Where the commands of other modules are: imported when they are called."""


class AgreementCommands(click.Group):
    """The group, with the commands of `LATER` imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name."""
        return sorted({*super().list_commands(ctx), *LATER})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name; None where there is none."""
        if cmd_name not in LATER:
            return super().get_command(ctx, cmd_name)
        module, name = LATER[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=AgreementCommands)
def agreement() -> None:
    """Make, compare, co-sign and amend the agreement between all parties.

    \b
    1. Every party:  crosslight party keys ...              makes its keys and a card
    2. One of them:  crosslight agreement new FILE CARD...  compiles the document from the file that people wrote
    3. Every party:  crosslight agreement show FILE         reads it and compares the hash by telephone
    4. Every party:  crosslight agreement cosign FILE       signs it
    5. One of them:  crosslight agreement merge FILE ...    brings the signatures together
    6. Every party:  crosslight agreement pin FILE          trusts it from then on
    An amendment goes the same way, from `new --amends` to `accept` and `publish`.
    """


@agreement.command("new")
@click.argument("files", nargs=-1, type=existing_file, metavar="[FILE.yaml] CARD...")
@click.option("--template", "template_name", type=click.Choice(names()), help="The rules of a shipped agreement.")
@click.option("--id", "agreement_id", help="With a template: the agreement's id.")
@click.option("--from", "start", type=Moment(), help="With a template: when it begins, 2026-01-31 (UTC).")
@click.option("--until", "end", type=Moment(), help="With a template: when it ends.")
@click.option(
    "--quorum", type=click.IntRange(1), help="With a template: how many institutions sign epochs and rosters."
)
@click.option(
    "--amends", type=click.Path(path_type=Path, file_okay=False), metavar="HOME", help="Make the next version."
)
@out_option
@json_option
def new_agreement(
    files: tuple[Path, ...],
    template_name: str | None,
    agreement_id: str | None,
    start: int | None,
    end: int | None,
    quorum: int | None,
    amends: Path | None,
    out: Path,
) -> None:
    """Compile an agreement from FILE.yaml, or from a template, and every party's card.

    With --template the rules of the template hold between the parties of the cards, whoever they are. Without it the
    file names the parties, and each of them gives a card. With --amends HOME the document is the next version of the
    agreement pinned there; cards are needed only of parties that join or have new keys.

    Budgets are 1.25 times what an institution declared, and 2% of it for every day of an epoch. The coverage, the
    share of all identifiers that may be evaluated, is published; above 1% there is a warning.

    \b
    crosslight agreement new agreement.yaml */card.json --out agreement.json
    crosslight agreement new --template single-operator-trial */card.json --out agreement.json
    crosslight agreement new agreement.yaml new-bank/card.json --amends bank-a --out agreement-2.json
    """
    changes = {"agreement_id": agreement_id, "start": start, "end": end, "member_quorum": quorum}
    given = {name: value for name, value in changes.items() if value is not None}
    if template_name is None:
        if not files or given:
            raise click.UsageError("Give FILE.yaml, and --id, --from, --until and --quorum with --template alone.")
        draft, cards = read_agreement_file(files[0]), [read_card_file(path) for path in files[1:]]
    else:
        cards = [read_card_file(path) for path in files]
        draft = _changed(template(template_name).for_parties(cards), given)
    previous = None if amends is None else trust_of(amends).newest_agreement
    built = draft.with_cards(cards, previous)
    write_new(out, SignedDocument(built.to_document(), {}))
    for row in coverage(built.members, built.terms):
        if row.is_high:
            say(f"Warning: coverage of {row.sentence()}.")
    emit(
        {"file": str(out), "version": built.version, "hash": built.hash.hex(), "parties": sorted(built.keys)},
        f"{out} is ready to be shown to every party, compared and signed. Its hash:\n{grouped(built.hash)}",
    )


@agreement.command("show")
@click.argument("file", type=existing_file)
@click.option("--page", type=new_file, help="Write the whole agreement in plain words as a web page to this file.")
@click.option("--markdown", is_flag=True, help="The whole agreement in plain words, as Markdown.")
@json_option
def show_agreement(file: Path, page: Path | None, markdown: bool) -> None:
    """Show an agreement in short, with its hash in groups for comparing by telephone; or whole, in plain words."""
    signed = read_document_file(file)
    read = Agreement.from_document(signed.document)
    report = {**signature_report(signed, read.keys), "document": signed.document}
    if page is not None:
        refuse_existing(page)
        write_file(page, render_page(read))
        report["page"] = str(page)
    emit(report, lambda: render_markdown(read) if markdown else render_agreement(read, signed))


@agreement.command("cosign")
@click.argument("file", type=existing_file)
@click.option("--hash", "expected", type=Digest(), help="Sign only if the file has this hash.")
@home_option
@passphrase_option
@json_option
def cosign_agreement(file: Path, expected: bytes | None, home: Path, passphrase_file: Path | None) -> None:
    """Add this party's signature to an agreement, to an amendment, or to a suspension by the institutions.

    Refused where the file is not well formed, names this party with other keys than it has, does not continue what
    this party holds, or has another hash than was given. Run `crosslight agreement show` first: a signature says that
    you agree.
    """
    signed = read_document_file(file)
    if expected is not None and signed.hash != expected:
        raise DocumentRefused(f"{file} has the hash {signed.hash.hex()}, not the one given.")
    place = PartyHome(home)
    purpose, key = _what_is_signed(signed, place)
    ring = place.key_ring(passphrase_reader(passphrase_file))
    sign_file(file, signed, place, purpose, ring, key)


agreement.add_command(merge_command)


@agreement.command("verify")
@click.argument("file", type=existing_file)
@click.option("--hash", "expected", type=Digest(), help="The hash that was compared.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Of an amendment: who holds the rest.")
@json_option
def verify_agreement(file: Path, expected: bytes | None, home: Path | None) -> None:
    """Check an agreement whole: well formed, signed by every party, and of the hash given.

    With --home any document is checked against what is held there: an amendment, a suspension, a departure.
    """
    signed = read_document_file(file)
    if expected is not None and signed.hash != expected:
        raise DocumentRefused(f"{file} has the hash {signed.hash.hex()}, not the one given.")
    if home is not None:
        trust_of(home).with_document(signed)
        emit({"hash": signed.hash.hex(), "type": signed.type}, f"{file} holds.\n{grouped(signed.hash)}")
        return
    trust = Trust.pin(signed, signed.hash)
    remark = "" if expected is not None else " Compare its hash before you rely on it."
    emit(
        signature_report(signed, trust.agreement.keys),
        f"{file} is well formed and signed by all {len(trust.agreement.keys)} parties.{remark}\n"
        f"{grouped(trust.agreement.hash)}",
    )


@agreement.command("pin")
@click.argument("file", type=existing_file)
@click.option("--hash", "expected", type=Digest(), required=True, help="The hash, as compared with the other parties.")
@home_option
@json_option
def pin_agreement(file: Path, expected: bytes, home: Path) -> None:
    """Trust an agreement from now on: its keys are this party's pins.

    Give the hash as you heard it from the other parties, not as you read it in the file.
    """
    place = PartyHome(home)
    trust = place.library.pin(read_document_file(file), expected)
    emit(
        {"home": str(home), "hash": trust.agreement.hash.hex(), "agreement_id": trust.agreement.agreement_id},
        f"The agreement {trust.agreement.agreement_id} is pinned in {home}.",
    )


@agreement.command("accept")
@click.argument("file", type=existing_file)
@home_option
@json_option
def accept_change(file: Path, home: Path) -> None:
    """Verify an amendment, a suspension or a departure against this party's pins and keep it in HOME/documents."""
    signed = read_document_file(file)
    if signed.type not in ("agreement", "suspension", "departure"):
        raise DocumentRefused(
            f"This document is of the type {signed.type}: `crosslight {signed.type} accept` takes it."
        )
    trust = PartyHome(home).library.accept(signed)
    emit(
        {"home": str(home), "type": signed.type, "hash": signed.hash.hex(), "version": trust.newest_agreement.version},
        f"The {signed.type} is accepted in {home}.",
    )


def check_own_entry(read: Agreement, card: Card) -> None:
    """Refuse an agreement that does not name the card's party, or names it with other keys, role or group."""
    name = card.party_id
    if name not in read.keys:
        raise DocumentRefused(f"The agreement does not name {name}.")
    if read.keys[name] != card.signing_key:
        raise DocumentRefused(f"The agreement names {name} with another signing key than it has.")
    facts: dict[str, tuple[object, ...]] = {
        **{member.institution_id: (member.role, member.group_id) for member in read.members},
        **{recipient.recipient_id: ("recipient", recipient.group_id) for recipient in read.recipients},
        **{holder.party_id: (HOLDER_ROLE, holder.group_id, holder.dkg_key, holder.address) for holder in read.holders},
        **dict.fromkeys(read.auditor_keys, (AUDITOR_ROLE, card.group_id)),
    }
    own: tuple[object, ...] = (card.role, card.group_id)
    if card.role == HOLDER_ROLE:
        own = (*own, card.dkg_key, card.address)
    if name in facts and facts[name] != own:
        raise DocumentRefused(f"The agreement says something else about {name} than its card.")


def _changed(draft: AgreementDraft, changes: dict[str, str | int]) -> AgreementDraft:
    changed = replace(draft, **changes)  # type: ignore[arg-type]
    check_content(changed)
    return changed


def _what_is_signed(signed: SignedDocument, place: PartyHome) -> tuple[str, bytes]:
    """For what the party signs, and the public key that its signature must hold under; raises DocumentRefused."""
    name = place.card.party_id
    if signed.type == "suspension":
        newest = place.library.trust().newest_agreement
        given = Suspension.from_document(signed.document)
        if given.version != newest.version or name not in newest.member_keys or given.by != "members":
            raise DocumentRefused(f"{name} does not sign this suspension: institutions do, under the newest version.")
        return suspension_place(given), newest.member_keys[name]
    read = Agreement.from_document(signed.document)
    check_own_entry(read, place.card)
    key = read.keys[name]
    if read.version > 1:
        trust = place.library.trust()
        trust.review_agreement(signed.document)
        key = trust.agreement_signers(read)[name]
    return f"version {read.version} of the agreement {read.agreement_id}", key
