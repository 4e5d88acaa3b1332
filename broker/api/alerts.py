"""Alerts, for recipients alone: a list, and one alert with everything that a key holder asks to see as evidence."""

from __future__ import annotations

from broker import alerts
from broker.context import broker_context
from runtime.database import read_transaction
from wire.access import signed
from wire.messages.alerts import (
    AlertDetail,
    AlertDetails,
    AlertDetailsQuery,
    AlertList,
    AlertPageQuery,
    AlertQuery,
)
from wire.resources import Resource

resource = Resource("alerts", __name__, url_prefix="/v1/alerts", description="What surfaced")


@resource.route("", methods=["GET"])
@signed("recipient", action="list-alerts")
@resource.arguments(AlertQuery, location="query")
@resource.response(200, AlertList)
def list_alerts(query: AlertQuery) -> AlertList:
    """A page of alerts in the order in which they came into being; `next` asks for the following page."""
    broker = broker_context()
    trust = broker.trust()
    with read_transaction(broker.engine) as connection:
        return alerts.list_alerts(connection, trust, query.after, query.limit, broker.now)


@resource.route("/details", methods=["GET"])
@signed("recipient", action="read-alert")
@resource.arguments(AlertDetailsQuery, location="query")
@resource.response(200, AlertDetails)
def show_alerts(query: AlertDetailsQuery) -> AlertDetails:
    """The first pages of several alerts at once; ask again for those that the answer has no room for."""
    broker = broker_context()
    trust = broker.trust()
    with read_transaction(broker.engine) as connection:
        return alerts.alert_details(connection, trust, query.alerts.split(","), broker.now)


@resource.route("/<hex(16):alert>", methods=["GET"])
@signed("recipient", action="read-alert")
@resource.arguments(AlertPageQuery, location="query")
@resource.response(200, AlertDetail)
def show_alert(query: AlertPageQuery, alert: bytes) -> AlertDetail:
    """One alert with a page of its records, still locked, their paths, statements and sealed secrets."""
    broker = broker_context()
    trust = broker.trust()
    with read_transaction(broker.engine) as connection:
        return alerts.alert_detail(connection, trust, alert.hex(), query.offset, query.limit, broker.now)
