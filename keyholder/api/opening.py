"""Opening requests of recipients."""

from __future__ import annotations

import hashlib

from flask import request

from keyholder.holder import Holder
from keyholder.openings import answer_opening
from wire.access import signed
from wire.messages.opening import OpeningRequest, OpeningResponse
from wire.resources import Resource
from wire.service import calling_party, spend_request_nonce


def opening_resource(holder: Holder) -> Resource:
    """`/v1/open`."""
    resource = Resource("opening", "opening", description="Opening records, on evidence")

    @resource.route("/v1/open", methods=["POST"])
    @signed("recipient", action="open-records")
    @resource.arguments(OpeningRequest)
    @resource.response(200, OpeningResponse)
    def open_records(message: OpeningRequest) -> OpeningResponse:
        """Evaluate the secrets of records that the evidence lets open; every decision is recorded first."""
        request_hash = hashlib.sha256(request.get_data()).digest()
        return answer_opening(holder, calling_party(), message, request_hash, spend_request_nonce)

    return resource
