"""What the log's readers ask by signed requests: places, withdrawals, activity, caps; and what witnesses bring."""

from __future__ import annotations

from sqlalchemy import Connection

from broker import audit
from broker.context import broker_context
from broker.log import activity, checkpoints
from runtime.database import read_transaction, run_in_transaction
from wire.access import signed
from wire.messages.log import (
    ActivityHours,
    ActivityQuery,
    Cosignature,
    LeafPlace,
    LeafQuery,
    LoggedWithdrawal,
    ReportedEvents,
    SetAsideCounts,
    WithdrawalQuery,
)
from wire.resources import Resource
from wire.service import calling_party, spend_request_nonce

resource = Resource("audit", __name__, url_prefix="/v1", description="What the log's readers ask")

WITNESSES = ("institution", "recipient", "holder", "auditor")
_LARGEST_NUMBER = 2**53 - 1


@resource.route("/log/cosignatures", methods=["POST"])
@signed(*WITNESSES, action="give-cosignature")
@resource.arguments(Cosignature)
@resource.response(204)
def cosign(message: Cosignature) -> None:
    """Bring the caller's cosignature on the log's checkpoint of a size; it is served with it from then on."""
    broker, caller = broker_context(), calling_party()
    policy = broker.witness_policy()

    def work(connection: Connection) -> None:
        spend_request_nonce(connection)
        checkpoints.keep_cosignature(connection, policy, caller.party_id, message.size, message.line, broker.now)

    run_in_transaction(broker.engine, work)


@resource.route("/log/leaves", methods=["GET"])
@signed(*WITNESSES, action="find-leaf")
@resource.arguments(LeafQuery, location="query")
@resource.response(200, LeafPlace)
def find_leaf(query: LeafQuery) -> LeafPlace:
    """The place of the leaf with a leaf hash; an institution finds its own alone."""
    with read_transaction(broker_context().engine) as connection:
        return audit.place_of_leaf(connection, calling_party(), query.hash)


@resource.route(f"/log/withdrawals/<identifier:institution>/<int(min=1, max={_LARGEST_NUMBER}):seq>", methods=["GET"])
@signed("holder", "auditor", action="read-withdrawal")
@resource.arguments(WithdrawalQuery, location="query")
@resource.response(200, LoggedWithdrawal)
def show_withdrawal(query: WithdrawalQuery, institution: str, seq: int) -> LoggedWithdrawal:
    """The signed statement that a withdrawal's leaf names: whoever follows the log checks it by hash and signature."""
    with read_transaction(broker_context().engine) as connection:
        return audit.logged_withdrawal(connection, institution, seq, query.hash)


@resource.route("/activity", methods=["GET"])
@signed("recipient", "auditor", action="read-activity")
@resource.arguments(ActivityQuery, location="query")
@resource.response(200, ActivityHours)
def show_activity(query: ActivityQuery) -> ActivityHours:
    """Hours of activity with what stands behind their commitments; `next` asks for the following ones."""
    with read_transaction(broker_context().engine) as connection:
        return audit.activity_hours(connection, query.first_hour)


@resource.route("/activity", methods=["POST"])
@signed("recipient", "holder", action="report-activity")
@resource.arguments(ReportedEvents)
@resource.response(204)
def report_activity(message: ReportedEvents) -> None:
    """Report openings and exports, which the broker does not see: they go into the hour's activity."""
    broker, caller = broker_context(), calling_party()

    def work(connection: Connection) -> None:
        spend_request_nonce(connection)
        activity.note_reported(connection, caller.party_id, message.events, broker.now)

    run_in_transaction(broker.engine, work)


@resource.route("/audit/caps", methods=["GET"])
@signed("broker", "auditor", action="read-caps")
@resource.response(200, SetAsideCounts)
def show_caps() -> SetAsideCounts:
    """Counts of what was set aside, by institution, kind and reason, and of what is flagged across groups."""
    broker = broker_context()
    trust = broker.trust()
    with read_transaction(broker.engine) as connection:
        return audit.set_aside_counts(connection, trust)
