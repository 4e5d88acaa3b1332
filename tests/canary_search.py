"""Looks for planted texts and secrets in everything that processes left: files byte by byte, databases value by value.

Each needle is looked for as it is, case-folded, in UTF-16, in hexadecimal, and in base64 and base64url at any offset.
"""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sqlalchemy import MetaData, create_engine, select

SHORTEST = 8
"""Bytes: anything shorter would be found by accident."""


def needles_of(named: Mapping[str, str | bytes]) -> dict[bytes, str]:
    """Every form in which one of the planted things might be written down, lower-cased, and what it is a form of."""
    needles: dict[bytes, str] = {}
    for name, planted in named.items():
        raws = {planted} if isinstance(planted, bytes) else _texts(planted)
        for raw in raws:
            if len(raw) < SHORTEST:
                raise ValueError(f"{name} is too short to be looked for")
            for form in (raw, raw.hex().encode(), *_base64_forms(raw)):
                needles[form.lower()] = name
    return needles


def _texts(text: str) -> set[bytes]:
    return {
        form.encode(encoding)
        for form in (text, text.casefold(), text.upper())
        for encoding in ("utf-8", "utf-16-le", "utf-16-be")
    }


def _base64_forms(raw: bytes) -> Iterator[bytes]:
    """What of `raw` does not depend on its neighbours, at each of the three offsets, in both alphabets."""
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + raw)
        inner = encoded[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def found_in(content: bytes, needles: Mapping[bytes, str]) -> set[str]:
    """Which planted things are in the bytes. Base64 is compared without its case, which finds no less."""
    lowered = content.lower()
    return {name for form, name in needles.items() if form in lowered}


def search_files(folder: Path, needles: Mapping[bytes, str], *, except_in: Iterable[Path] = ()) -> dict[str, set[str]]:
    """Where in the files under `folder`, and in the values of its SQLite files, something planted is."""
    allowed = [path.resolve() for path in except_in]
    hits: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or any(path.resolve().is_relative_to(each) for each in allowed):
            continue
        content = path.read_bytes()
        found = found_in(content, needles)
        if content.startswith(b"SQLite format 3\0"):
            # A long value lies in pieces on several pages: the bytes of the file alone would not show it.
            found |= found_in(b"\0".join(_sqlite_values(path)), needles)
        if found:
            hits[str(path.relative_to(folder))] = found
    return hits


def _sqlite_values(path: Path) -> Iterator[bytes]:
    connection = sqlite3.connect(path)
    connection.text_factory = bytes
    try:
        names = [row[0].decode() for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                yield from map(_bytes, row)
    finally:
        connection.close()


def search_database(url: str, needles: Mapping[bytes, str]) -> set[str]:
    """What of it is in any value of any table of a database server."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    metadata = MetaData()
    metadata.reflect(engine)
    found: set[str] = set()
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)):
                found |= found_in(b"\0".join(map(_bytes, row)), needles)
    engine.dispose()
    return found


def _bytes(value: object) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return str(value).encode()
