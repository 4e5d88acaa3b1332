"""An institution's own state at the broker. Nothing here depends on a match, nor may anything come to."""

from __future__ import annotations

from broker.context import broker_context, calling_institution, current_epoch
from broker.receipts import read_receipt
from broker.store.submissions import count_live_records, last_receipt
from runtime.database import read_transaction
from wire.access import signed
from wire.messages.institution_status import InstitutionStatus
from wire.resources import Resource
from wire.service import calling_party

resource = Resource("status", __name__, url_prefix="/v1/status", description="An institution's own state")


@resource.route("", methods=["GET"])
@signed("institution", action="read-own-status")
@resource.response(200, InstitutionStatus)
def show_status() -> InstitutionStatus:
    """The epoch, the last statement applied, live records, the last receipt."""
    broker, caller = broker_context(), calling_party()
    trust = broker.trust()
    with read_transaction(broker.engine) as connection:
        epoch = current_epoch(connection, trust)
        institution = calling_institution(connection, epoch, caller.party_id)
        receipt = last_receipt(connection, epoch, institution.institution)
        return InstitutionStatus(
            epoch_id=trust.epoch_id,
            last_seq=institution.last_seq,
            records_live=count_live_records(connection, epoch, institution.institution, broker.now),
            last_receipt=None if receipt is None else read_receipt(receipt),
        )
