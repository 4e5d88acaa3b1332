"""`crosslight epoch`: the document that opens a period with its own keys.

Reads and writes files only; key generation itself is the key holders' command.
"""

from __future__ import annotations

from pathlib import Path

import click

from policies.agreement.document import Agreement
from policies.assembly import build_epoch
from policies.document_commands import (
    Moment,
    existing_file,
    home_option,
    merge_command,
    out_option,
    passphrase_reader,
    sign_file,
    signature_report,
    trust_of,
    write_new,
)
from policies.documents import SignedDocument, read_document_file
from policies.epoch import Epoch
from policies.errors import DocumentRefused
from policies.generated_keys import check_certificates, check_own_shares, read_generated_key, verified_families
from policies.home import PartyHome
from policies.parties import holder_index
from policies.rendering import grouped, render_epoch
from runtime.console import emit, json_option, passphrase_option

generated_option = click.option(
    "--generated",
    multiple=True,
    type=existing_file,
    help="A result of `crosslight holder keygen`, once for each key family: checks the certificates.",
)


@click.group()
def epoch() -> None:
    """Make, show, sign, verify and accept an epoch document.

    \b
    1. Key holders:              crosslight holder keygen ...        a key for each family, and for records
    2. One party:                crosslight epoch new ...            the document over the keys' commitments
    3. Holders, institutions:    crosslight epoch show / sign FILE   every holder, and the quorum of institutions
    4. One of them:              crosslight epoch merge FILE ...     brings the signatures together
    5. Every party:              crosslight epoch accept FILE        verifies it against its pins and keeps it
    """


@epoch.command("new")
@click.argument("generated", nargs=-1, required=True, type=existing_file)
@click.option("--number", type=click.IntRange(1), required=True, help="The epoch's number, one higher than the last.")
@click.option("--from", "not_before", type=Moment(), required=True, help="When it begins: 2026-01-31 (UTC).")
@click.option("--until", "not_after", type=Moment(), required=True, help="When it ends.")
@home_option
@out_option
@json_option
def new_epoch(generated: tuple[Path, ...], number: int, not_before: int, not_after: int, home: Path, out: Path) -> None:
    """Make an epoch document from the results of key generation, one file a key family.

    Every certificate is checked: all key holders must have signed for the commitments.

    \b
    crosslight epoch new --number 1 --from 2026-01-01 --until 2026-04-01 --home bank-a --out epoch.json keys/*_key.json
    """
    pinned = trust_of(home).agreement
    families = verified_families([read_generated_key(path) for path in generated], pinned, number)
    built = build_epoch(pinned, number, not_before, not_after, families)
    write_new(out, SignedDocument(built.to_document(), {}))
    emit(
        {"file": str(out), "epoch_id": built.epoch_id.hex(), "families": sorted(built.families)},
        f"{out} is ready to be signed. Its hash:\n{grouped(built.epoch_id)}",
    )


@epoch.command("show")
@click.argument("file", type=existing_file)
@home_option
@json_option
def show_epoch(file: Path, home: Path) -> None:
    """Show an epoch document in words, and whose signatures hold under the pinned keys."""
    signed = read_document_file(file)
    read = Epoch.from_document(signed.document)
    keys = _signers(trust_of(home).agreement)
    report = {**signature_report(signed, keys), "document": signed.document}
    emit(report, lambda: render_epoch(read, signed, keys))


@epoch.command("sign")
@click.argument("file", type=existing_file)
@generated_option
@home_option
@passphrase_option
@json_option
def sign_epoch(file: Path, generated: tuple[Path, ...], home: Path, passphrase_file: Path | None) -> None:
    """Add this key holder's or institution's signature to an epoch document.

    Refused where the document does not agree with the pinned agreement, where a certificate given does not hold, where
    a key holder lacks a share of one of the keys, or where this party signed another document for the same epoch.
    """
    signed = read_document_file(file)
    trust = trust_of(home)
    read = trust.review_epoch(signed.document)
    place = PartyHome(home)
    signers = _signers(trust.agreement)
    if place.card.party_id not in signers:
        raise DocumentRefused(f"{place.card.party_id} does not sign epochs: key holders and institutions do.")
    if signers[place.card.party_id] != place.card.signing_key:
        raise DocumentRefused(
            f"Epochs are signed under the keys of the agreement, and {place.card.party_id} has a newer one by now: the "
            "quorum of the other institutions signs this epoch, or all parties make a new agreement."
        )
    if generated:
        check_certificates(read, [read_generated_key(path) for path in generated], trust.agreement)
    ring = place.key_ring(passphrase_reader(passphrase_file))
    index = holder_index(place.card.party_id)
    if index is not None:
        check_own_shares(read, index, ring)
    sign_file(file, signed, place, f"epoch {read.number} of {read.agreement_id}", ring)


epoch.add_command(merge_command)


@epoch.command("verify")
@click.argument("file", type=existing_file)
@generated_option
@home_option
@json_option
def verify_epoch(file: Path, generated: tuple[Path, ...], home: Path) -> None:
    """Check an epoch document whole against this party's pins, as `accept` does, and keep nothing."""
    signed = read_document_file(file)
    trust = trust_of(home).with_epoch(signed)
    if generated:
        check_certificates(trust.epoch, [read_generated_key(path) for path in generated], trust.agreement)
    emit(
        signature_report(signed, _signers(trust.agreement)),
        f"{file} holds: epoch {trust.epoch.number}, {trust.epoch_id.hex()}.",
    )


@epoch.command("accept")
@click.argument("file", type=existing_file)
@home_option
@json_option
def accept_epoch(file: Path, home: Path) -> None:
    """Verify an epoch document against this party's pins and keep it in HOME/documents."""
    trust = PartyHome(home).library.accept_epoch(read_document_file(file))
    emit(
        {"home": str(home), "number": trust.epoch.number, "epoch_id": trust.epoch_id.hex()},
        f"Epoch {trust.epoch.number} is accepted in {home}.",
    )


def _signers(agreement: Agreement) -> dict[str, bytes]:
    """Whose signatures an epoch may carry: holders and members, under their pinned keys."""
    return {**agreement.holder_keys, **agreement.member_keys}
