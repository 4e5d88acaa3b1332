"""Incremental matching against matching from scratch: whatever the order of events, the end is the same."""

import random
from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from broker.matching.union import UnionFind
from broker.store.schema import RECORD_SPAN
from policies.opening_rule import Circumstances, ShownEntry, ShownRecord, opening
from runtime.database import read_transaction
from tests.agreement_world import example_document, example_terms, make_world
from tests.brokers import BASE_URL, FOUR_GROUPS, BrokerWorld, build_broker, handle_of

CAP = 3
BANKS = ("bank-a", "bank-b", "police-c")
GROUPS = {name: group for name, _, group in FOUR_GROUPS}
KINDS = ("passport", "web-handle", "vehicle-plate", "address.postal")


@dataclass
class Truth:
    """The live records, and what should come of them."""

    records: dict[bytes, tuple[str, dict[str, str]]] = field(default_factory=dict)

    def components(self, broker: BrokerWorld) -> dict[frozenset[bytes], bool]:
        """The records of each component, and whether it must be raised, all worked out anew."""
        holders: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        for handle, (_, row) in self.records.items():
            for kind, value in row.items():
                holders[kind, value].append(handle)
        counted: dict[bytes, list[tuple[str, str]]] = defaultdict(list)
        nodes = UnionFind()
        numbers = {handle: number for number, handle in enumerate(self.records)}
        for shared, handles in holders.items():
            by_group: dict[str, list[bytes]] = defaultdict(list)
            for handle in handles:
                by_group[GROUPS[self.records[handle][0]]].append(handle)
            kept = [handle for own in by_group.values() if len(own) <= CAP for handle in own]
            if len({GROUPS[self.records[handle][0]] for handle in kept}) < 2:
                continue
            for handle in kept:
                counted[handle].append(shared)
                nodes.union(numbers[kept[0]], numbers[handle])
        named = dict(zip(numbers.values(), numbers, strict=True))
        return {
            frozenset(named[number] for number in members): self._opens(
                {named[number] for number in members}, counted, broker
            )
            for members in nodes.sets()
        }

    def _opens(self, handles: set[bytes], counted: dict[bytes, list[tuple[str, str]]], broker: BrokerWorld) -> bool:
        trust = broker.trust
        shown = {
            handle: ShownRecord(
                self.records[handle][0],
                handle,
                2**40,
                tuple(
                    ShownEntry(kind, f"{kind}|{value}".encode(), True)
                    for kind, value in counted[handle]
                    if trust.kinds[kind].possession
                ),
            )
            for handle in handles
        }
        where = Circumstances(trust.rule, trust.kinds, trust.groups, frozenset(), frozenset(), 0)
        return bool(opening(shown, where))


def found(broker: BrokerWorld) -> dict[frozenset[bytes], bool]:
    """The components in the database, and whether each is raised."""
    query = text(
        "SELECT a.alert, a.state, r.handle FROM alert a JOIN alert_record ar ON ar.epoch = a.epoch"
        " AND ar.alert = a.alert JOIN record r ON r.epoch = ar.epoch AND r.record_id = ar.record_id"
    )
    members: dict[tuple[int, bool], set[bytes]] = defaultdict(set)
    with read_transaction(broker.engine) as connection:
        for number, state, handle in connection.execute(query):
            members[number, state == "raised"].add(bytes(handle))
    return {frozenset(handles): raised for (_, raised), handles in members.items()}


def small_terms_broker(database_url: str) -> BrokerWorld:
    document = example_document()
    for kind in KINDS:
        document["kinds"][kind]["cap"] = CAP
    rule = {"t": 2, "least_weight": 10, "alone": ["passport"]}
    terms = example_terms(kinds=document["kinds"], opening_rule=rule)
    return build_broker(database_url, agreement=make_world(terms, members=FOUR_GROUPS, addresses={"broker": BASE_URL}))


@pytest.mark.parametrize("seed", range(2))
def test_any_order_of_submissions_and_withdrawals_ends_as_matching_from_scratch(database_url: str, seed: int) -> None:
    choose = random.Random(seed)
    broker = small_terms_broker(database_url)
    truth = Truth()
    for _ in range(25):
        bank = choose.choice(BANKS)
        own = [handle for handle, (owner, _) in truth.records.items() if owner == bank]
        if own and choose.random() < 0.4:
            leaving = choose.sample(own, min(len(own), choose.randint(1, 3)))
            broker.withdraw(bank, leaving)
            for handle in leaving:
                del truth.records[handle]
        else:
            rows = [
                {kind: f"v{choose.randint(1, 9)}" for kind in choose.sample(KINDS, choose.randint(1, 3))}
                for _ in range(choose.randint(1, 4))
            ]
            sent = broker.submit(bank, rows)
            truth.records |= {handle_of(sent, place): (bank, row) for place, row in enumerate(rows)}
        if choose.random() < 0.6:
            broker.work()
            assert found(broker) == truth.components(broker)
    broker.work()
    assert found(broker) == truth.components(broker)
    assert sorted(alert.records for alert in broker.raised()) == sorted(
        len(members) for members, raised in truth.components(broker).items() if raised
    )
    assert broker.count("record") == len(truth.records)
    assert broker.count("removal") == broker.count("arrival") == 0


def test_a_record_in_the_tenth_part_keeps_its_place(database_url: str) -> None:
    broker = small_terms_broker(database_url)
    rows = [{"vehicle-plate": f"x{number}"} for number in range(512 * 9 + 5)]
    rows[-1] = {"passport": "GB|1"}
    sent = broker.submit("bank-a", rows)
    broker.submit("bank-b", [{"passport": "GB|1"}])
    broker.work()
    (alert,) = broker.raised()
    detail = broker.detail(alert.alert_id)
    assert int.from_bytes(detail.records[0].path[:4], "big") == len(rows) - 1
    assert detail.records[0].path == sent.paths[-1]
    with read_transaction(broker.engine) as connection:
        last = connection.execute(text("SELECT max(record_id) FROM record WHERE institution = 1")).scalar_one()
    assert last == RECORD_SPAN + len(rows) - 1
