"""Reads and cosigns the log of a broker in process as anybody would: over its public routes, believing nothing."""

from __future__ import annotations

import httpx

from clients.log.source import HttpLog
from policies.log.checkpoint import CosignedCheckpoint, cosignature_line, witness_name
from policies.log.leaves import Leaf, read_leaf
from policies.log.log_keys import LogKeys
from policies.log.log_reader import LogReader
from tests.brokers import BASE_URL, BrokerWorld
from wire.messages.log import Cosignature


def get(broker: BrokerWorld, path: str) -> httpx.Response:
    """An unsigned GET."""
    with httpx.Client(transport=httpx.WSGITransport(app=broker.app)) as client:
        return client.get(BASE_URL + path)


def source(broker: BrokerWorld) -> HttpLog:
    """The log as a client reads it."""
    return HttpLog(BASE_URL, transport=httpx.WSGITransport(app=broker.app), attempts=1)


def newest(broker: BrokerWorld) -> CosignedCheckpoint:
    """The newest checkpoint, with the log's signature verified."""
    found = CosignedCheckpoint(get(broker, "/log/checkpoint").text)
    found.verify(LogKeys.of(broker.trust).key)
    return found


def reader(broker: BrokerWorld) -> LogReader:
    """The whole log, verified against its newest checkpoint as it is read."""

    def fetch(path: str) -> bytes:
        answer = get(broker, f"/log/{path}")
        if answer.status_code == 404:
            raise LookupError(path)
        return answer.content

    return LogReader(fetch, newest(broker).checkpoint)


def leaves(broker: BrokerWorld, event: str | None = None) -> list[Leaf]:
    """Every leaf, or those of an event, in order."""
    found = [read_leaf(leaf) for leaf in reader(broker).leaves()]
    return [leaf for leaf in found if event in (None, leaf.type)]


def cosignature_of(broker: BrokerWorld, party_id: str, *, at: int | None = None, note: str | None = None) -> str:
    """A party's signature line on the newest checkpoint, or on another note, as of now or of another time."""
    name = witness_name(LogKeys.of(broker.trust).origin, party_id)
    when = int(broker.clock.now().timestamp()) if at is None else at
    return cosignature_line(note or newest(broker).text, name, broker.agreement.parties[party_id].signing_key, when)


def cosign(broker: BrokerWorld, *party_ids: str, at: int | None = None) -> int:
    """Let parties cosign what is now the newest checkpoint; return its size. Their coming may make the log grow."""
    found = newest(broker)
    for party_id in party_ids:
        line = cosignature_of(broker, party_id, at=at, note=found.text)
        broker.session(party_id).post("/v1/log/cosignatures", Cosignature(found.checkpoint.size, line))
    return found.checkpoint.size
