"""Evaluation by one key holder: a chunk of blinded elements, or the records' own names.

Knows packed elements and indexes; not what was blinded.
"""

from dataclasses import dataclass

from wire.fields import HolderSet, Kind, Packed, Timestamp, Whole, list_of
from wire.messages.message import MessageSchema

CHUNK_LIMIT = 512


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


class RecordNameSchema(MessageSchema[RecordName]):
    """JSON form of RecordName."""

    message_class = RecordName
    handle = Packed(length=16, required=True)
    issued_at = Timestamp(required=True)
    expires_at = Timestamp(required=True)


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
    records = list_of(RecordNameSchema, least=1, most=CHUNK_LIMIT)
