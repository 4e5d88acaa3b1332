"""The log as anybody reads it: checkpoints and tiles, plain files under C2SP tlog-tiles' paths, by unsigned requests.

Tiles never change, and say so to every cache; what is read proves itself against a checkpoint.
"""

from __future__ import annotations

from flask import Response

from broker.context import broker_context
from broker.log import checkpoints, tree
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.errors import LogRefused
from policies.log.tiles import HIGHEST_LEVEL, TilePlace
from runtime.database import read_transaction
from wire.access import public
from wire.problems import Problem
from wire.resources import Resource

resource = Resource("log", __name__, url_prefix="/log", description="The transparency log")

_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"
_FOR_EVER = "public, max-age=31536000, immutable"
_BRIEFLY = "no-cache"
_NOTE = {"type": "string"}
_TILE = {"type": "string", "format": "binary"}


@resource.route("/checkpoint", methods=["GET"])
@public(action="read-log")
@resource.response(200, _NOTE, content_type=_TEXT)
def newest_checkpoint() -> Response:
    """The newest checkpoint, with the cosignatures that it has by now: a signed note (C2SP tlog-checkpoint)."""
    broker = broker_context()
    # Whoever asks sees the leaves that were committed before, whether or not the log's keeper came by since.
    broker.sequencer.step()
    with read_transaction(broker.engine) as connection:
        return _note(checkpoints.newest(connection))


@resource.route("/cosigned", methods=["GET"])
@public(action="read-log")
@resource.response(200, _NOTE, content_type=_TEXT)
def newest_cosigned() -> Response:
    """The newest checkpoint that carries the agreement's quorum of cosignatures, none of them older than a day."""
    broker = broker_context()
    policy = broker.witness_policy()
    with read_transaction(broker.engine) as connection:
        return _note(checkpoints.newest_cosigned(connection, policy, broker.now))


@resource.route(f"/tile/<int(max={HIGHEST_LEVEL}):level>/<tile:place>", methods=["GET"])
@public(action="read-log")
@resource.response(200, _TILE, content_type=_BYTES)
def hash_tile(level: int, place: str) -> Response:
    """A tile of hashes: 256, or fewer at the tree's edge (`.p/` and how many)."""
    found = _place(place)
    with read_transaction(broker_context().engine) as connection:
        return _tile(tree.hash_tile(connection, level, found.tile, found.width))


@resource.route("/tile/entries/<tile:place>", methods=["GET"])
@public(action="read-log")
@resource.response(200, _TILE, content_type=_BYTES)
def entry_bundle(place: str) -> Response:
    """A bundle of leaves, each after its length in two bytes."""
    found = _place(place)
    with read_transaction(broker_context().engine) as connection:
        return _tile(tree.entry_bundle(connection, found.tile, found.width))


def _place(text: str) -> TilePlace:
    try:
        return TilePlace.parse(text)
    except LogRefused:
        raise _no_tile() from None


def _tile(found: bytes | None) -> Response:
    if found is None:
        raise _no_tile()
    return _with_caching(Response(found, content_type=_BYTES), _FOR_EVER)


def _note(found: CosignedCheckpoint | None) -> Response:
    if found is None:
        raise Problem(404, "no-checkpoint", "no checkpoint", "There is no such checkpoint yet: ask again later.")
    return _with_caching(Response(found.text, content_type=_TEXT), _BRIEFLY)


def _with_caching(response: Response, caching: str) -> Response:
    response.headers["Cache-Control"] = caching
    return response


def _no_tile() -> Problem:
    return Problem(404, "no-tile", "no such tile", "The log has no such tile, or not yet.")
