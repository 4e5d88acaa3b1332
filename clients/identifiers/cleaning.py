"""Text as it comes out of files and forms, made plain: one Unicode form, no invisible characters, ASCII digits.

Knows no kind. All functions are pure, and applying one twice gives what applying it once gives.
"""

from __future__ import annotations

import re
import unicodedata

from anyascii import anyascii

LONGEST = 1000
"""Characters of a part beyond which it is no identifier at all."""

_NOT_ALPHANUMERIC = re.compile(r"[^A-Z0-9]+")
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_APOSTROPHES = re.compile(r"['`’‘ʼ´]")

# Letters of other alphabets that look like a Latin one, so that a plate typed on another keyboard still matches.
_LOOKALIKES = str.maketrans(
    "АВЕКМНОРСТУХІЈЅαΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "ABEKMHOPCTYXIJSAABEZHIKMNOPTYX",
)


class NoText(Exception):
    """The text cannot be used at all; `reason` is a code of `outcomes.REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def clean(text: str) -> str:
    """NFKC without control and format characters, digits of every script as 0-9, single blanks, none at the ends.

    Raises NoText for lone surrogates (bytes that were no text) and for more than LONGEST characters.
    """
    if len(text) > LONGEST:
        raise NoText("too-long")
    if not text.isascii():
        text = _plain(text)
    elif not text.isprintable():
        text = "".join(character if character.isprintable() else _blank(character) for character in text)
    return " ".join(text.split())


def _plain(text: str) -> str:
    kept = []
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs":
            raise NoText("characters")
        if category == "Cf":
            continue
        kept.append(_blank(character) if category == "Cc" else character)
    composed = unicodedata.normalize("NFKC", "".join(kept))
    digits = "".join(
        str(unicodedata.decimal(character)) if unicodedata.category(character) == "Nd" else character
        for character in composed
    )
    return unicodedata.normalize("NFC", digits)


def _blank(character: str) -> str:
    return " " if character.isspace() else ""


def letters_and_digits(text: str) -> str:
    """A-Z and 0-9 alone: capitals, other alphabets' look-alikes as Latin, other letters transliterated, no marks."""
    upper = text.upper()
    if not upper.isascii():
        upper = anyascii(upper.translate(_LOOKALIKES)).upper()
    return _NOT_ALPHANUMERIC.sub("", upper)


def words(text: str) -> list[str]:
    """The words of a text in a-z and 0-9: transliterated, lower case, apostrophes dropped, other marks dividing."""
    lower = _APOSTROPHES.sub("", anyascii(text)).lower()
    return _NOT_WORD.sub(" ", lower).split()
