"""Many rows at once: COPY in PostgreSQL's binary format, executemany on SQLite.

Rows are plain tuples in the order of the table's columns. Knows column types; not what any table is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain
from struct import Struct
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Connection, LargeBinary, SmallInteger, Table, insert
from sqlalchemy.exc import IntegrityError

from runtime.database import is_sqlite

Row = tuple[Any, ...]

# PostgreSQL's documentation, COPY, "Binary Format": signature, flags, length of the header's extension; at the end -1.
_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert `rows` into `table`, whose columns must be integers, truths or byte strings and hold no null.

    A byte string of unknown length may only stand last. Raises IntegrityError where a key is there already.
    """
    if not rows:
        return
    if is_sqlite(connection):
        names = [column.name for column in table.columns]
        connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
        return
    _copy(connection, table, rows)


def _copy(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    # Names come from the schema's own tables, never from outside.
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    data = b"".join([_HEADER, *_encoder(table)(rows), _TRAILER])
    driver_connection = connection.connection.driver_connection
    assert driver_connection is not None  # noqa: S101  (a checked-out connection has its driver's)
    try:
        with (
            driver_connection.cursor() as cursor,
            cursor.copy(f'COPY "{table.name}" ({columns}) FROM STDIN (FORMAT BINARY)') as copy,
        ):
            copy.write(data)
    except connection.dialect.loaded_dbapi.IntegrityError as error:
        raise _integrity_error(error) from None


def _integrity_error(error: Exception) -> Exception:
    """SQLAlchemy's IntegrityError, without the statement's parameters: as every other statement raises it."""
    return IntegrityError("COPY", None, error, hide_parameters=True)


@cache
def _encoder(table: Table) -> Callable[[Iterable[Row]], list[bytes]]:
    """A function from rows to their pieces in the binary format, made once a table."""
    columns = list(table.columns)
    variable = _is_variable(columns[-1])
    fixed = columns[:-1] if variable else columns
    # Per row the number of fields, per field its length and its value: all lengths but the last are known beforehand.
    layout = Struct(">h" + "".join("i" + _format(column) for column in fixed) + ("i" if variable else ""))
    lengths = [Struct(">" + _format(column)).size for column in fixed]
    pack, count = layout.pack, len(columns)

    def encode(rows: Iterable[Row]) -> list[bytes]:
        if not variable:
            return [pack(count, *chain.from_iterable(zip(lengths, row, strict=True))) for row in rows]
        pieces: list[bytes] = []
        for row in rows:
            fields = chain.from_iterable(zip(lengths, row, strict=False))
            pieces += (pack(count, *fields, len(row[-1])), row[-1])
        return pieces

    return encode


def _is_variable(column: Column[Any]) -> bool:
    return isinstance(column.type, LargeBinary) and column.type.length is None


def _format(column: Column[Any]) -> str:
    """The struct format of one value, all of a fixed length."""
    if isinstance(column.type, BigInteger):
        return "q"
    if isinstance(column.type, SmallInteger):
        return "h"
    if isinstance(column.type, Boolean):
        return "?"
    if isinstance(column.type, LargeBinary) and column.type.length is not None:
        return f"{column.type.length}s"
    raise TypeError(f"{column} cannot be inserted in bulk")
