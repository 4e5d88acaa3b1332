"""The holder as a witness: a log brings its checkpoints, other parties compare what they were shown.

`/add-checkpoint` is C2SP tlog-witness: unsigned, since the log's signature on the checkpoint says who asks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flask import Response, request

from keyholder.holder import Holder
from keyholder.witness import OtherSize, add_checkpoint, kept_checkpoint
from policies.log.add_checkpoint import SIZE_TYPE
from wire.access import public, signed
from wire.messages.log import WitnessCheckpoint
from wire.resources import Resource

LONGEST_REQUEST: Final = 65536
"""Bytes of a request's body: a proof and a checkpoint with its log's signature need far fewer."""

_TEXT: Final = "text/plain; charset=utf-8"
_LINES: Final = {"type": "string"}


def witness_resource(holder: Holder, evidence_folder: Path) -> Resource:
    """`/add-checkpoint` and `/v1/witness/checkpoint`."""
    resource = Resource("witness", "witness", description="This holder as a witness of the broker's log")

    @resource.route("/add-checkpoint", methods=["POST"])
    @public(action="cosign-checkpoint")
    @resource.response(200, _LINES, content_type=_TEXT)
    def cosign() -> Response:
        """Cosign a checkpoint that continues the one kept; 409 with the size that is kept where another is named."""
        request.max_content_length = LONGEST_REQUEST
        try:
            line = add_checkpoint(holder, request.get_data(cache=False), evidence_folder)
        except OtherSize as other:
            return Response(f"{other.size}\n", 409, content_type=SIZE_TYPE)
        return Response(line, content_type=_TEXT)

    @resource.route("/v1/witness/checkpoint", methods=["GET"])
    @signed("institution", "recipient", "holder", "auditor", action="compare-checkpoints")
    @resource.response(200, WitnessCheckpoint)
    def show_kept() -> WitnessCheckpoint:
        """Show the checkpoint that this holder cosigned last, for others to hold against what they were shown."""
        return WitnessCheckpoint(kept_checkpoint(holder))

    return resource
