"""A case file: one alert as people work with it, what was opened beside what stays shut, and why.

Plain values alone, as they are kept (sealed) in the local store, exported and shown. Knows no key and no service.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from clients.charity.agreement_check import Payload
from clients.charity.alerts import Alert, HeldRecord, RecordKey, Trouble
from clients.charity.evidence import circumstances_of, shown_record, supported_pairs
from clients.charity.words import describe_rule
from policies.opening_rule import shared_kinds
from policies.trust import Trust


@dataclass(frozen=True)
class CaseEntry:
    """One identifier of a record: `match` names what it shares with others (empty: nothing), `value` once opened."""

    kind: str
    match: str
    value: str | None = field(repr=False)
    proven: bool
    set_aside: bool


@dataclass(frozen=True)
class CaseRecord:
    """One record; `reasons` say why it stays shut, empty once it is open. Times are Unix seconds.

    `leaf` (32 bytes in hex) stands for the record's very bytes. `opened_at` is 0 while it is shut; having its alert
    opened again does not move it.
    """

    institution_id: str
    handle: str
    leaf: str
    group_id: str
    role: str
    issued_at: int
    expires_at: int
    is_open: bool
    reasons: tuple[str, ...]
    fields: Mapping[str, str] = field(repr=False)
    indicators: tuple[str, ...] = field(repr=False)
    entries: tuple[CaseEntry, ...]
    opened_at: int = 0


@dataclass(frozen=True)
class CaseMatch:
    """One identifier that several records share: which records (positions), and how much it weighs."""

    name: str
    kind: str
    weight: int
    alone: bool
    possession: bool
    records: tuple[int, ...]


@dataclass(frozen=True)
class CasePair:
    """Two records (positions) of different groups that support each other, and the kinds that they share."""

    left: int
    right: int
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class CaseOpening:
    """For which purpose (its code) records were opened, by which rules, under which version of the agreement."""

    purpose: str
    rules: tuple[str, ...]
    agreement_version: int


NOT_OPENED = CaseOpening("", (), 0)


@dataclass(frozen=True)
class CaseFile:
    """An alert with everything that is known of it. `opened_at` is 0 where nothing has been asked yet."""

    alert_id: str
    epoch_id: str
    raised_at: int
    changed_at: int
    opened_at: int
    records: tuple[CaseRecord, ...]
    matches: tuple[CaseMatch, ...]
    pairs: tuple[CasePair, ...]
    troubles: tuple[Trouble, ...]
    holder_faults: tuple[str, ...]
    rule: str
    opening: CaseOpening = NOT_OPENED

    @property
    def opened(self) -> int:
        """How many records are open."""
        return sum(record.is_open for record in self.records)

    @property
    def content_since(self) -> int:
        """When the oldest of what is open here was opened; 0 where nothing is."""
        return min((record.opened_at or self.opened_at for record in self.records if record.is_open), default=0)

    @property
    def institutions(self) -> tuple[str, ...]:
        """The institutions, sorted."""
        return tuple(sorted({record.institution_id for record in self.records}))

    def to_json(self) -> dict[str, Any]:
        """The form in which it is stored and exported."""
        document = asdict(self)
        document["troubles"] = [
            {"signer": trouble.signer, "sentence": trouble.sentence, "record": _name(trouble.record)}
            for trouble in self.troubles
        ]
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> CaseFile:
        """The case file that `to_json` gave."""
        records = tuple(
            CaseRecord(
                **{
                    **each,
                    "reasons": tuple(each["reasons"]),
                    "indicators": tuple(each["indicators"]),
                    "entries": tuple(CaseEntry(**entry) for entry in each["entries"]),
                }
            )
            for each in document["records"]
        )
        return cls(
            **{
                **document,
                "records": records,
                "matches": tuple(
                    CaseMatch(**{**each, "records": tuple(each["records"])}) for each in document["matches"]
                ),
                "pairs": tuple(CasePair(**{**each, "kinds": tuple(each["kinds"])}) for each in document["pairs"]),
                "troubles": tuple(
                    Trouble(each["signer"], each["sentence"], _key(each["record"])) for each in document["troubles"]
                ),
                "holder_faults": tuple(document["holder_faults"]),
                "opening": CaseOpening(**{**document["opening"], "rules": tuple(document["opening"]["rules"])}),
            }
        )


def make_case(
    alert: Alert,
    trust: Trust,
    now: int,
    *,
    payloads: Mapping[RecordKey, Payload],
    shut: Mapping[RecordKey, Sequence[str]],
    troubles: Sequence[Trouble] = (),
    holder_faults: Sequence[str] = (),
    opened_at: int = 0,
    opening: CaseOpening = NOT_OPENED,
) -> CaseFile:
    """The case file of an alert. Records without a payload are shut, for the reasons in `shut`."""
    ordered = sorted(
        alert.records.values(), key=lambda record: (record.context.institution_id, record.context.issued_at)
    )
    names = _matches(ordered, trust)
    positions = {record.key: number for number, record in enumerate(ordered)}
    circumstances = circumstances_of(trust, now)
    pairs = tuple(
        CasePair(
            positions[left],
            positions[right],
            tuple(
                sorted(
                    shared_kinds(shown_record(alert.records[left]), shown_record(alert.records[right]), circumstances)
                )
            ),
        )
        for left, right in supported_pairs({record.key: record for record in ordered}, circumstances)
    )
    return CaseFile(
        alert_id=alert.alert_id,
        epoch_id=alert.epoch_id.hex(),
        raised_at=alert.raised_at,
        changed_at=alert.changed_at,
        opened_at=opened_at,
        records=tuple(
            _case_record(record, names, payloads.get(record.key), shut.get(record.key, ()), trust, now)
            for record in ordered
        ),
        matches=tuple(_case_match(shared, name, names, ordered, trust) for shared, name in names.items()),
        pairs=pairs,
        troubles=(*alert.troubles, *troubles),
        holder_faults=tuple(holder_faults),
        rule=describe_rule(trust.rule),
        opening=opening,
    )


def opened_payloads(cases: Iterable[CaseFile], records: Mapping[RecordKey, HeldRecord]) -> dict[RecordKey, Payload]:
    """What the case files hold of those of `records` that were opened: of the same bytes, not just the same name."""
    found: dict[RecordKey, Payload] = {}
    for case in cases:
        for record in case.records:
            key = record.institution_id, bytes.fromhex(record.handle)
            if record.is_open and key in records and record.leaf == records[key].checked.leaf.hex():
                values = tuple(entry.value for entry in record.entries)
                found[key] = Payload(values, record.fields, record.indicators, record.opened_at)
    return found


def _matches(records: Sequence[HeldRecord], trust: Trust) -> dict[tuple[str, bytes], str]:
    """What at least two records have in common, named A, B ... from the heaviest kind down."""
    holders: dict[tuple[str, bytes], int] = defaultdict(int)
    for record in records:
        for entry in record.entries:
            holders[entry.kind, entry.tag] += 1
    shared = [name for name, count in holders.items() if count > 1]
    shared.sort(key=lambda name: (-trust.kinds[name[0]].weight if name[0] in trust.kinds else 0, name))
    return {name: _letters(number) for number, name in enumerate(shared)}


def _letters(number: int) -> str:
    """A, B ... Z, AA, AB ..."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def _case_record(
    record: HeldRecord,
    names: Mapping[tuple[str, bytes], str],
    payload: Payload | None,
    reasons: Sequence[str],
    trust: Trust,
    now: int,
) -> CaseRecord:
    context = record.context
    member = trust.member(context.institution_id)
    values = payload.values if payload is not None else (None,) * len(record.entries)
    entries = tuple(
        CaseEntry(
            entry.kind, names.get((entry.kind, entry.tag), ""), value, index in record.proven, index in record.set_aside
        )
        for index, (entry, value) in enumerate(zip(record.entries, values, strict=True))
    )
    return CaseRecord(
        institution_id=context.institution_id,
        handle=context.handle.hex(),
        leaf=record.checked.leaf.hex(),
        group_id=member.group_id if member is not None else "",
        role=member.role if member is not None else "unknown",
        issued_at=context.issued_at,
        expires_at=context.expires_at,
        is_open=payload is not None,
        reasons=() if payload is not None else tuple(reasons),
        fields=dict(payload.fields) if payload is not None else {},
        indicators=payload.indicators if payload is not None else (),
        entries=entries,
        opened_at=(payload.opened_at or now) if payload is not None else 0,
    )


def _case_match(
    shared: tuple[str, bytes],
    name: str,
    names: Mapping[tuple[str, bytes], str],
    records: Sequence[HeldRecord],
    trust: Trust,
) -> CaseMatch:
    kind, tag = shared
    policy = trust.kinds.get(kind)
    return CaseMatch(
        name=name,
        kind=kind,
        weight=policy.weight if policy is not None else 0,
        alone=kind in trust.rule.alone,
        possession=policy is not None and policy.possession,
        records=tuple(
            number
            for number, record in enumerate(records)
            if any((entry.kind, entry.tag) == (kind, tag) for entry in record.entries)
        ),
    )


def _name(key: RecordKey | None) -> list[str] | None:
    return None if key is None else [key[0], key[1].hex()]


def _key(name: Sequence[str] | None) -> RecordKey | None:
    return None if name is None else (name[0], bytes.fromhex(name[1]))
