"""`crosslight party`: a party's keys, and the card by which the others get its public ones.

Writes files only; nothing here speaks to another party.
"""

from __future__ import annotations

from pathlib import Path

import click

from policies.document_commands import home_option, passphrase_reader
from policies.home import PartyHome
from policies.party_keys import HOLDER_ROLE, ROLES, new_party
from runtime.console import emit, json_option, passphrase_option


@click.group()
def party() -> None:
    """Make a party's keys and its card. What the parties agree on: `crosslight agreement`."""


@party.command("keys")
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
    crosslight party keys bank bank-a --group group-a --declare phone=80000 --declare email=50000 --home bank-a
    crosslight party keys holder holder1 --group university --address https://holder.example --home holder1
    crosslight party keys recipient charity --group charity --home charity
    crosslight party keys broker broker --group operator --address https://broker.example --home broker
    crosslight party keys auditor regulator --group regulator --home regulator
    """
    if index is not None and (role != HOLDER_ROLE or party_id != f"holder{index}"):
        raise click.UsageError(f"--index {index} belongs to the key holder with the id holder{index}")
    party = new_party(role, party_id, group, address=address, declared=_declared(declare))
    place = PartyHome(home)
    place.create(party, passphrase_reader(passphrase_file, confirm=True)())
    emit(
        {"home": str(home), "card": party.card.to_document()},
        f"Keys of {party_id} are in {place.key_file}; keep its passphrase, nobody can replace it.\n"
        f"Give {home / 'card.json'} to whoever compiles the agreement.",
    )


def _declared(pairs: tuple[str, ...]) -> dict[str, int]:
    declared: dict[str, int] = {}
    for pair in pairs:
        family, separator, number = pair.partition("=")
        if not separator or not number.isascii() or not number.isdigit() or family in declared:
            raise click.UsageError(f"--declare {pair}: write FAMILY=N, each family once")
        declared[family] = int(number)
    return declared
