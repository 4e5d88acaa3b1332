"""`crosslight agreement diff | suspend | leave | publish`: what changes an agreement, and bringing it to the services.

Only `publish` speaks to anybody: to the broker and the key holders whom the agreement names.
"""

from __future__ import annotations

from pathlib import Path

import click

from policies.agreement.diff import diff
from policies.agreement.document import Agreement
from policies.agreement.publishing import Network, publish
from policies.agreement.standing import Departure, Suspension, suspension_place
from policies.document_commands import existing_file, home_option, out_option, passphrase_reader, write_new
from policies.documents import SignedDocument, read_document_file
from policies.errors import DocumentRefused
from policies.home import PartyHome
from runtime.clock import SystemClock, unix
from runtime.console import emit, json_option, passphrase_option
from runtime.exits import ExitCode, UserError


@click.command("diff")
@click.argument("old", type=existing_file)
@click.argument("new", type=existing_file)
@json_option
def diff_command(old: Path, new: Path) -> None:
    """Show in plain words what NEW says otherwise than OLD: two versions of an agreement."""
    before, after = (Agreement.from_document(read_document_file(path).document) for path in (old, new))
    changes = diff(before, after)
    emit(
        {"changes": [{"path": each.path, "old": each.old, "new": each.new} for each in changes]},
        lambda: "\n".join(each.sentence for each in changes) or "Nothing differs.",
    )


@click.command("suspend")
@click.argument("party_id", metavar="[PARTY]", required=False)
@click.option("--lift", is_flag=True, help="Take the party back.")
@click.option("--reason", required=True, help="Why, in a sentence; it enters the log, so name nobody in it.")
@home_option
@out_option
@passphrase_option
@json_option
def suspend_command(
    party_id: str | None, lift: bool, reason: str, home: Path, out: Path, passphrase_file: Path | None
) -> None:
    """Suspend PARTY, or this party itself, or lift that.

    A suspended party's requests are refused, and its records neither open nor support. Another party is suspended by
    the quorum of institutions: the others sign the file (`crosslight agreement cosign`), one merges. What they
    imposed, the party cannot lift. Then `crosslight agreement publish`.

    \b
    crosslight agreement suspend --reason "Our key file may have been copied" --home bank-a --out suspension.json
    crosslight agreement suspend bank-b --reason "Its counts look like probing" --home bank-a --out suspension.json
    """
    place = PartyHome(home)
    name = place.card.party_id
    trust = place.library.trust()
    newest = trust.newest_agreement
    suspended = party_id or name
    itself = suspended == name
    signers = newest.keys if itself else newest.member_keys
    if name not in signers:
        raise DocumentRefused(f"{name} suspends nobody but itself: institutions do.")
    if suspended not in newest.keys:
        raise DocumentRefused(f"The agreement does not name {suspended}.")
    by = "itself" if itself else "members"
    document = Suspension(
        agreement_id=newest.agreement_id,
        version=newest.version,
        party_id=suspended,
        by="itself" if itself else "members",
        number=trust.exclusions.next_number(suspended, by),
        suspended=not lift,
        since=unix(SystemClock()),
        reason=reason,
    )
    _write_signed(place, document.to_document(), suspension_place(document), signers[name], out, passphrase_file)


@click.command("leave")
@home_option
@out_option
@passphrase_option
@json_option
def leave_command(home: Path, out: Path, passphrase_file: Path | None) -> None:
    """Leave the agreement, for good: write this party's signed departure to OUT.

    Once it is published the broker takes the party's records out, key holders open none of them, and the log shows it.
    The party's id does not return; what was opened before stays with who opened it, for as long as was agreed.

    \b
    crosslight agreement leave --home bank-a --out departure.json
    crosslight agreement publish departure.json --home bank-a
    """
    place = PartyHome(home)
    name = place.card.party_id
    newest = place.library.trust().newest_agreement
    if name not in newest.keys:
        raise DocumentRefused(f"The agreement does not name {name}.")
    document = Departure(newest.agreement_id, newest.version, name, unix(SystemClock()))
    purpose = f"departure of {name} from {newest.agreement_id}"
    _write_signed(place, document.to_document(), purpose, newest.keys[name], out, passphrase_file)


@click.command("publish")
@click.argument("file", type=existing_file)
@click.option("--timeout", type=click.FloatRange(min=1), default=30, show_default=True, help="Seconds a request.")
@click.option("--ca-file", type=existing_file, help="Authorities to trust instead of the system's (PEM).")
@home_option
@passphrase_option
@json_option
def publish_command(file: Path, timeout: float, ca_file: Path | None, home: Path, passphrase_file: Path | None) -> None:
    """Bring a document that is signed as it must be to the broker and every key holder, and keep it in HOME/documents.

    Refused where this party's pins do not bear it out. Whoever could not be reached is named: run the command again.
    """
    place = PartyHome(home)
    signed = read_document_file(file)
    before = place.library.trust()
    before.with_document(signed)
    ring = place.key_ring(passphrase_reader(passphrase_file))
    network = Network(place.card.party_id, ring["signing"], SystemClock(), timeout=timeout, ca_file=ca_file)
    # Services first: a party that leaves is heard no more once its departure is held.
    found = publish(signed, before, network)
    place.library.accept(signed)
    emit(
        {"hash": signed.hash.hex(), "accepted": found.accepted, "failed": found.failed},
        "\n".join(
            [*(f"{name} has it." for name in found.accepted), *(f"{n}: {why}" for n, why in found.failed.items())]
        ),
    )
    if found.failed:
        raise UserError(f"Not everybody has it: {', '.join(found.failed)}. Run this again.", ExitCode.UNREACHABLE)


def _write_signed(
    place: PartyHome, document: dict[str, object], purpose: str, key: bytes, out: Path, passphrase_file: Path | None
) -> None:
    ring = place.key_ring(passphrase_reader(passphrase_file))
    signed = place.sign(SignedDocument(document, {}), purpose, ring, key)
    write_new(out, signed)
    emit(
        {"file": str(out), "hash": signed.hash.hex(), "document": document},
        f"{out} is signed by {place.card.party_id}: {purpose}. `crosslight agreement publish` brings it to everybody.",
    )
