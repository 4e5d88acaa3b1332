"""Statements over the log's rows: leaves that wait, leaves with their place, full tiles, checkpoints, cosignatures.

`lock_log` first, for whoever gives places. Knows bytes and numbers; not how a tree is hashed or a note is signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from broker.store.bulk import insert_rows
from broker.store.log_schema import log_checkpoint, log_cosignature, log_leaf, log_pending, log_state, log_tile
from runtime.database import is_sqlite

_THE_LOG = 1


class LeafRow(NamedTuple):
    """A leaf with its place (from 0) and its leaf hash (32 bytes)."""

    place: int
    hash: bytes
    leaf: bytes


class TileRow(NamedTuple):
    """A full tile: 256 hashes, and the one hash that they are a level up."""

    level: int
    tile: int
    root: bytes
    hashes: bytes


class CosignatureRow(NamedTuple):
    """A witness's signature line under the checkpoint of a size."""

    name: str
    line: str
    cosigned_at: int


def add_pending(connection: Connection, leaf: bytes) -> None:
    """Let a leaf wait for its place."""
    connection.execute(insert(log_pending), {"leaf": leaf})


def has_pending(connection: Connection) -> bool:
    """Whether a committed leaf has no place yet."""
    return connection.execute(select(log_pending.c.serial).limit(1)).first() is not None


_TAKE = text(
    "DELETE FROM log_pending WHERE serial IN (SELECT serial FROM log_pending ORDER BY serial LIMIT :limit)"
    " RETURNING serial, leaf"
)


def take_pending(connection: Connection, limit: int) -> list[bytes]:
    """Take the next leaves that wait, in the order in which they came.

    One statement, so that one that commits meanwhile with a lower number is neither taken nor lost.
    """
    rows = sorted(connection.execute(_TAKE, {"limit": limit}).all(), key=lambda row: row[0])
    return [bytes(leaf) for _, leaf in rows]


def lock_log(connection: Connection) -> int:
    """Be the only one to give places until the transaction ends; return how many leaves have one."""
    query = select(log_state.c.size).where(log_state.c.log == _THE_LOG).with_for_update()
    return int(connection.execute(query).scalar_one())


def log_size(connection: Connection) -> int:
    """How many leaves have a place."""
    return int(connection.execute(select(log_state.c.size).where(log_state.c.log == _THE_LOG)).scalar_one())


def set_log_size(connection: Connection, size: int) -> None:
    """Note how many leaves have a place."""
    connection.execute(update(log_state).where(log_state.c.log == _THE_LOG).values(size=size))


def add_leaves(connection: Connection, rows: Sequence[LeafRow]) -> None:
    """Store leaves with their places."""
    insert_rows(connection, log_leaf, rows)


def leaf_hashes(connection: Connection, first: int, end: int) -> list[bytes]:
    """The leaf hashes of the places from `first` to before `end`."""
    query = select(log_leaf.c.hash).where(log_leaf.c.place >= first, log_leaf.c.place < end).order_by(log_leaf.c.place)
    return [bytes(found) for found in connection.execute(query).scalars()]


def leaves(connection: Connection, first: int, end: int) -> list[bytes]:
    """The leaves at the places from `first` to before `end`."""
    query = select(log_leaf.c.leaf).where(log_leaf.c.place >= first, log_leaf.c.place < end).order_by(log_leaf.c.place)
    return [bytes(found) for found in connection.execute(query).scalars()]


def find_leaf(connection: Connection, leaf_hash: bytes) -> LeafRow | None:
    """The first leaf with a leaf hash (32 bytes)."""
    row = connection.execute(
        select(log_leaf.c.place, log_leaf.c.hash, log_leaf.c.leaf)
        .where(log_leaf.c.hash == leaf_hash)
        .order_by(log_leaf.c.place)
        .limit(1)
    ).one_or_none()
    return None if row is None else LeafRow(row[0], bytes(row[1]), bytes(row[2]))


def places_of(connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, int]:
    """The first place of each of `hashes` (at most some hundreds) that has one."""
    query = (
        select(log_leaf.c.hash, func.min(log_leaf.c.place)).where(log_leaf.c.hash.in_(hashes)).group_by(log_leaf.c.hash)
    )
    return {bytes(found): place for found, place in connection.execute(query)}


def add_tiles(connection: Connection, rows: Sequence[TileRow]) -> None:
    """Store full tiles."""
    insert_rows(connection, log_tile, rows)


def tile_hashes(connection: Connection, level: int, tile: int) -> bytes | None:
    """The 256 hashes of a full tile; None where it is not full."""
    query = select(log_tile.c.hashes).where(log_tile.c.level == level, log_tile.c.tile == tile)
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else bytes(found)


def tile_roots(connection: Connection, level: int, first: int, end: int) -> list[bytes]:
    """What the full tiles of a level from `first` to before `end` are one level up."""
    query = (
        select(log_tile.c.root)
        .where(log_tile.c.level == level, log_tile.c.tile >= first, log_tile.c.tile < end)
        .order_by(log_tile.c.tile)
    )
    return [bytes(found) for found in connection.execute(query).scalars()]


def add_checkpoint(connection: Connection, size: int, note: str, now: int) -> None:
    """Keep the signed checkpoint of a size."""
    connection.execute(insert(log_checkpoint), {"size": size, "note": note, "made_at": now})


def newest_checkpoint(connection: Connection) -> tuple[int, str] | None:
    """Size and note of the newest checkpoint."""
    query = select(log_checkpoint.c.size, log_checkpoint.c.note).order_by(log_checkpoint.c.size.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else (row[0], row[1])


def checkpoint_of(connection: Connection, size: int) -> str | None:
    """The note of the checkpoint of a size."""
    return connection.execute(select(log_checkpoint.c.note).where(log_checkpoint.c.size == size)).scalar_one_or_none()


def cosigned_sizes(connection: Connection, least: int, limit: int) -> list[int]:
    """The newest sizes whose checkpoint has at least `least` cosignatures, newest first."""
    query = (
        select(log_cosignature.c.size)
        .group_by(log_cosignature.c.size)
        .having(func.count() >= least)
        .order_by(log_cosignature.c.size.desc())
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def cosignatures_of(connection: Connection, size: int) -> list[CosignatureRow]:
    """The cosignatures of the checkpoint of a size, by the witnesses' names."""
    columns = (log_cosignature.c.name, log_cosignature.c.line, log_cosignature.c.cosigned_at)
    query = select(*columns).where(log_cosignature.c.size == size).order_by(log_cosignature.c.name)
    return [CosignatureRow(*row) for row in connection.execute(query)]


def keep_cosignature(connection: Connection, size: int, row: CosignatureRow) -> None:
    """Keep a witness's cosignature; a newer one takes the place of an older, an older one changes nothing."""
    upsert = sqlite_insert if is_sqlite(connection) else postgresql_insert
    statement = upsert(log_cosignature).values(size=size, **row._asdict())
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["size", "name"],
            set_={"line": statement.excluded.line, "cosigned_at": statement.excluded.cosigned_at},
            where=log_cosignature.c.cosigned_at < statement.excluded.cosigned_at,
        )
    )


def forget_bare_checkpoints(connection: Connection, before: int) -> None:
    """Delete checkpoints made before a time (Unix seconds) that nobody cosigned, but for the newest."""
    newest = select(func.max(log_checkpoint.c.size)).scalar_subquery()
    connection.execute(
        delete(log_checkpoint).where(
            log_checkpoint.c.made_at < before,
            log_checkpoint.c.size < newest,
            log_checkpoint.c.size.not_in(select(log_cosignature.c.size)),
        )
    )
