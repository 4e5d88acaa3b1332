"""The worker is stopped anywhere, and goes on to the same end."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import event, text

from broker.settings import BrokerSettings
from policies.library import DocumentLibrary
from policies.service_settings import write_settings
from runtime.database import read_transaction
from tests.agreement_world import DAY, make_world
from tests.brokers import BASE_URL, FOUR_GROUPS, BrokerWorld, build_broker, handle_of

ROWS = [{"passport": f"GB|{number}", "phone": f"+44{number}"} for number in range(6)]


class Crashed(Exception):
    """The fault that the test plants."""


def send_everything(broker: BrokerWorld) -> None:
    first = broker.submit("bank-a", ROWS)
    broker.submit("bank-b", [*ROWS[:4], {"email": "x"}])
    broker.work()
    broker.submit("police-c", [ROWS[0] | {"national-id": "FR|1"}, ROWS[1]])
    broker.submit("bank-a", [{"national-id": "FR|1"}])
    broker.withdraw("bank-a", [handle_of(first, place) for place in (0, 2)])


def end_state(broker: BrokerWorld) -> dict[str, object]:
    """Everything that matching leaves behind, but for names drawn at random and numbers given in passing."""
    queries = {
        "entries": "SELECT tag, kind, institution, proof FROM entry ORDER BY tag, kind, record_id",
        "meetings": "SELECT tag, kind FROM meeting ORDER BY tag, kind",
        "members": "SELECT a.state, a.records, a.opening, a.kinds, a.institutions, ar.opens FROM alert a"
        " JOIN alert_record ar ON ar.epoch = a.epoch AND ar.alert = a.alert"
        " ORDER BY a.state, a.records, a.opening, a.kinds, a.institutions, ar.opens",
        "waiting": "SELECT (SELECT count(*) FROM removal) + (SELECT count(*) FROM arrival)"
        " + (SELECT count(*) FROM alert WHERE stale)",
    }
    with read_transaction(broker.engine) as connection:
        return {name: [tuple(row) for row in connection.execute(text(query))] for name, query in queries.items()}


def test_a_fault_at_any_statement_of_any_step_changes_nothing_about_the_end(database_url: str, tmp_path: Path) -> None:
    undisturbed = build_broker(f"sqlite:///{tmp_path / 'undisturbed.sqlite'}")
    send_everything(undisturbed)
    undisturbed.work()
    broker = build_broker(database_url, agreement=undisturbed.agreement)
    send_everything(broker)
    countdown = [0]

    def maybe_crash(*_: object) -> None:
        countdown[0] -= 1
        if countdown[0] == 0:
            raise Crashed

    event.listen(broker.engine, "before_cursor_execute", maybe_crash)
    crashes = 0
    # Within each step: a crash at its 1st statement, then (the step begun anew) at its 4th, its 7th ...
    working = True
    while working:
        for statement in itertools.count(1, 3):
            countdown[0] = statement
            try:
                working = broker.worker.step()
            except Crashed:
                crashes += 1
            else:
                break
    event.remove(broker.engine, "before_cursor_execute", maybe_crash)
    assert crashes > 30
    assert end_state(broker) == end_state(undisturbed)


@pytest.mark.parametrize("seed", range(2))
def test_a_worker_killed_at_random_moments_ends_where_an_undisturbed_one_does(tmp_path: Path, seed: int) -> None:
    choose = random.Random(seed)
    home = tmp_path / "home"
    home.mkdir()
    # The program reads the machine's clock: an agreement for now.
    now = int(time.time())
    agreement = make_world(
        members=FOUR_GROUPS, addresses={"broker": BASE_URL}, not_before=now - DAY, not_after=now + 89 * DAY
    )
    undisturbed = build_broker(f"sqlite:///{tmp_path / 'undisturbed.sqlite'}", agreement=agreement, now=now)
    send_everything(undisturbed)
    undisturbed.work()
    library = DocumentLibrary.of_home(home)
    library.pin(agreement.agreement, agreement.agreement.hash)
    broker = build_broker(f"sqlite:///{home / 'broker.sqlite'}", agreement=agreement, now=now)
    write_settings(BrokerSettings, home, {"database_url": f"sqlite:///{home / 'broker.sqlite'}"})
    send_everything(broker)
    command = [sys.executable, "-m", "cli", "broker", "worker", "--home", str(home)]
    for _ in range(3):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            time.sleep(choose.uniform(0.5, 2.5))
            os.kill(process.pid, signal.SIGKILL)
    subprocess.run([*command, "--once"], check=True, stderr=subprocess.DEVNULL)
    assert end_state(broker) == end_state(undisturbed)
