"""Which records to ask for, and what to show for them: no more than the opening rule needs.

Applies the same rule and the same checks as the key holders, so that nothing is asked that they would have to refuse.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clients.charity.alerts import HeldRecord, LoggedStatement, RecordKey
from clients.charity.showing import Showing
from policies.evidence import RECORD_LIMIT, check_evidence, decide
from policies.opening_rule import Circumstances, ShownEntry, ShownRecord, opening, pairs
from policies.trust import SHARE_VERSION, Trust
from wire.messages.opening import EvidenceEntry, EvidenceRecord, OpeningRequest

NOT_YET_LOGGED = "No checkpoint that the witnesses cosigned covers its submission yet: ask again later."
"""Why a record is not asked for that came a moment ago."""

SUPPORTERS_SHOWN = 4
"""How many records of one group are shown in support of a record: more than one, since a holder may refuse some."""


@dataclass(frozen=True)
class Plan:
    """One opening request in the making: the records shown, in order, and positions of those to be opened."""

    records: tuple[HeldRecord, ...]
    wanted: tuple[int, ...]
    request: OpeningRequest

    @property
    def wanted_keys(self) -> list[RecordKey]:
        """The names of the records to be opened."""
        return [self.records[position].key for position in self.wanted]


@dataclass(frozen=True)
class Plans:
    """What is to be asked, and why the other records stay shut (a sentence each)."""

    plans: tuple[Plan, ...]
    shut: Mapping[RecordKey, str]


def circumstances_of(trust: Trust, now: int) -> Circumstances:
    """The rule's circumstances as the charity knows them: suspensions and withdrawals are the holders' to know."""
    return Circumstances(trust.rule, trust.kinds, trust.groups, trust.suspended, frozenset(), now)


def shown_record(record: HeldRecord) -> ShownRecord:
    """The record as the rule looks at it: entries that a cap set aside are left out."""
    entries = tuple(
        ShownEntry(entry.kind, entry.public_key, index in record.proven)
        for index, entry in enumerate(record.entries)
        if index not in record.set_aside
    )
    return ShownRecord(record.context.institution_id, record.context.handle, record.context.expires_at, entries)


def supported_pairs(
    records: Mapping[RecordKey, HeldRecord], circumstances: Circumstances
) -> list[tuple[RecordKey, RecordKey]]:
    """Every two records of different groups that support each other."""
    return pairs({key: shown_record(record) for key, record in records.items()}, circumstances)


def plan_requests(
    records: Mapping[RecordKey, HeldRecord],
    wanted: Iterable[RecordKey],
    trust: Trust,
    now: int,
    showing: Showing | None,
) -> Plans:
    """Requests that together ask for all of `wanted` that the rule covers, each of at most 512 records.

    What the checkpoint of `showing` does not cover yet is neither asked for nor shown: nothing, where it is None.
    """
    if showing is None:
        return Plans((), dict.fromkeys(wanted, NOT_YET_LOGGED))
    circumstances = circumstances_of(trust, now)
    covered = {key: record for key, record in records.items() if showing.covers(record.statement)}
    shown = {key: shown_record(record) for key, record in covered.items()}
    opens = opening(shown, circumstances)
    supporters: dict[RecordKey, list[RecordKey]] = defaultdict(list)
    for left, right in pairs(shown, circumstances):
        supporters[left].append(right)
        supporters[right].append(left)
    plans: list[Plan] = []
    shut: dict[RecordKey, str] = {}
    for batch, targets in _batches([key for key in wanted if key in opens], supporters, trust.groups):
        together = [records[key] for key in batch]
        counting = _counting_entries(together, trust.groups)
        plan = _plan(together, [key in targets for key in batch], trust, counting, showing)
        plan, refused = _check(plan, trust, circumstances)
        shut.update(refused)
        if plan.wanted:
            plans.append(plan)
    for key in wanted:
        if key not in covered:
            shut[key] = NOT_YET_LOGGED
        elif key not in opens:
            shut[key] = _why_shut(records[key], trust, circumstances, showing)
    return Plans(tuple(plans), shut)


def _batches(
    targets: Sequence[RecordKey], supporters: Mapping[RecordKey, Sequence[RecordKey]], groups: Mapping[str, str]
) -> Iterable[tuple[list[RecordKey], set[RecordKey]]]:
    """Fill requests greedily: a target goes with those that support it, which may be targets themselves."""
    batch: dict[RecordKey, None] = {}
    chosen: set[RecordKey] = set()
    for target in targets:
        needed = {target: None, **dict.fromkeys(_few_of_each_group(supporters[target], groups))}
        if chosen and len(batch.keys() | needed.keys()) > RECORD_LIMIT:
            yield list(batch), chosen
            batch, chosen = {}, set()
        batch.update(needed)
        chosen.add(target)
    if chosen:
        yield list(batch), chosen


def _few_of_each_group(keys: Sequence[RecordKey], groups: Mapping[str, str]) -> list[RecordKey]:
    taken: dict[str, int] = defaultdict(int)
    few: list[RecordKey] = []
    for key in keys:
        group = groups[key[0]]
        if taken[group] < SUPPORTERS_SHOWN and len(few) < RECORD_LIMIT - 1:
            taken[group] += 1
            few.append(key)
    return few


def _plan(
    records: Sequence[HeldRecord],
    wanted: Sequence[bool],
    trust: Trust,
    counting: Sequence[Sequence[int]],
    showing: Showing,
) -> Plan:
    statements: dict[LoggedStatement, int] = {}
    shown = tuple(
        EvidenceRecord(
            head=record.record.head,
            envelope_hash=record.checked.envelope_hash,
            path=record.path,
            statement=statements.setdefault(record.statement, len(statements)),
            entries=tuple(
                EvidenceEntry(index, record.record.salts[index], record.record.entries[index]) for index in indexes
            ),
        )
        for record, indexes in zip(records, counting, strict=True)
    )
    positions = tuple(position for position, is_wanted in enumerate(wanted) if is_wanted)
    request = OpeningRequest(
        epoch_id=trust.epoch_id,
        roster_version=trust.roster.version,
        share_version=SHARE_VERSION,
        holder_set=tuple(range(1, trust.epoch.t_h + 1)),
        purpose=showing.purpose,
        checkpoint=showing.checkpoint.text,
        statements=tuple(showing.evidence(statement) for statement in statements),
        records=shown,
        open=positions,
    )
    return Plan(tuple(records), positions, request)


def _counting_entries(records: Sequence[HeldRecord], groups: Mapping[str, str]) -> list[list[int]]:
    """Per record the indexes of entries that another group's record among them shares: nothing else is shown."""
    sharing: dict[tuple[str, bytes], set[str]] = defaultdict(set)
    usable = [_usable_entries(record) for record in records]

    def shared(record: HeldRecord, index: int) -> tuple[str, bytes]:
        entry = record.entries[index]
        return entry.kind, entry.public_key or b""

    for record, indexes in zip(records, usable, strict=True):
        for index in indexes:
            sharing[shared(record, index)].add(groups.get(record.context.institution_id, ""))
    return [
        [index for index in indexes if len(sharing[shared(record, index)]) > 1]
        for record, indexes in zip(records, usable, strict=True)
    ]


def _usable_entries(record: HeldRecord) -> list[int]:
    return [index for index in sorted(record.proven) if index not in record.set_aside]


def _check(plan: Plan, trust: Trust, circumstances: Circumstances) -> tuple[Plan, dict[RecordKey, str]]:
    """Check the evidence as a holder will; what it would refuse is not asked."""
    evidence = check_evidence(plan.request, trust, circumstances.now)
    decision = decide(evidence, plan.wanted, circumstances)
    refused = {plan.records[position].key: refusal.detail for position, refusal in decision.refused.items()}
    request = OpeningRequest(**{**vars(plan.request), "open": decision.accepted})
    return Plan(plan.records, decision.accepted, request), refused


def _why_shut(record: HeldRecord, trust: Trust, circumstances: Circumstances, showing: Showing) -> str:
    """Why the rule does not cover the record: something of its own does not hold, or too little supports it."""
    usable = _usable_entries(record)
    if not usable:
        return f"{record.context.institution_id}'s record proves possession of nothing that counts."
    _, refused = _check(_plan([record], [True], trust, [usable], showing), trust, circumstances)
    return refused[record.key]
