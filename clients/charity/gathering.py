"""Alerts by the hundred: fetched a few requests at a time, and their records brought together under one name each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from clients.charity.alerts import Alert, HeldRecord, RecordKey, Trouble, receive_alert, take_in
from clients.charity.links import ALERTS_AT_ONCE, BrokerLink
from policies.trust import Trust
from runtime.exits import ExitCode, UserError

FETCHERS = 4
"""How many requests for alerts are under way at once."""


def fetch_alerts(broker: BrokerLink, alert_ids: Sequence[str], trust: Trust) -> Iterator[Alert]:
    """The alerts in order, each verified; raises UserError where the broker is away or shows what is no alert."""
    pieces = [alert_ids[start : start + ALERTS_AT_ONCE] for start in range(0, len(alert_ids), ALERTS_AT_ONCE)]
    with ThreadPoolExecutor(FETCHERS) as pool:
        for alerts in pool.map(broker.many_alerts, pieces):
            for pages in alerts:
                yield receive_alert(pages, trust)


def pool_records(alerts: Iterable[Alert], trust: Trust) -> tuple[dict[RecordKey, HeldRecord], list[Trouble]]:
    """All records of the alerts by name, and who answers for names under which two alerts show different ones."""
    pool: dict[RecordKey, HeldRecord] = {}
    unfit: list[Trouble] = []
    for alert in alerts:
        check_epoch(alert, trust)
        for record in alert.records.values():
            if trouble := take_in(pool, record):
                unfit.append(trouble)
    return pool, unfit


def check_epoch(alert: Alert, trust: Trust) -> None:
    """Raise UserError unless the alert is of the newest epoch here."""
    if alert.epoch_id != trust.epoch_id:
        raise UserError(
            f"Alert {alert.alert_id} is of another epoch than {trust.epoch.number}, which is the newest here.",
            ExitCode.DOCUMENTS_REFUSED,
        )


def unsigned(key: RecordKey) -> Trouble:
    """A record that was opened before, shown now under a statement that its institution did not sign."""
    sentence = f"The broker shows a record of {key[0]} that was opened before, now without {key[0]}'s signature."
    return Trouble("broker", sentence, key)
