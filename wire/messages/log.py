"""What parties say to the broker's log and its auditors, beside the plain files of checkpoints and tiles.

Knows forms and lengths; what a leaf, a checkpoint or a commitment means is in policies.log.
"""

from dataclasses import dataclass, field

from marshmallow import fields, validate

from wire.fields import Kind, Packed, PartyId, QueryWhole, Text, Timestamp, Whole, list_of
from wire.messages.message import MessageSchema
from wire.messages.withdrawal import LONGEST_STATEMENT

COMMITMENTS = 1024
"""Commitments in every hour's activity, those of nothing included."""

LONGEST_EVENT = 16384
"""Characters of one reported event."""

MOST_EVENTS = 256
MOST_HOURS = 24


@dataclass(frozen=True)
class Cosignature:
    """A witness's signature line of a signed note, for the broker's checkpoint of a size."""

    size: int
    line: str


class CosignatureSchema(MessageSchema[Cosignature]):
    """JSON form of Cosignature."""

    message_class = Cosignature
    size = Whole(required=True)
    line = Text(longest=1000, pattern="^\u2014 [^ +\\n]{1,500} [A-Za-z0-9+/]{1,400}={0,2}\\n?$", required=True)


@dataclass(frozen=True)
class WitnessCheckpoint:
    """The checkpoint that a witness keeps, with its cosignature: a signed note; None before the first."""

    note: str | None = None


class WitnessCheckpointSchema(MessageSchema[WitnessCheckpoint]):
    """JSON form of WitnessCheckpoint."""

    message_class = WitnessCheckpoint
    note = Text(longest=2**20, allow_none=True, load_default=None)


@dataclass(frozen=True)
class LeafQuery:
    """Which leaf: its RFC 6962 leaf hash (32 bytes)."""

    hash: bytes


class LeafQuerySchema(MessageSchema[LeafQuery]):
    """Query form of LeafQuery."""

    message_class = LeafQuery
    hash = Packed(length=32, required=True)


@dataclass(frozen=True)
class LeafPlace:
    """Where a leaf stands in the log, from 0."""

    index: int


class LeafPlaceSchema(MessageSchema[LeafPlace]):
    """JSON form of LeafPlace."""

    message_class = LeafPlace
    index = Whole(required=True)


@dataclass(frozen=True)
class WithdrawalQuery:
    """Which of the withdrawals under a number, where epochs have one each: by SHA-256 of its statement (32 bytes)."""

    hash: bytes | None = None


class WithdrawalQuerySchema(MessageSchema[WithdrawalQuery]):
    """Query form of WithdrawalQuery."""

    message_class = WithdrawalQuery
    hash = Packed(length=32, load_default=None)


@dataclass(frozen=True)
class LoggedWithdrawal:
    """A withdrawal that the log names: the statement, its institution's signature (64 bytes), and when it came."""

    statement: bytes
    signature: bytes
    received_at: int


class LoggedWithdrawalSchema(MessageSchema[LoggedWithdrawal]):
    """JSON form of LoggedWithdrawal."""

    message_class = LoggedWithdrawal
    statement = Packed(min_length=1, max_length=LONGEST_STATEMENT, required=True)
    signature = Packed(length=64, required=True)
    received_at = Timestamp(required=True)


@dataclass(frozen=True)
class ActivityQuery:
    """From which hour on (its first second, in Unix seconds; the query parameter `from`)."""

    first_hour: int = 0


class ActivityQuerySchema(MessageSchema[ActivityQuery]):
    """Query form of ActivityQuery."""

    message_class = ActivityQuery
    first_hour = QueryWhole(data_key="from", load_default=0)


@dataclass(frozen=True)
class OpenedEvent:
    """What stands behind one commitment: its place among the hour's, its salt (16 bytes), the event's JSON."""

    place: int
    salt: bytes
    event: str


class OpenedEventSchema(MessageSchema[OpenedEvent]):
    """JSON form of OpenedEvent."""

    message_class = OpenedEvent
    place = Whole(most=COMMITMENTS - 1, required=True)
    salt = Packed(length=16, required=True)
    event = Text(longest=2 * LONGEST_EVENT, required=True)


@dataclass(frozen=True)
class ActivityHour:
    """One hour's commitments (1024 of 32 bytes), and what stands behind those that stand for something.

    secret  32 bytes, from which the commitments of all other places follow: they stand for nothing
    """

    hour: int
    commitments: bytes
    secret: bytes = field(repr=False)
    opened: tuple[OpenedEvent, ...]


class ActivityHourSchema(MessageSchema[ActivityHour]):
    """JSON form of ActivityHour."""

    message_class = ActivityHour
    hour = Timestamp(required=True)
    commitments = Packed(length=32 * COMMITMENTS, required=True)
    secret = Packed(length=32, required=True)
    opened = list_of(OpenedEventSchema, most=COMMITMENTS)


@dataclass(frozen=True)
class ActivityHours:
    """Hours one after another, at most 24; `next` is what to give as `from` for more, None where there are no more."""

    hours: tuple[ActivityHour, ...]
    next: int | None = None


class ActivityHoursSchema(MessageSchema[ActivityHours]):
    """JSON form of ActivityHours."""

    message_class = ActivityHours
    hours = list_of(ActivityHourSchema, most=MOST_HOURS)
    next = Timestamp(allow_none=True, load_default=None)


@dataclass(frozen=True)
class ReportedEvents:
    """Events that depend on a match and that the broker does not see: openings, exports. JSON texts, RFC 8785."""

    events: tuple[str, ...]


class ReportedEventsSchema(MessageSchema[ReportedEvents]):
    """JSON form of ReportedEvents."""

    message_class = ReportedEvents
    events = fields.List(Text(longest=LONGEST_EVENT), required=True, validate=validate.Length(min=1, max=MOST_EVENTS))


@dataclass(frozen=True)
class SetAsideCount:
    """Entries of an institution and kind that do not count, why, and under how many tags they stand."""

    institution_id: str
    kind: str
    reason: str
    entries: int
    tags: int


class SetAsideCountSchema(MessageSchema[SetAsideCount]):
    """JSON form of SetAsideCount."""

    message_class = SetAsideCount
    institution_id = PartyId(required=True)
    kind = Kind(required=True)
    reason = Text(longest=32, pattern="^[a-z-]{1,32}$", required=True)
    entries = Whole(required=True)
    tags = Whole(required=True)


@dataclass(frozen=True)
class ExcessCount:
    """Tags of a kind under which all groups together exceed the cap of one, and the most records under one tag."""

    kind: str
    tags: int
    most_records: int


class ExcessCountSchema(MessageSchema[ExcessCount]):
    """JSON form of ExcessCount."""

    message_class = ExcessCount
    kind = Kind(required=True)
    tags = Whole(required=True)
    most_records = Whole(required=True)


@dataclass(frozen=True)
class SetAsideCounts:
    """What was set aside in an epoch, and what is flagged across groups. Counts alone: never a tag."""

    epoch_id: bytes
    set_aside: tuple[SetAsideCount, ...]
    excess: tuple[ExcessCount, ...]


class SetAsideCountsSchema(MessageSchema[SetAsideCounts]):
    """JSON form of SetAsideCounts."""

    message_class = SetAsideCounts
    epoch_id = Packed(length=32, required=True)
    set_aside = list_of(SetAsideCountSchema, most=100_000)
    excess = list_of(ExcessCountSchema, most=1000)
