"""`crosslight roster`: who is a member and who a recipient, version by version; and recipients' keys for an epoch.

Reads and writes files only.
"""

from __future__ import annotations

from pathlib import Path

import click

from crypto.sealing import generate_recipient_seed, recipient_public_key
from policies.assembly import RecipientKey, build_roster, member_with_card
from policies.document_commands import (
    Moment,
    existing_file,
    home_option,
    merge_command,
    out_option,
    passphrase_reader,
    refuse_existing,
    sign_file,
    signature_report,
    trust_of,
    write_new,
)
from policies.documents import SignedDocument, read_document_file
from policies.errors import DocumentRefused
from policies.home import PartyHome
from policies.parties import Member
from policies.party_keys import RECIPIENT_ROLE, epoch_key_name, read_card_file
from policies.rendering import grouped, render_roster
from policies.roster import Roster
from policies.trust import Trust
from runtime.console import emit, json_option, passphrase_option


@click.group()
def roster() -> None:
    """Make, show, sign, verify and accept a roster.

    \b
    1. Every recipient:          crosslight roster key ...           a key that records of this epoch are sealed to
    2. One party:                crosslight roster new ...           the next version
    3. Holders, institutions:    crosslight roster show / sign FILE  every holder, and the quorum of institutions
    4. One of them:              crosslight roster merge FILE ...    brings the signatures together
    5. Every party:              crosslight roster accept FILE       verifies it against its pins and keeps it
    """


@roster.command("key")
@click.option("--until", "not_after", type=Moment(), help="When the key expires; else with the epoch.")
@home_option
@out_option
@passphrase_option
@json_option
def make_recipient_key(not_after: int | None, home: Path, out: Path, passphrase_file: Path | None) -> None:
    """Make a recipient's key for the epoch: the secret goes into HOME/keys.age, the signed public key to OUT.

    An epoch has one key a recipient: called again, the command gives the same one again. Destroying it when the epoch
    closes makes what was never opened unreadable.
    """
    trust = trust_of(home)
    place = PartyHome(home)
    if place.card.role != RECIPIENT_ROLE:
        raise DocumentRefused(f"{place.card.party_id} is no recipient: nothing is sealed to it.")
    refuse_existing(out)
    passphrase = passphrase_reader(passphrase_file)()
    ring = place.key_ring(lambda: passphrase)
    name = epoch_key_name(trust.epoch_id)
    seed = ring[name] if name in ring else generate_recipient_seed()
    expiry = not_after or trust.epoch.not_after
    if expiry > trust.epoch.not_after:
        raise DocumentRefused("The key would outlive the epoch.")
    if name not in ring:
        place.keep_secret(name, seed, ring, passphrase)
    offered = RecipientKey(place.card.party_id, trust.epoch_id, recipient_public_key(seed), expiry)
    write_new(out, place.sign_freely(offered.to_document(), ring))
    emit(
        {"file": str(out), "recipient_id": offered.recipient_id, "epoch_id": trust.epoch_id.hex()},
        f"Give {out} to whoever makes the roster.",
    )


@roster.command("new")
@click.argument("recipient_keys", nargs=-1, type=existing_file)
@click.option("--card", "cards", multiple=True, type=existing_file, help="An institution's card with its new key.")
@click.option("--remove", "removed", multiple=True, metavar="ID", help="An institution to be dropped, for good.")
@home_option
@out_option
@json_option
def new_roster(
    recipient_keys: tuple[Path, ...],
    cards: tuple[Path, ...],
    removed: tuple[str, ...],
    home: Path,
    out: Path,
) -> None:
    """Make the next version of the roster: version 1 from the agreement, every later one from the version before.

    RECIPIENT_KEYS are files of `crosslight roster key`. With --card an institution of the agreement gets the new
    signing key of its card (`crosslight institution rotate-key`), or comes in where an earlier version left it out;
    with --remove one is dropped. Whom the agreement does not name, an amendment brings in, and the next epoch.

    \b
    crosslight roster new charity-key.json --home bank-a --out roster-1.json
    crosslight roster new --card bank-a/card.json --home bank-a --out roster-2.json
    """
    trust = trust_of(home)
    offered = [RecipientKey.from_signed(read_document_file(path), trust) for path in recipient_keys]
    built = build_roster(trust, offered, members=_members(trust, cards, removed))
    write_new(out, SignedDocument(built.to_document(), {}))
    emit(
        {"file": str(out), "version": built.version, "hash": built.hash.hex()},
        f"{out} is ready to be signed, version {built.version}. Its hash:\n{grouped(built.hash)}",
    )


@roster.command("show")
@click.argument("file", type=existing_file)
@home_option
@json_option
def show_roster(file: Path, home: Path) -> None:
    """Show a roster in words, what it changes, and whose signatures hold."""
    signed = read_document_file(file)
    trust = trust_of(home)
    read = trust.review_roster(signed.document)
    keys = _signers(trust, read)
    before = trust.rosters[read.version - 2] if read.version > 1 else None
    report = {**signature_report(signed, keys), "document": signed.document}
    emit(report, lambda: render_roster(read, signed, keys, before))


@roster.command("sign")
@click.argument("file", type=existing_file)
@home_option
@passphrase_option
@json_option
def sign_roster(file: Path, home: Path, passphrase_file: Path | None) -> None:
    """Add this key holder's or institution's signature to a roster.

    Refused where the roster does not continue what this party holds, changes an id's role or group, brings one back,
    or where this party signed another document for the same version.
    """
    signed = read_document_file(file)
    trust = trust_of(home)
    read = trust.review_roster(signed.document)
    place = PartyHome(home)
    signers = _signers(trust, read)
    name = place.card.party_id
    if signers.get(name) != place.card.signing_key:
        raise DocumentRefused(f"{name} does not sign this roster, or not with the key that it has now.")
    ring = place.key_ring(passphrase_reader(passphrase_file))
    sign_file(file, signed, place, f"roster {read.version} of {read.epoch_id.hex()}", ring)


roster.add_command(merge_command)


@roster.command("verify")
@click.argument("file", type=existing_file)
@home_option
@json_option
def verify_roster(file: Path, home: Path) -> None:
    """Check a roster whole against this party's pins, as `accept` does, and keep nothing."""
    signed = read_document_file(file)
    trust = trust_of(home)
    trust.with_roster(signed)
    read = trust.review_roster(signed.document)
    emit(signature_report(signed, _signers(trust, read)), f"{file} holds: roster {read.version}, {read.hash.hex()}.")


@roster.command("accept")
@click.argument("file", type=existing_file)
@home_option
@json_option
def accept_roster(file: Path, home: Path) -> None:
    """Verify a roster against this party's pins and keep it in HOME/documents."""
    trust = PartyHome(home).library.accept_roster(read_document_file(file))
    emit(
        {"home": str(home), "version": trust.roster.version, "hash": trust.roster.hash.hex()},
        f"Roster {trust.roster.version} of epoch {trust.epoch.number} is accepted in {home}.",
    )


def _members(trust: Trust, cards: tuple[Path, ...], removed: tuple[str, ...]) -> list[Member]:
    current = (trust.rosters[-1] if trust.rosters else trust.agreement).members
    members = {member.institution_id: member for member in current}
    for name in removed:
        if members.pop(name, None) is None:
            raise DocumentRefused(f"{name} is no member and cannot leave.")
    for path in cards:
        joining = member_with_card(read_card_file(path), trust.agreement)
        members[joining.institution_id] = joining
    return [members[name] for name in sorted(members)]


def _signers(trust: Trust, read: Roster) -> dict[str, bytes]:
    """Whose signatures a roster may carry: holders under pinned keys, members as rule 13 says."""
    return {**trust.agreement.holder_keys, **trust.roster_signers(read)}
