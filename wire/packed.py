"""Byte strings as text: base64url without padding (RFC 4648 section 5), one text for each byte string.

Strict where the standard library is lenient: padding, foreign characters, white space and loose trailing bits are
refused, so that no two texts mean the same bytes. Errors never hold the value.
"""

import binascii

# One pass turns the URL alphabet into the standard one, and what base64url forbids into a character that no alphabet
# has, so that the strict C decoder refuses it.
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
_TO_URL = bytes.maketrans(b"+/", b"-_")
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# The last character of a text whose length is 2 or 3 modulo 4 carries 4 or 2 bits that must be zero.
_LAST_OF_TWO = frozenset(_ALPHABET[::16])
_LAST_OF_THREE = frozenset(_ALPHABET[::4])


class InvalidPacked(ValueError):
    """The text is not the canonical base64url of any byte string."""


def pack(data: bytes) -> str:
    """Return the base64url text of `data`, without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def unpack(text: str) -> bytes:
    """Return the bytes that `text` stands for.

    Raises InvalidPacked unless `pack` of the result is `text` again.
    """
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError:
        raise InvalidPacked("not base64url") from None
    remainder = len(raw) % 4
    if remainder == 1:
        raise InvalidPacked("not base64url: no byte string has a text of this length")
    if (remainder == 2 and raw[-1] not in _LAST_OF_TWO) or (remainder == 3 and raw[-1] not in _LAST_OF_THREE):
        raise InvalidPacked("not canonical base64url: bits are set after the last byte")
    padding = b"=" * (-len(raw) % 4)
    try:
        return binascii.a2b_base64(raw.translate(_TO_STANDARD) + padding, strict_mode=True)
    except binascii.Error:
        raise InvalidPacked("not base64url without padding") from None


def packed_length(length: int) -> int:
    """Return how many characters `length` bytes take."""
    return (length * 4 + 2) // 3
