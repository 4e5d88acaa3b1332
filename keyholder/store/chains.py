"""The heads of the two chains that a holder keeps: documents in their order, and decisions about openings.

Knows names, numbers and hashes; not what a link says.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, select, update

from keyholder.store.inserting import insert_into
from keyholder.store.schema import chain

DOCUMENTS: Final = "documents"
OPENINGS: Final = "openings"
NO_LINK: Final = bytes(32)

_LENGTH = select(chain.c.number).where(chain.c.name == bindparam("name"))


class Head(NamedTuple):
    """How many links a chain has, and the hash (32 bytes) of the last; zeros before the first."""

    number: int
    hash: bytes


def lock_chain(connection: Connection, name: str) -> Head:
    """The chain's head, locked until the transaction's end: links are added one after the other."""
    connection.execute(
        insert_into(connection, chain).values(name=name, number=0, hash=NO_LINK).on_conflict_do_nothing()
    )
    row = connection.execute(select(chain.c.number, chain.c.hash).where(chain.c.name == name).with_for_update()).one()
    return Head(row.number, bytes(row.hash))


def move_head(connection: Connection, name: str, head: Head) -> None:
    """Make `head` the chain's head; the caller has locked it."""
    connection.execute(update(chain).where(chain.c.name == name).values(number=head.number, hash=head.hash))


def chain_length(connection: Connection, name: str) -> int:
    """How many links the chain has: a number that changes whenever it does."""
    number: int | None = connection.execute(_LENGTH, {"name": name}).scalar_one_or_none()
    return number or 0
