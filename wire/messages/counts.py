"""A holder's signed daily counts of evaluations, chained by day.

Knows the envelope; the document's members stand in docs/protocol.md and are read by whoever checks the chain.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import fields

from wire.fields import Day, Packed, list_of
from wire.messages.message import MessageSchema


@dataclass(frozen=True)
class DailyCounts:
    """One day's counts document and the holder's signature (64 bytes) on it."""

    document: Mapping[str, Any]
    signature: bytes


class DailyCountsSchema(MessageSchema[DailyCounts]):
    """JSON form of DailyCounts."""

    message_class = DailyCounts
    document = fields.Dict(keys=fields.String(), required=True)
    signature = Packed(length=64, required=True)


@dataclass(frozen=True)
class DailyCountsList:
    """Consecutive days' counts, oldest first."""

    days: tuple[DailyCounts, ...]


class DailyCountsListSchema(MessageSchema[DailyCountsList]):
    """JSON form of DailyCountsList."""

    message_class = DailyCountsList
    days = list_of(DailyCountsSchema, most=4000)


@dataclass(frozen=True)
class CountsQuery:
    """From which day on (YYYY-MM-DD, the query parameter `from`); None means from the first."""

    first_day: str | None = None


class CountsQuerySchema(MessageSchema[CountsQuery]):
    """Query form of CountsQuery."""

    message_class = CountsQuery
    first_day = Day(data_key="from", load_default=None)
