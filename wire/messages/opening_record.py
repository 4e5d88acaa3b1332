"""A key holder's chained record of openings, as auditors read it page by page.

Knows the envelope; the decisions' members stand in docs/log.md and are read by whoever checks the chain.
"""

from dataclasses import dataclass

from wire.fields import Packed, QueryWhole, Text, Whole, list_of
from wire.messages.message import MessageSchema

PAGE = 200
"""The most decisions of one answer."""

LONGEST_DECISION = 2**18


@dataclass(frozen=True)
class RecordedOpening:
    """One decision: its number from 1, its canonical JSON (which names the hash of the one before), its signature.

    The signature (64 bytes) is the holder's, over the label and the JSON as docs/log.md says.
    """

    number: int
    body: str
    signature: bytes


class RecordedOpeningSchema(MessageSchema[RecordedOpening]):
    """JSON form of RecordedOpening."""

    message_class = RecordedOpening
    number = Whole(least=1, required=True)
    body = Text(longest=LONGEST_DECISION, required=True)
    signature = Packed(length=64, required=True)


@dataclass(frozen=True)
class RecordedOpenings:
    """Decisions one after another; `next` is what to give as `after` for more, None where there are no more."""

    openings: tuple[RecordedOpening, ...]
    next: int | None = None


class RecordedOpeningsSchema(MessageSchema[RecordedOpenings]):
    """JSON form of RecordedOpenings."""

    message_class = RecordedOpenings
    openings = list_of(RecordedOpeningSchema, most=PAGE)
    next = Whole(allow_none=True, load_default=None)


@dataclass(frozen=True)
class OpeningsQuery:
    """After which decision."""

    after: int = 0


class OpeningsQuerySchema(MessageSchema[OpeningsQuery]):
    """Query form of OpeningsQuery."""

    message_class = OpeningsQuery
    after = QueryWhole(load_default=0)
