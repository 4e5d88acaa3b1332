"""The worked bytes that docs/protocol.md shows are those of the vectors."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(
    r"^\| (?P<what>[^|]+) \| `(?P<file>[a-z_0-9]+\.json)` `(?P<path>[^`]+)` \| `(?P<shown>[^`]+)` \|$", re.MULTILINE
)


def value_at(file: str, path: str) -> str:
    """The vector that a row of the page names, by dotted fields and [indexes]."""
    found = json.loads((ROOT / "tests/vectors/crosslight" / file).read_text("utf-8"))
    for step in re.findall(r"[^.\[\]]+|\[\d+\]", path):
        found = found[int(step[1:-1])] if step.startswith("[") else found[step]
    assert isinstance(found, str)
    return found


def test_every_worked_byte_on_the_protocol_page_is_the_vectors() -> None:
    rows = list(ROW.finditer((ROOT / "docs/protocol.md").read_text("utf-8")))
    assert len(rows) > 40
    for row in rows:
        value = value_at(row["file"], row["path"])
        shortened = re.fullmatch(r"([0-9a-f]+)\.\.\.([0-9a-f]+) \((\d+) bytes\)", row["shown"])
        if shortened:
            assert value.startswith(shortened[1]) and value.endswith(shortened[2]), row["path"]
            assert len(value) == 2 * int(shortened[3]), row["path"]
        else:
            assert value == row["shown"], row["path"]
