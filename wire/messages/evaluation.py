"""Evaluation by one key holder: a chunk of blinded elements, or the records' own names.

Knows packed elements and indexes; not what was blinded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Any

from wire.fields import HolderSet, Kind, Packed, Whole
from wire.messages.message import MessageSchema

CHUNK_LIMIT = 512

_NAME = Struct(">16sQQ")


@dataclass(frozen=True)
class EvaluateRequest:
    """Blinded elements (32 bytes each, 1 to 512) of one key family, for one holder of the set S."""

    epoch_id: bytes
    family: str
    share_version: int
    holder_set: tuple[int, ...]
    elements: bytes


class EvaluateRequestSchema(MessageSchema[EvaluateRequest]):
    """JSON form of EvaluateRequest."""

    message_class = EvaluateRequest
    epoch_id = Packed(length=32, required=True)
    family = Kind(required=True)
    share_version = Whole(least=1, most=2**32 - 1, required=True)
    holder_set = HolderSet(required=True)
    elements = Packed(multiple_of=32, min_length=32, max_length=32 * CHUNK_LIMIT, required=True)


@dataclass(frozen=True)
class EvaluateResponse:
    """Evaluated elements (32 bytes each) in the request's order and one proof (64 bytes) over them all."""

    elements: bytes
    proof: bytes


class EvaluateResponseSchema(MessageSchema[EvaluateResponse]):
    """JSON form of EvaluateResponse."""

    message_class = EvaluateResponse
    elements = Packed(multiple_of=32, min_length=32, max_length=32 * CHUNK_LIMIT, required=True)
    proof = Packed(length=64, required=True)


@dataclass(frozen=True)
class RecordName:
    """What names a record beside its institution and epoch: handle (16 bytes) and times in Unix seconds."""

    handle: bytes
    issued_at: int
    expires_at: int


class RecordNames(Packed):
    """Record names packed, 32 bytes each: `handle | u64(issued_at) | u64(expires_at)`.

    One text for all of them: an object each would cost client and holder more than signing the record.
    """

    def __init__(self) -> None:
        super().__init__(
            multiple_of=_NAME.size, min_length=_NAME.size, max_length=_NAME.size * CHUNK_LIMIT, required=True
        )

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        packed = b"".join([_NAME.pack(name.handle, name.issued_at, name.expires_at) for name in value])
        return super()._serialize(packed, attr, obj, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        packed = super()._deserialize(value, attr, data, **kwargs)
        return tuple(RecordName(*fields) for fields in _NAME.iter_unpack(packed))


@dataclass(frozen=True)
class RecordSecretsRequest:
    """The asking institution's own records (1 to 512), whose ctx the holder builds itself."""

    epoch_id: bytes
    share_version: int
    holder_set: tuple[int, ...]
    records: tuple[RecordName, ...]


class RecordSecretsRequestSchema(MessageSchema[RecordSecretsRequest]):
    """JSON form of RecordSecretsRequest."""

    message_class = RecordSecretsRequest
    epoch_id = Packed(length=32, required=True)
    share_version = Whole(least=1, most=2**32 - 1, required=True)
    holder_set = HolderSet(required=True)
    records = RecordNames()
