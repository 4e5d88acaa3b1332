"""Finds a CSV file's encoding and delimiter in its first 256 KiB, as far as they are not told.

Knows no row's meaning; looks at counts of cells and at bytes.
"""

from __future__ import annotations

import codecs
import csv
from dataclasses import dataclass
from pathlib import Path

from charset_normalizer import from_bytes

from runtime.exits import UserError

SAMPLE_LENGTH = 1 << 18

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_ROWS = 100
_WESTERN = "cp1252"
_WESTERN_CHARACTERS = frozenset("äöüßÄÖÜéèêëÉÈÊËàâáãåÀÂÁÃÅçÇñÑóòôõøÓÒÔÕØíìîïÍÌÎÏúùûÚÙÛæÆœŒýÿ€§°´–—‘’“”„«»ºª¿¡\u00a0")
_WESTERN_SHARE = 0.97
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """Delimiter and encoding of a file."""

    delimiter: str
    encoding: str

    @property
    def error_handler(self) -> str:
        """For UTF-8 undecodable bytes are kept recognisable, so that the row they stand in can be named."""
        return "surrogateescape" if codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig") else "strict"


def find_format(path: Path, delimiter: str | None, encoding: str | None) -> CsvFormat:
    """What is told, and the rest as found. Raises UserError where the file is empty or no encoding fits."""
    try:
        with path.open("rb") as file:
            sample = file.read(SAMPLE_LENGTH)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    if not sample:
        raise UserError(f"{path.name} is empty: it has no header.")
    if encoding is None:
        encoding = _find_encoding(sample, path.name)
    else:
        _check_encoding(encoding)
        if sample.startswith(codecs.BOM_UTF8) and codecs.lookup(encoding).name == "utf-8":
            encoding = "utf-8-sig"
    if delimiter is None:
        delimiter = _find_delimiter(codecs.getincrementaldecoder(encoding)("replace").decode(sample))
    return CsvFormat(delimiter, encoding)


def _check_encoding(encoding: str) -> None:
    try:
        "".encode(encoding)
    except (LookupError, UnicodeError):
        raise UserError(
            f"There is no encoding {encoding!r}: use a Python codec's name such as utf-8 or cp1252."
        ) from None


def _find_encoding(sample: bytes, name: str) -> str:
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    try:
        # Not final: the sample may end within a character.
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"
    if _looks_western(sample):
        return _WESTERN
    best = from_bytes(sample).best()
    if best is None:
        raise UserError(f"The encoding of {name} cannot be found: set encoding in the mapping's [source].")
    return best.encoding


def _looks_western(sample: bytes) -> bool:
    """Whether nearly all bytes above ASCII are letters and marks of Western languages in Windows' code page 1252.

    Statistics over names and addresses take it for its Central European sister, which has other accents there.
    """
    high = sample.translate(None, bytes(range(128))).decode(_WESTERN, "replace")
    return sum(character in _WESTERN_CHARACTERS for character in high) >= _WESTERN_SHARE * len(high)


def _find_delimiter(text: str) -> str:
    """The delimiter that divides most rows of the sample into as many cells as the first; a comma where none does."""
    lines = text.splitlines(keepends=True)
    if len(lines) > 1:
        lines = lines[:-1]  # The last may be cut.
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        score = _score(lines, delimiter)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _score(lines: list[str], delimiter: str) -> tuple[float, int]:
    """The share of rows with the header's number of cells, and that number; nothing for a single cell."""
    counts = []
    try:
        for cells in csv.reader(lines, delimiter=delimiter):
            if cells:
                counts.append(len(cells))
            if len(counts) == _SAMPLE_ROWS:
                break
    except csv.Error:
        return (0.0, 0)
    if not counts or counts[0] < 2:
        return (0.0, 0)
    return (counts.count(counts[0]) / len(counts), counts[0])
