"""Bringing a signed document to the services that the agreement names: the broker and every key holder.

Each of them verifies it for itself. Knows no file and no home.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from crypto.signatures import SigningKey
from policies.documents import SignedDocument
from policies.parties import BROKER
from policies.trust import Trust
from runtime.clock import Clock
from runtime.exits import UserError
from wire.messages.documents import SignedDocument as SignedDocumentMessage
from wire.problems import RemoteProblem
from wire.session import SignedSession


@dataclass(frozen=True)
class Network:
    """As whom one speaks, and how one gets there. `seed` is the signing key's; `transport` per party id for tests."""

    party_id: str
    seed: bytes = field(repr=False)
    clock: Clock
    timeout: float = 30.0
    ca_file: Path | None = None
    attempts: int = 3
    transport: Callable[[str], httpx.BaseTransport | None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Published:
    """Who has a document now, and why the others do not, by party id."""

    accepted: list[str]
    failed: dict[str, str]


def publish(signed: SignedDocument, trust: Trust, network: Network) -> Published:
    """Post a document to everybody who serves under the epoch's version of the agreement or the newest."""
    services: dict[str, tuple[str, bytes]] = {}
    for agreement in (trust.agreement, trust.newest_agreement):
        services[BROKER] = (agreement.broker.address, agreement.broker.key)
        services.update({holder.party_id: (holder.address, holder.key) for holder in agreement.holders})
    accepted, failed = [], {}
    for party_id, (address, key) in services.items():
        why = _bring(signed, party_id, address, key, network)
        if why is None:
            accepted.append(party_id)
        else:
            failed[party_id] = why
    return Published(accepted, failed)


def _bring(signed: SignedDocument, party_id: str, address: str, key: bytes, network: Network) -> str | None:
    """Why a service did not take the document; None where it did."""
    session = SignedSession(
        address,
        network.party_id,
        SigningKey(network.seed),
        party_id,
        key,
        network.clock,
        timeout=network.timeout,
        attempts=network.attempts,
        ca_file=network.ca_file,
        transport=network.transport(party_id),
    )
    try:
        with session:
            session.post("/v1/documents", SignedDocumentMessage(signed.document, signed.signatures))
    except RemoteProblem as refused:
        return refused.detail
    except UserError as fault:
        return fault.message
    return None
