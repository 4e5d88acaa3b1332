"""An opening request: the evidence that a recipient shows each holder, and what a holder answers.

Knows forms and lengths; whether the evidence suffices is the opening rule's business.
"""

from dataclasses import dataclass

from wire.fields import Ascending, HolderSet, Kind, Packed, Text, Timestamp, Whole, list_of
from wire.messages.evaluation import CHUNK_LIMIT
from wire.messages.message import MessageSchema

# head: 1 + ctx + sealed_ref + count + entry hashes; 65535 is what its length prefix in a packed record allows.
_LONGEST_HEAD = 65535
_LONGEST_ENTRY = 2 + 64 + 1 + 32 + 64
_LONGEST_STATEMENT = 1024
_LONGEST_PATH = 8 + 32 * 32
_MOST_ENTRIES = 2000
_LONGEST_LOG_PATH = 63 * 32
_LONGEST_CHECKPOINT = 2**18


@dataclass(frozen=True)
class StatementEvidence:
    """A submission statement, its institution's signature (64 bytes), and where the log has it.

    logged_at  when it was logged, Unix seconds: with the statement it makes the leaf
    log_index  the leaf's place, from 0
    log_path   the nodes (32 bytes each, packed) from the leaf to the root of the request's checkpoint
    """

    statement: bytes
    signature: bytes
    logged_at: int
    log_index: int
    log_path: bytes


class StatementEvidenceSchema(MessageSchema[StatementEvidence]):
    """JSON form of StatementEvidence."""

    message_class = StatementEvidence
    statement = Packed(min_length=1, max_length=_LONGEST_STATEMENT, required=True)
    signature = Packed(length=64, required=True)
    logged_at = Timestamp(required=True)
    log_index = Whole(required=True)
    log_path = Packed(multiple_of=32, max_length=_LONGEST_LOG_PATH, required=True)


@dataclass(frozen=True)
class EvidenceEntry:
    """An entry that counts: its index in the head, its salt (16 bytes), its bytes."""

    index: int
    salt: bytes
    entry: bytes


class EvidenceEntrySchema(MessageSchema[EvidenceEntry]):
    """JSON form of EvidenceEntry."""

    message_class = EvidenceEntry
    index = Whole(most=65535, required=True)
    salt = Packed(length=16, required=True)
    entry = Packed(min_length=1, max_length=_LONGEST_ENTRY, required=True)


@dataclass(frozen=True)
class EvidenceRecord:
    """A record to be opened or shown: head, hash of its envelope, Merkle path, and which statement covers it."""

    head: bytes
    envelope_hash: bytes
    path: bytes
    statement: int
    entries: tuple[EvidenceEntry, ...]


class EvidenceRecordSchema(MessageSchema[EvidenceRecord]):
    """JSON form of EvidenceRecord."""

    message_class = EvidenceRecord
    head = Packed(min_length=1, max_length=_LONGEST_HEAD, required=True)
    envelope_hash = Packed(length=32, required=True)
    path = Packed(min_length=8, max_length=_LONGEST_PATH, required=True)
    statement = Whole(most=CHUNK_LIMIT - 1, required=True)
    entries = list_of(EvidenceEntrySchema, most=_MOST_ENTRIES)


@dataclass(frozen=True)
class OpeningRequest:
    """Up to 512 records, and which of them (`open`, indexes into `records`) the recipient asks to have opened.

    purpose     the code of the agreement's purpose for which they are to be opened
    checkpoint  the log's checkpoint, a signed note with its witnesses' cosignatures, that covers all statements
    """

    epoch_id: bytes
    roster_version: int
    share_version: int
    holder_set: tuple[int, ...]
    purpose: str
    checkpoint: str
    statements: tuple[StatementEvidence, ...]
    records: tuple[EvidenceRecord, ...]
    open: tuple[int, ...]


class OpeningRequestSchema(MessageSchema[OpeningRequest]):
    """JSON form of OpeningRequest."""

    message_class = OpeningRequest
    epoch_id = Packed(length=32, required=True)
    roster_version = Whole(least=1, most=2**32 - 1, required=True)
    share_version = Whole(least=1, most=2**32 - 1, required=True)
    holder_set = HolderSet(required=True)
    purpose = Kind(required=True)
    checkpoint = Text(longest=_LONGEST_CHECKPOINT, required=True)
    statements = list_of(StatementEvidenceSchema, least=1, most=CHUNK_LIMIT)
    records = list_of(EvidenceRecordSchema, least=1, most=CHUNK_LIMIT)
    open = Ascending(most=CHUNK_LIMIT - 1, shortest=1, longest=CHUNK_LIMIT, required=True)


@dataclass(frozen=True)
class Refusal:
    """A record (index into the request's `records`) that the holder refuses, with a reason code and a sentence."""

    record: int
    reason: str
    detail: str


class RefusalSchema(MessageSchema[Refusal]):
    """JSON form of Refusal."""

    message_class = Refusal
    record = Whole(most=CHUNK_LIMIT - 1, required=True)
    reason = Text(longest=64, pattern="^[a-z0-9-]{1,64}$", required=True)
    detail = Text(longest=1000, required=True)


@dataclass(frozen=True)
class OpeningResponse:
    """Accepted records in order, one evaluated element (32 bytes) each, one proof over them; and the refused.

    `elements` and `proof` are empty when nothing was accepted.
    """

    accepted: tuple[int, ...]
    elements: bytes
    proof: bytes
    refused: tuple[Refusal, ...]


class OpeningResponseSchema(MessageSchema[OpeningResponse]):
    """JSON form of OpeningResponse."""

    message_class = OpeningResponse
    accepted = Ascending(most=CHUNK_LIMIT - 1, longest=CHUNK_LIMIT, required=True)
    elements = Packed(multiple_of=32, max_length=32 * CHUNK_LIMIT, required=True)
    proof = Packed(multiple_of=64, max_length=64, required=True)
    refused = list_of(RefusalSchema, most=CHUNK_LIMIT)
