"""The auditor's way to the broker, its log and the key holders: what it asks of each. Knows paths and messages.

Nothing that comes this way is believed here; the protocols are what the rest of the client sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

import httpx

from clients.auditor.settings import AuditorSettings
from clients.log.source import HttpLog, LogSource
from crypto.signatures import SigningKey
from policies.documents import SignedDocument
from policies.parties import BROKER, holder_party_id
from policies.trust import Trust
from runtime.clock import Clock
from wire.messages.documents import SignedDocuments
from wire.messages.log import (
    ActivityHour,
    ActivityHours,
    Cosignature,
    LoggedWithdrawal,
    SetAsideCounts,
    WitnessCheckpoint,
)
from wire.messages.opening_record import RecordedOpening, RecordedOpenings
from wire.session import SignedSession

Transport = Callable[[str], httpx.BaseTransport | None]
"""Another way to a party than the network, by its id."""


class BrokerLink(Protocol):
    """What the auditor asks of the broker; each raises UserError where it is away, refuses, or is not itself."""

    def documents(self) -> list[SignedDocument]:
        """Every signed document that the broker has; nothing of it is believed yet."""
        ...

    def cosign(self, size: int, line: str) -> None:
        """Bring a cosignature on the log's checkpoint of a size."""
        ...

    def activity(self, first_hour: int) -> Iterator[ActivityHour]:
        """The hours of activity from one on, with what was committed to."""
        ...

    def caps(self) -> SetAsideCounts:
        """What is set aside as too common in the current epoch."""
        ...

    def withdrawal(self, institution_id: str, seq: int) -> LoggedWithdrawal:
        """A withdrawal that the log names, as it was signed."""
        ...


class HolderLink(Protocol):
    """What the auditor asks of a key holder."""

    def checkpoint(self) -> str | None:
        """The checkpoint of the log that it keeps as a witness; None as long as it keeps none."""
        ...

    def openings(self, after: int) -> Iterator[RecordedOpening]:
        """Its own chained record of openings, after a number."""
        ...


@dataclass(frozen=True)
class Links:
    """The broker, the key holders by index, and the broker's log."""

    broker: BrokerLink
    holders: Mapping[int, HolderLink]
    log: LogSource


class SessionBroker:
    """A BrokerLink over a signed session."""

    def __init__(self, session: SignedSession) -> None:
        self._session = session

    def documents(self) -> list[SignedDocument]:
        """GET /v1/documents."""
        listed = self._session.get("/v1/documents", SignedDocuments).documents
        return [SignedDocument(dict(each.document), each.signatures) for each in listed]

    def cosign(self, size: int, line: str) -> None:
        """POST /v1/log/cosignatures."""
        self._session.post("/v1/log/cosignatures", Cosignature(size, line))

    def activity(self, first_hour: int) -> Iterator[ActivityHour]:
        """GET /v1/activity, page by page."""
        following: int | None = first_hour
        while following is not None:
            page = self._session.get("/v1/activity", ActivityHours, query={"from": str(following)})
            yield from page.hours
            following = page.next if page.hours else None

    def caps(self) -> SetAsideCounts:
        """GET /v1/audit/caps."""
        return self._session.get("/v1/audit/caps", SetAsideCounts)

    def withdrawal(self, institution_id: str, seq: int) -> LoggedWithdrawal:
        """GET /v1/log/withdrawals/<institution>/<seq>."""
        return self._session.get(f"/v1/log/withdrawals/{institution_id}/{seq}", LoggedWithdrawal)


class SessionHolder:
    """A HolderLink over a signed session."""

    def __init__(self, session: SignedSession) -> None:
        self._session = session

    def checkpoint(self) -> str | None:
        """GET /v1/witness/checkpoint."""
        return self._session.get("/v1/witness/checkpoint", WitnessCheckpoint).note

    def openings(self, after: int) -> Iterator[RecordedOpening]:
        """GET /v1/openings, page by page."""
        following: int | None = after
        while following is not None:
            page = self._session.get("/v1/openings", RecordedOpenings, query={"after": str(following)})
            yield from page.openings
            following = page.next if page.openings else None


def system_transport(party_id: str) -> httpx.BaseTransport | None:
    """The network of this machine, for every party."""
    return None


@contextmanager
def open_links(
    trust: Trust,
    auditor_id: str,
    signing_key: SigningKey,
    settings: AuditorSettings,
    clock: Clock,
    *,
    transport: Transport = system_transport,
) -> Iterator[Links]:
    """Sessions with the agreement's broker and key holders, closed at the block's end."""
    with ExitStack() as stack:

        def session(address: str, party_id: str, key: bytes) -> SignedSession:
            opened = SignedSession(
                address,
                auditor_id,
                signing_key,
                party_id,
                key,
                clock,
                timeout=settings.timeout,
                ca_file=settings.ca_file,
                proxy=settings.proxy,
                transport=transport(party_id),
            )
            return stack.enter_context(opened)

        agreement = trust.agreement
        log = HttpLog(
            agreement.broker.address,
            timeout=settings.timeout,
            ca_file=settings.ca_file,
            proxy=settings.proxy,
            transport=transport(BROKER),
        )
        holders = {
            holder.index: SessionHolder(session(holder.address, holder_party_id(holder.index), holder.key))
            for holder in agreement.holders
        }
        broker = SessionBroker(session(agreement.broker.address, BROKER, agreement.broker.key))
        yield Links(broker, holders, stack.enter_context(log))
