"""Alerts as the broker shows them to recipients: a list of summaries, and one alert with all its records.

Knows forms and lengths; nothing here is opened.
"""

from dataclasses import dataclass

from wire.fields import Ascending, Kind, Packed, PartyId, QueryWhole, Text, Timestamp, Whole, list_of
from wire.messages.message import MessageSchema
from wire.messages.submission import LONGEST_PART, PART_LIMIT, SealedSecretMessage, SealedSecretMessageSchema

ALERT_ID_PATTERN = "^[A-Za-z0-9_-]{1,64}$"


@dataclass(frozen=True)
class AlertSummary:
    """One alert: when it was raised and last changed (Unix seconds), how many records, whose, of which kinds."""

    alert_id: str
    epoch_id: bytes
    state: str
    raised_at: int
    changed_at: int
    records: int
    institutions: tuple[str, ...]
    kinds: tuple[str, ...]
    score: int


class AlertSummarySchema(MessageSchema[AlertSummary]):
    """JSON form of AlertSummary."""

    message_class = AlertSummary
    alert_id = Text(longest=64, pattern=ALERT_ID_PATTERN, required=True)
    epoch_id = Packed(length=32, required=True)
    state = Text(longest=32, pattern="^[a-z-]{1,32}$", required=True)
    raised_at = Timestamp(required=True)
    changed_at = Timestamp(required=True)
    records = Whole(required=True)
    institutions = list_of(PartyId(), most=10_000)
    kinds = list_of(Kind(), most=1000)
    score = Whole(required=True)


@dataclass(frozen=True)
class AlertList:
    """A page of alerts; `next` is what to give as `after` for the following page, None on the last."""

    alerts: tuple[AlertSummary, ...]
    next: str | None = None


class AlertListSchema(MessageSchema[AlertList]):
    """JSON form of AlertList."""

    message_class = AlertList
    alerts = list_of(AlertSummarySchema, most=1000)
    next = Text(longest=64, pattern=ALERT_ID_PATTERN, allow_none=True, load_default=None)


@dataclass(frozen=True)
class AlertQuery:
    """Which page of alerts: those after the alert id `after`, at most `limit`."""

    after: str | None = None
    limit: int = 100


class AlertQuerySchema(MessageSchema[AlertQuery]):
    """Query form of AlertQuery."""

    message_class = AlertQuery
    after = Text(longest=64, pattern=ALERT_ID_PATTERN, load_default=None)
    limit = QueryWhole(least=1, most=1000, load_default=100)


@dataclass(frozen=True)
class AlertStatement:
    """A submission statement of an institution, its signature, and the batch secret sealed to the recipients.

    logged_at  the time in the statement's leaf, in Unix seconds: with the statement it gives the leaf's bytes
    log_index  the leaf's place in the log; None as long as it waits for one, a second or so
    """

    statement: bytes
    signature: bytes
    institution_id: str
    sealed: tuple[SealedSecretMessage, ...]
    logged_at: int = 0
    log_index: int | None = None


class AlertStatementSchema(MessageSchema[AlertStatement]):
    """JSON form of AlertStatement."""

    message_class = AlertStatement
    statement = Packed(min_length=1, max_length=1024, required=True)
    signature = Packed(length=64, required=True)
    institution_id = PartyId(required=True)
    sealed = list_of(SealedSecretMessageSchema, most=1000)
    logged_at = Timestamp(required=True)
    log_index = Whole(allow_none=True, load_default=None)


@dataclass(frozen=True)
class AlertRecord:
    """A record (packed as one), its Merkle path, its statement's index, and entries that a cap set aside."""

    record: bytes
    path: bytes
    statement: int
    set_aside: tuple[int, ...] = ()


class AlertRecordSchema(MessageSchema[AlertRecord]):
    """JSON form of AlertRecord."""

    message_class = AlertRecord
    record = Packed(min_length=1, max_length=LONGEST_PART, required=True)
    path = Packed(min_length=8, max_length=8 + 32 * 32, required=True)
    statement = Whole(required=True)
    set_aside = Ascending(most=65535, longest=2000, required=True)


@dataclass(frozen=True)
class AlertDetail:
    """A page of one alert: records still locked (from `offset` on, of `total`) and the statements that cover them."""

    alert_id: str
    epoch_id: bytes
    raised_at: int
    changed_at: int
    total: int
    offset: int
    statements: tuple[AlertStatement, ...]
    records: tuple[AlertRecord, ...]


class AlertDetailSchema(MessageSchema[AlertDetail]):
    """JSON form of AlertDetail."""

    message_class = AlertDetail
    alert_id = Text(longest=64, pattern=ALERT_ID_PATTERN, required=True)
    epoch_id = Packed(length=32, required=True)
    raised_at = Timestamp(required=True)
    changed_at = Timestamp(required=True)
    total = Whole(required=True)
    offset = Whole(required=True)
    statements = list_of(AlertStatementSchema, most=PART_LIMIT)
    records = list_of(AlertRecordSchema, most=PART_LIMIT)


@dataclass(frozen=True)
class AlertPageQuery:
    """Which page of an alert's records: from `offset` on, at most `limit`."""

    offset: int = 0
    limit: int = PART_LIMIT


class AlertPageQuerySchema(MessageSchema[AlertPageQuery]):
    """Query form of AlertPageQuery."""

    message_class = AlertPageQuery
    offset = QueryWhole(load_default=0)
    limit = QueryWhole(least=1, most=PART_LIMIT, load_default=PART_LIMIT)


@dataclass(frozen=True)
class AlertDetailsQuery:
    """Which alerts: their ids, joined by commas, at most 64."""

    alerts: str


class AlertDetailsQuerySchema(MessageSchema[AlertDetailsQuery]):
    """Query form of AlertDetailsQuery."""

    message_class = AlertDetailsQuery
    alerts = Text(longest=64 * 33, pattern="^[0-9a-f]{32}(,[0-9a-f]{32}){0,63}$", required=True)


@dataclass(frozen=True)
class AlertDetails:
    """The first pages of alerts, in the order in which they were named; perhaps only of the first of them."""

    details: tuple[AlertDetail, ...]


class AlertDetailsSchema(MessageSchema[AlertDetails]):
    """JSON form of AlertDetails."""

    message_class = AlertDetails
    details = list_of(AlertDetailSchema, least=1, most=64)
