"""Opening requests of recipients, and the record of what was decided on them for auditors."""

from __future__ import annotations

import hashlib

from flask import request

from keyholder.holder import Holder
from keyholder.log_following import LogFollower
from keyholder.opening_record import recorded_openings
from keyholder.openings import answer_opening
from wire.access import signed
from wire.messages.opening import OpeningRequest, OpeningResponse
from wire.messages.opening_record import OpeningsQuery, RecordedOpenings
from wire.resources import Resource
from wire.service import calling_party, spend_request_nonce


def opening_resource(holder: Holder, follower: LogFollower) -> Resource:
    """`/v1/open` and `/v1/openings`."""
    resource = Resource("opening", "opening", description="Opening records, on evidence")

    @resource.route("/v1/open", methods=["POST"])
    @signed("recipient", action="open-records")
    @resource.arguments(OpeningRequest)
    @resource.response(200, OpeningResponse)
    def open_records(message: OpeningRequest) -> OpeningResponse:
        """Evaluate the secrets of records that the evidence lets open; every decision is recorded first."""
        request_hash = hashlib.sha256(request.get_data()).digest()
        return answer_opening(holder, follower, calling_party(), message, request_hash, spend_request_nonce)

    @resource.route("/v1/openings", methods=["GET"])
    @signed("holder", "auditor", action="read-openings")
    @resource.arguments(OpeningsQuery, location="query")
    @resource.response(200, RecordedOpenings)
    def read_openings(query: OpeningsQuery) -> RecordedOpenings:
        """The chained, signed record of decisions on opening requests, from a number on; `next` asks for more."""
        return recorded_openings(holder.engine, query.after)

    return resource
