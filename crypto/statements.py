"""What an institution signs over a whole submission, and over a withdrawal. Protocol section 5.

`encode()` gives the very bytes that are signed (label included); `decode` accepts that one encoding and no other. It
knows neither the keys nor whether a signature holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from crypto.encoding import EPOCH_ID_LENGTH, HANDLE_LENGTH, Reader, check_identifier, check_length, len16, u32, u64
from crypto.errors import InvalidStatement

IDEMPOTENCY_KEY_LENGTH = 16
ROOT_LENGTH = 32

_SUBMISSION_LABEL = b"crosslight/v1 submission\x00"
_WITHDRAWAL_LABEL = b"crosslight/v1 withdrawal\x00"


@dataclass(frozen=True, slots=True)
class SubmissionStatement:
    """`count` records under one RFC 6962 root (32 bytes), the `seq`-th statement of the institution in the epoch."""

    epoch_id: bytes
    institution_id: str
    seq: int
    idempotency_key: bytes
    count: int
    root: bytes

    def encode(self) -> bytes:
        """The bytes that are signed; raises InvalidStatement where a field has no encoding."""
        _check_numbers(self.seq, self.count)
        return (
            _SUBMISSION_LABEL
            + _origin(self.epoch_id, self.institution_id, self.seq)
            + check_length(self.idempotency_key, IDEMPOTENCY_KEY_LENGTH, "an idempotency key", InvalidStatement)
            + u32(self.count)
            + check_length(self.root, ROOT_LENGTH, "a root", InvalidStatement)
        )

    @classmethod
    def decode(cls, data: bytes) -> SubmissionStatement:
        """The statement whose encoding is `data`; raises InvalidStatement."""
        reader = Reader(data, InvalidStatement)
        reader.expect(_SUBMISSION_LABEL, "submission statement")
        statement = cls(
            epoch_id=reader.take(EPOCH_ID_LENGTH),
            institution_id=reader.identifier(),
            seq=reader.u64(),
            idempotency_key=reader.take(IDEMPOTENCY_KEY_LENGTH),
            count=reader.u32(),
            root=reader.take(ROOT_LENGTH),
        )
        reader.end()
        _check_numbers(statement.seq, statement.count)
        return statement


@dataclass(frozen=True, slots=True)
class WithdrawalStatement:
    """Takes the records of `handles` (16 bytes each, ascending, none twice) back for good."""

    epoch_id: bytes
    institution_id: str
    seq: int
    handles: tuple[bytes, ...]

    def encode(self) -> bytes:
        """The bytes that are signed; raises InvalidStatement where a field has no encoding."""
        _check_numbers(self.seq, len(self.handles))
        _check_handles(self.handles)
        origin = _origin(self.epoch_id, self.institution_id, self.seq)
        return _WITHDRAWAL_LABEL + origin + u32(len(self.handles)) + b"".join(self.handles)

    @classmethod
    def decode(cls, data: bytes) -> WithdrawalStatement:
        """The statement whose encoding is `data`; raises InvalidStatement."""
        reader = Reader(data, InvalidStatement)
        reader.expect(_WITHDRAWAL_LABEL, "withdrawal statement")
        epoch_id = reader.take(EPOCH_ID_LENGTH)
        institution_id = reader.identifier()
        seq = reader.u64()
        count = reader.u32()
        packed = reader.take(HANDLE_LENGTH * count)
        reader.end()
        handles = tuple(packed[start : start + HANDLE_LENGTH] for start in range(0, len(packed), HANDLE_LENGTH))
        _check_numbers(seq, count)
        _check_handles(handles)
        return cls(epoch_id, institution_id, seq, handles)


def _origin(epoch_id: bytes, institution_id: str, seq: int) -> bytes:
    return (
        check_length(epoch_id, EPOCH_ID_LENGTH, "an epoch_id", InvalidStatement)
        + len16(check_identifier(institution_id, InvalidStatement).encode("ascii"))
        + u64(seq)
    )


def _check_numbers(seq: int, count: int) -> None:
    if not 1 <= seq < 2**64:
        raise InvalidStatement("seq starts at 1 in each epoch")
    if not 1 <= count < 2**32:
        raise InvalidStatement("a statement must name at least one record")


def _check_handles(handles: tuple[bytes, ...]) -> None:
    for handle in handles:
        check_length(handle, HANDLE_LENGTH, "a handle", InvalidStatement)
    if any(after <= before for before, after in pairwise(handles)):
        raise InvalidStatement("handles must be sorted, and none may be there twice")
