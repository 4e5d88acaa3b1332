"""The protocol's byte encodings: big-endian integers, length-prefixed strings, and a reader that trusts nothing.

Everything else in crypto/ is built of these. It knows no field, no party and no format by name.
"""

from __future__ import annotations

import re

from crypto.errors import CryptoError, InvalidEncoding

IDENTIFIER_LIMIT = 64
EPOCH_ID_LENGTH = 32
HANDLE_LENGTH = 16

_IDENTIFIER = re.compile(r"[a-z0-9.-]{1,64}", re.ASCII)


def u8(number: int) -> bytes:
    """`number` in one byte; InvalidEncoding outside 0..255."""
    return _fixed(number, 1)


def u16(number: int) -> bytes:
    """`number` in two bytes, big-endian; InvalidEncoding outside 0..65535."""
    return _fixed(number, 2)


def u32(number: int) -> bytes:
    """`number` in four bytes, big-endian; InvalidEncoding where it does not fit."""
    return _fixed(number, 4)


def u64(number: int) -> bytes:
    """`number` in eight bytes, big-endian; InvalidEncoding where it does not fit."""
    return _fixed(number, 8)


def len16(data: bytes) -> bytes:
    """`data` behind its length in two bytes; InvalidEncoding beyond 65,535 bytes."""
    return _fixed(len(data), 2) + data


def check_identifier(text: str, error: type[CryptoError] = InvalidEncoding) -> str:
    """Return `text` if it is an id or kind (`[a-z0-9.-]{1,64}`), else raise `error`."""
    if _IDENTIFIER.fullmatch(text) is None:
        raise error("an id or kind must be 1 to 64 characters out of a-z, 0-9, '.' and '-'")
    return text


def decode_identifier(data: bytes, error: type[CryptoError] = InvalidEncoding) -> str:
    """The id or kind whose bytes are `data`; raises `error` where they are none."""
    try:
        return check_identifier(data.decode("ascii"), error)
    except UnicodeDecodeError:
        raise error("an id or kind is not ASCII") from None


def check_length(data: bytes, length: int, what: str, error: type[CryptoError] = InvalidEncoding) -> bytes:
    """Return `data` if it has `length` bytes, else raise `error` naming `what`."""
    if len(data) != length:
        raise error(f"{what} must be {length} bytes long, not {len(data)}")
    return data


class Reader:
    """Reads one encoding from front to back; every shortage, and any rest at `end`, raises the error class given."""

    __slots__ = ("_data", "_error", "position")

    def __init__(self, data: bytes, error: type[CryptoError] = InvalidEncoding) -> None:
        self._data = data
        self._error = error
        self.position = 0

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        start = self.position
        self.position = start + length
        if length < 0 or self.position > len(self._data):
            raise self._error(f"ends early: {length} bytes wanted at position {start} of {len(self._data)}")
        return self._data[start : self.position]

    def u8(self) -> int:
        """The next byte as a number."""
        return self.take(1)[0]

    def u16(self) -> int:
        """The next two bytes as a number."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """The next four bytes as a number."""
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        """The next eight bytes as a number."""
        return int.from_bytes(self.take(8), "big")

    def len16(self) -> bytes:
        """The next string with its length in two bytes before it."""
        return self.take(self.u16())

    def identifier(self) -> str:
        """The next length-prefixed id or kind."""
        return decode_identifier(self.len16(), self._error)

    def expect(self, constant: bytes, what: str) -> None:
        """Read `constant`, or raise saying that this is no `what`."""
        if self.take(len(constant)) != constant:
            raise self._error(f"this is no {what}")

    def fail(self, reason: str) -> CryptoError:
        """The reader's error with `reason`, for the caller to raise."""
        return self._error(reason)

    def at_end(self) -> bool:
        """Whether everything has been read."""
        return self.position == len(self._data)

    def end(self) -> None:
        """Raise unless everything has been read."""
        if self.position != len(self._data):
            raise self._error(f"{len(self._data) - self.position} bytes too many")


def _fixed(number: int, length: int) -> bytes:
    try:
        return number.to_bytes(length, "big")
    except OverflowError:
        raise InvalidEncoding(f"a number does not fit into {length} bytes") from None
