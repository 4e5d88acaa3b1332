"""The line of a key in a TOML text, for messages: Python's parser forgets where things stood.

Best effort, over the ordinary ways of writing a file; None rather than a wrong line.
"""

from __future__ import annotations

import re

_TABLE = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_.-]|\s*\.\s*)+?)\s*=""")
_STEP = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*(?:\.|$)""")


def line_of(text: str, keys: tuple[str, ...]) -> int | None:
    """The line (from 1) of the key, or of the longest beginning of `keys` that has a line."""
    places = _places(text)
    for length in range(len(keys), 0, -1):
        found = places.get(".".join(keys[:length]))
        if found is not None:
            return found
    return None


def _places(text: str) -> dict[str, int]:
    places: dict[str, int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        heading = _TABLE.match(line)
        if heading:
            table = _steps(heading[1])
            places.setdefault(".".join(table), number)
            continue
        key = _KEY.match(line)
        if key and not line.lstrip().startswith("#"):
            places.setdefault(".".join((*table, *_steps(key[1]))), number)
    return places


def _steps(dotted: str) -> tuple[str, ...]:
    return tuple(next(filter(None, found), "") for found in _STEP.findall(dotted))
