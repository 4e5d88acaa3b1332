"""Nights in which processes are killed at random, and what must be the same afterwards as if nothing had happened.

All parties run once for many nights. Every night each of the bank's rows has changed: all its records are replaced, the
old ones withdrawn. What meets whom stays the same, so every night must end like the undisturbed one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select

from broker.store import log_schema
from broker.store import schema as broker_schema
from clients.log.source import HttpLog
from crypto.records import check_record, unpack_records
from demo.ceremony import demonstration_rules
from demo.own_files import read_folder
from demo.scenario import Scenario
from keyholder.store import schema as holder_schema
from policies.log.leaves import submission_leaf, withdrawal_leaf
from policies.log.tree import leaf_hash
from runtime.clock import SystemClock
from runtime.database import open_engine, read_transaction
from runtime.exits import ExitCode

ROWS = 120
OVERLAP = 40
HOLDERS = 2
"""Two of three holders run: the least that answers, so that killing one is felt."""

BANK, OTHER = "bank-a", "bank-b"
PATIENCE = 120
RETRIES = 12
SERVICES = ("broker", "worker", "holder1", "holder2")

BUDGET = 100_000
"""Rows that the banks declare, far more than they have."""

Tags = frozenset[tuple[str, bytes]]
Charge = tuple[str, str, str]
"""A holder, an institution, a key family."""


@dataclass(frozen=True)
class EndState:
    """What must not depend on crashes: whose records are live, which of them meet, what was charged."""

    records: tuple[tuple[str, tuple[tuple[str, bytes], ...]], ...]
    alerts: frozenset[frozenset[tuple[str, Tags]]]
    charged: tuple[tuple[str, str, str, int], ...]


class Nights:
    """Parties that run, the other bank's records matched, and night after night of the first bank."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._number = 0
        self.undisturbed = self.night(None)

    def disturbed(self, seed: int) -> EndState:
        """The end state of a night with one or two kills, all chosen by `seed`."""
        return self.night(random.Random(seed))

    def night(self, chance: random.Random | None) -> EndState:
        """Change every row of the bank, sync with or without kills, and look at what came of it."""
        scenario = self._scenario
        for name in SERVICES:
            _ensure_running(scenario, name)
        self._number += 1
        _write_people(scenario.files[0].path, BANK, 0, f"seen in night {self._number}")
        charged = dict(_charges(scenario))
        if chance is not None:
            for _ in range(chance.randint(1, 2)):
                _disturb(scenario, chance)
        _sync_until_done(scenario)
        scenario.wait_until_matched()
        _check_log(scenario)
        return _end_state(scenario, charged)


@contextmanager
def nights() -> Iterator[Nights]:
    """All parties, set up and running, with the other bank's records at the broker."""
    with tempfile.TemporaryDirectory(prefix="crosslight-chaos-") as name:
        people = Path(name) / "people"
        people.mkdir()
        _write_people(people / f"{BANK}.csv", BANK, 0, "never seen")
        _write_people(people / f"{OTHER}.csv", OTHER, ROWS - OVERLAP, "never seen")
        # Every night evaluates every row anew: the budgets must last for all of them.
        files = [replace(own, rows=BUDGET) for own in read_folder(people)]
        scenario = Scenario(
            Path(name) / "run",
            files,
            rules=demonstration_rules(),
            clock=SystemClock(),
            region="GB",
            holders=HOLDERS,
        )
        try:
            scenario.set_up()
            scenario.start()
            scenario.sync(OTHER)
            scenario.sync(BANK)
            yield Nights(scenario)
        finally:
            scenario.processes.stop()


def _ensure_running(scenario: Scenario, name: str) -> None:
    """Bring a service back that an earlier night left dead."""
    if not scenario.processes.is_running(name):
        party, url = scenario.start_service(name)
        if url:
            scenario.processes.wait_until_ready(party, url)


def _disturb(scenario: Scenario, chance: random.Random) -> None:
    """Start a sync, kill -9 somebody at a random moment of it, and bring a killed service back."""
    victim = chance.choice(("client", *SERVICES))
    moment = chance.uniform(0.8, 4.0)
    client = subprocess.Popen(
        [sys.executable, "-m", "cli", *_sync_command(scenario)],
        env={**os.environ, **scenario.processes.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with suppress(subprocess.TimeoutExpired):
        client.wait(moment)
    if victim == "client":
        if client.poll() is None:
            os.killpg(client.pid, signal.SIGKILL)
        client.wait()
        return
    scenario.processes.kill(victim)
    try:
        client.wait(PATIENCE)
    finally:
        if client.poll() is None:
            client.kill()
            client.wait()
    _ensure_running(scenario, victim)


def _sync_until_done(scenario: Scenario) -> None:
    for _ in range(RETRIES):
        finished = scenario.processes.run(BANK, _sync_command(scenario))
        if finished.exit_code == ExitCode.OK:
            return
        time.sleep(0.5)
    raise AssertionError(f"sync ended with {finished.exit_code} again and again: {finished.complaint}")


def _sync_command(scenario: Scenario) -> list[str]:
    return [*scenario.sync_command(BANK), "--records", "32"]


def _write_people(path: Path, bank: str, first: int, note: str) -> None:
    """One bank's customers; OVERLAP of them are the other's too by phone, half of those by e-mail as well."""
    lines = ["id,full_name,date_of_birth,phone,email,note"]
    for person in range(first, first + ROWS):
        spelling = "Person" if bank == BANK or person % 2 else "Persson"
        lines.append(
            f"{bank}-{person},{spelling} Number{person:04d},19{person % 90 + 10}-0{person % 9 + 1}-1{person % 9},"
            f"+4477009{person:05d},p{person if person % 2 else f'{bank}.{person}'}@example.org,{note}"
        )
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _end_state(scenario: Scenario, charged_before: Mapping[Charge, int]) -> EndState:
    """What the night left; charges are those of this night alone."""
    engine = open_engine(scenario.broker_database)
    record, institution, alert, alert_record = (
        broker_schema.record,
        broker_schema.institution,
        broker_schema.alert,
        broker_schema.alert_record,
    )
    with read_transaction(engine) as connection:
        named = dict(connection.execute(select(institution.c.institution, institution.c.institution_id)).all())
        live = {
            row.record_id: (named[row.institution], _tags(bytes(row.body)))
            for row in connection.execute(select(record.c.record_id, record.c.institution, record.c.body))
        }
        members: dict[int, set[tuple[str, Tags]]] = {}
        for number, record_id in connection.execute(
            select(alert_record.c.alert, alert_record.c.record_id)
            .join(alert, alert.c.alert == alert_record.c.alert)
            .where(alert.c.state == broker_schema.RAISED)
        ):
            members.setdefault(number, set()).add(live[record_id])
    engine.dispose()
    return EndState(
        records=tuple(sorted((institution_id, tuple(sorted(tags))) for institution_id, tags in live.values())),
        alerts=frozenset(map(frozenset, members.values())),
        charged=tuple(sorted((*name, spent - charged_before.get(name, 0)) for name, spent in _charges(scenario))),
    )


def _check_log(scenario: Scenario) -> None:
    """Every statement that the broker signed for stands in its log once, whoever was killed when."""
    with HttpLog(scenario.ports.broker_url) as log:
        log.checkpoint()  # gives every leaf that waits its place
    engine = open_engine(scenario.broker_database)
    submission, withdrawal, leaf = broker_schema.submission, broker_schema.withdrawal, log_schema.log_leaf
    with read_transaction(engine) as connection:
        receipted = [
            (submission_leaf, *row)
            for row in connection.execute(
                select(submission.c.statement, submission.c.receipt).where(submission.c.receipt.is_not(None))
            )
        ]
        receipted += [
            (withdrawal_leaf, *row) for row in connection.execute(select(withdrawal.c.statement, withdrawal.c.receipt))
        ]
        hashes = Counter(bytes(row.hash) for row in connection.execute(select(leaf.c.hash)))
    engine.dispose()
    for make_leaf, statement, receipt in receipted:
        received_at = json.loads(receipt)["document"]["received_at"]
        found = hashes[leaf_hash(make_leaf(bytes(statement), received_at))]
        assert found == 1, f"a statement stands in the log {found} times"


def _tags(body: bytes) -> Tags:
    [held] = unpack_records(body)
    return frozenset((entry.kind, entry.tag) for entry in check_record(held).entries)


def _charges(scenario: Scenario) -> Iterator[tuple[Charge, int]]:
    """What each holder has charged a bank per key family; the record family has no budget and is drawn anew."""
    budget = holder_schema.budget
    for index in range(1, HOLDERS + 1):
        engine = open_engine(f"sqlite:///{scenario.home(f'holder{index}') / 'holder.sqlite'}")
        with read_transaction(engine) as connection:
            for row in connection.execute(select(budget.c.institution_id, budget.c.family, budget.c.spent)):
                if row.family != "record":
                    yield (f"holder{index}", row.institution_id, row.family), row.spent
        engine.dispose()
