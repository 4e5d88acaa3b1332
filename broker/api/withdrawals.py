"""Withdrawals: an institution takes records back. The same work for every record, matched or not."""

from __future__ import annotations

from sqlalchemy import Connection

from broker.context import broker_context
from broker.ingest.withdraw import apply_withdrawal
from runtime.database import run_in_transaction
from wire.access import signed
from wire.messages.submission import Receipt
from wire.messages.withdrawal import SignedStatement
from wire.resources import Resource
from wire.service import calling_party, spend_request_nonce

resource = Resource("withdrawals", __name__, url_prefix="/v1/withdrawals", description="Records taken back")


@resource.route("", methods=["POST"])
@signed("institution", action="withdraw-records")
@resource.arguments(SignedStatement)
@resource.response(200, Receipt)
def withdraw(message: SignedStatement) -> Receipt:
    """Withdraw what the statement names, for good; again: the same receipt. Key holders must be told as well."""
    broker, caller = broker_context(), calling_party()
    trust = broker.trust()

    def work(connection: Connection) -> Receipt:
        spend_request_nonce(connection)
        return apply_withdrawal(connection, trust, broker.signing_key, caller.party_id, message, broker.now)

    return run_in_transaction(broker.engine, work)
