"""Reading what was opened, and holding the records against one another: whoever signed what does not fit is named.

A payload says what its record's entries stand for; the tags say which of them must be equal. Knows no key and no store.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import rfc8785

from clients.charity.alerts import HeldRecord, RecordKey, Trouble
from crypto.tags import Entry
from wire.strict_json import InvalidJson, parse_json


@dataclass(frozen=True)
class Payload:
    """An opened record's content.

    values      the canonical value of each entry, in the order of the record's entries; None where it is not listed
    fields      the agreed fields by name
    indicators  codes of red flags
    opened_at   when it was opened (Unix seconds); 0 for just now
    """

    values: tuple[str | None, ...] = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)
    indicators: tuple[str, ...] = field(repr=False)
    opened_at: int = 0


class UnfitPayload(Exception):
    """A payload that is not what the agreement says; the text does not quote it."""


def read_payload(content: bytes, entries: tuple[Entry, ...]) -> Payload:
    """The payload of a record with these entries; raises UnfitPayload."""
    try:
        document = parse_json(content)
    except InvalidJson as error:
        raise UnfitPayload(f"is {error}") from None
    if not isinstance(document, dict) or set(document) != {"entries", "fields", "indicators"}:
        raise UnfitPayload("does not consist of entries, fields and indicators")
    if rfc8785.dumps(document) != content:
        raise UnfitPayload("is not written in the canonical form")
    fields, indicators = document["fields"], document["indicators"]
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise UnfitPayload("has fields that are no text")
    if not isinstance(indicators, list) or not all(isinstance(code, str) for code in indicators):
        raise UnfitPayload("has indicators that are no codes")
    return Payload(_values(document["entries"], entries), fields, tuple(indicators))


def _values(listed: object, entries: tuple[Entry, ...]) -> tuple[str | None, ...]:
    """Each entry's value. Kinds composed of others need not be listed; what is listed keeps the entries' order."""
    if not isinstance(listed, list):
        raise UnfitPayload("has no list of entries")
    values: list[str | None] = [None] * len(entries)
    position = 0
    for item in listed:
        if not isinstance(item, dict) or set(item) != {"kind", "value"}:
            raise UnfitPayload("has an entry without kind and value")
        kind, value = item["kind"], item["value"]
        if not isinstance(value, str) or not value or not unicodedata.is_normalized("NFC", value):
            raise UnfitPayload("has an entry whose value is no canonical text")
        while position < len(entries) and entries[position].kind != kind:
            position += 1
        if position == len(entries):
            raise UnfitPayload("lists entries that its record does not have, or in another order")
        values[position] = value
        position += 1
    return tuple(values)


def find_disagreements(
    records: Mapping[RecordKey, HeldRecord], payloads: Mapping[RecordKey, Payload], terms_fields: Collection[str]
) -> list[Trouble]:
    """What opened records say that cannot all be true, and what the agreement does not let them say."""
    troubles = [
        Trouble(key[0], f"{key[0]} sealed fields that the agreement does not have.", key)
        for key, payload in payloads.items()
        if not set(payload.fields) <= set(terms_fields)
    ]
    stated: dict[tuple[str, bytes], dict[str, list[RecordKey]]] = defaultdict(lambda: defaultdict(list))
    for key, payload in payloads.items():
        for entry, value in zip(records[key].entries, payload.values, strict=True):
            if value is not None:
                stated[entry.kind, entry.tag][value].append(key)
    for (kind, _), by_value in stated.items():
        if len(by_value) > 1:
            troubles += _name_signers(kind, by_value)
    return troubles


def _name_signers(kind: str, by_value: Mapping[str, list[RecordKey]]) -> list[Trouble]:
    """Equal tags mean equal values, so somebody sealed another value than its tag's. Who is in the minority is named;
    where there is none, everybody is, since the tags cannot tell whose value is the false one.
    """
    most = max(len(keys) for keys in by_value.values())
    leading = [value for value, keys in by_value.items() if len(keys) == most]
    suspects = [key for value, keys in by_value.items() if len(leading) > 1 or value != leading[0] for key in keys]
    signers = ", ".join(sorted({key[0] for keys in by_value.values() for key in keys}))
    sentence = f"The records of {signers} share a {kind} by their tags, but what they sealed under it differs"
    return [Trouble(key[0], f"{sentence}: {key[0]} signed one that does not fit.", key) for key in suspects]
