"""Reading a vector file field by field, and collecting where it differs from what this installation computes.

Knows JSON and paths of fields (`identifiers[3].tag`), and nothing of the protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from crypto.errors import CryptoError
from policies.errors import DocumentRefused

SHOWN_LENGTH = 32


class Damaged(Exception):
    """A field that is missing, or of another form than its file's others."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not as computed."""

    field: str
    reason: str


@dataclass
class Report:
    """What became of one file: how many fields were compared, and which of them differ."""

    checked: int = 0
    differences: list[Difference] = field(default_factory=list)

    def differ(self, path: str, reason: str) -> None:
        """Note that the field at `path` differs."""
        self.differences.append(Difference(path or "the file", reason))

    def compare(self, path: str, found: object, computed: object) -> None:
        """Count a field and note it unless the file has what was computed."""
        self.checked += 1
        if type(found) is not type(computed) or found != computed:
            self.differ(path, f"the file has {_shown(found)}, computed is {_shown(computed)}")

    @contextmanager
    def at(self, path: str) -> Iterator[None]:
        """Note a failure inside the block, instead of ending the file with it."""
        try:
            yield
        except Damaged as damaged:
            self.differ(damaged.path, damaged.reason)
        except (CryptoError, DocumentRefused, ValueError, OverflowError) as error:
            self.differ(path, f"cannot be computed: {error}")


class Node:
    """One value of a vector file, with its path."""

    def __init__(self, value: Any, path: str, report: Report) -> None:
        self.value = value
        self.path = path
        self.report = report

    def __getitem__(self, key: str) -> Node:
        """The member of that name; raises Damaged where there is none."""
        found = self.get(key)
        if found is None:
            raise Damaged(self._below(key), "is missing")
        return found

    def get(self, key: str) -> Node | None:
        """The member of that name, if there is one."""
        if not isinstance(self.value, dict):
            raise Damaged(self.path, "is no JSON object")
        return Node(self.value[key], self._below(key), self.report) if key in self.value else None

    def each(self) -> list[Node]:
        """The items of a list."""
        if not isinstance(self.value, list):
            raise Damaged(self.path, "is no list")
        return [Node(value, f"{self.path}[{index}]", self.report) for index, value in enumerate(self.value)]

    def members(self) -> dict[str, Node]:
        """The members of an object, by name."""
        if not isinstance(self.value, dict):
            raise Damaged(self.path, "is no JSON object")
        return {key: Node(value, self._below(key), self.report) for key, value in self.value.items()}

    def octets(self) -> bytes:
        """The bytes of a hex field."""
        try:
            decoded = bytes.fromhex(self.text())
        except ValueError:
            raise Damaged(self.path, "is no hex") from None
        if decoded.hex() != self.value:
            raise Damaged(self.path, "is not written as hex is here: small letters, no spaces")
        return decoded

    def octets_each(self) -> list[bytes]:
        """The bytes of a list of hex fields."""
        return [item.octets() for item in self.each()]

    def text(self) -> str:
        """A text."""
        if not isinstance(self.value, str):
            raise Damaged(self.path, "is no text")
        return self.value

    def number(self) -> int:
        """A whole number that is not negative."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < 0:
            raise Damaged(self.path, "is no whole number")
        return self.value

    def truth(self) -> bool:
        """true or false."""
        if not isinstance(self.value, bool):
            raise Damaged(self.path, "is neither true nor false")
        return self.value

    def equals(self, computed: object) -> None:
        """Compare with what was computed, in the file's form: bytes are hex, lists are compared item by item."""
        if isinstance(computed, (list, tuple)):
            items = self.each()
            if len(items) != len(computed):
                self.report.compare(self.path, f"{len(items)} items", f"{len(computed)} items")
            for item, expected in zip(items, computed, strict=False):
                item.equals(expected)
        elif isinstance(computed, bytes):
            self.report.compare(self.path, self.value, computed.hex())
        else:
            self.report.compare(self.path, self.value, computed)

    def guard(self) -> Any:
        """`Report.at` this value's path."""
        return self.report.at(self.path)

    def _below(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}... ({len(text)} characters)"
