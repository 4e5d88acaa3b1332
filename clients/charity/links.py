"""The charity's way to the broker and to the key holders: what it asks of each, over signed sessions.

Knows paths and messages. Both protocols are what the rest of the client sees, so that it can be tested against
holders and brokers that lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

import httpx

from clients.charity.settings import CharitySettings
from clients.log.source import HttpLog, LogSource
from crypto.signatures import SigningKey
from policies.documents import SignedDocument
from policies.parties import BROKER, holder_party_id
from policies.trust import Trust
from runtime.clock import Clock
from runtime.exits import ExitCode, UserError
from wire.messages.alerts import AlertDetail, AlertDetails, AlertList, AlertSummary
from wire.messages.documents import SignedDocuments
from wire.messages.log import MOST_EVENTS, ActivityHours, Cosignature, LeafPlace, ReportedEvents, WitnessCheckpoint
from wire.messages.opening import OpeningRequest, OpeningResponse
from wire.packed import pack
from wire.problems import RemoteProblem
from wire.session import SignedSession

PAGE = 1000
ALERTS_AT_ONCE = 50


class BrokerLink(Protocol):
    """What the charity asks of the broker; each raises UserError where it is away, refuses, or is not itself."""

    def alerts(self) -> list[AlertSummary]:
        """Every alert that the broker has."""
        ...

    def alert(self, alert_id: str) -> list[AlertDetail]:
        """The pages of one alert."""
        ...

    def many_alerts(self, alert_ids: Sequence[str]) -> list[list[AlertDetail]]:
        """The pages of each of these alerts, in order."""
        ...

    def documents(self) -> list[SignedDocument]:
        """Every signed document that the broker has; nothing of it is believed yet."""
        ...

    def cosign(self, size: int, line: str) -> None:
        """Bring a cosignature on the log's checkpoint of a size."""
        ...

    def report(self, events: Sequence[str]) -> None:
        """Report openings and exports for the hour's activity."""
        ...

    def activity(self, first_hour: int) -> ActivityHours:
        """Hours of the log's activity from one on (its first second), with what stands behind their commitments."""
        ...

    def find_leaf(self, leaf_hash: bytes) -> int | None:
        """Where the log has the leaf with a hash; None where it has none. Nothing of it is believed yet."""
        ...


class HolderLink(Protocol):
    """What the charity asks of a key holder."""

    def open(self, request: OpeningRequest) -> OpeningResponse:
        """Ask to have records opened; raises UserError where it is away, refuses whole, or is not itself."""
        ...

    def checkpoint(self) -> str | None:
        """The checkpoint of the log that it keeps as a witness; None as long as it keeps none."""
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

    def alerts(self) -> list[AlertSummary]:
        """Every alert, page by page."""
        found: list[AlertSummary] = []
        after: str | None = None
        while True:
            query = {"limit": str(PAGE)} | ({} if after is None else {"after": after})
            page = self._session.get("/v1/alerts", AlertList, query=query)
            found.extend(page.alerts)
            if page.next is None or not page.alerts:
                return found
            after = page.next

    def alert(self, alert_id: str) -> list[AlertDetail]:
        """The alert's pages, until all of its records are there."""
        return self._with_rest(alert_id, self._session.get(f"/v1/alerts/{alert_id}", AlertDetail))

    def many_alerts(self, alert_ids: Sequence[str]) -> list[list[AlertDetail]]:
        """As `alert` for each, in far fewer requests: most alerts have few records."""
        found: list[list[AlertDetail]] = []
        while len(found) < len(alert_ids):
            asked = alert_ids[len(found) : len(found) + ALERTS_AT_ONCE]
            answer = self._session.get("/v1/alerts/details", AlertDetails, query={"alerts": ",".join(asked)})
            # The answer may end early, but never with nothing: its schema wants one alert at least.
            found += [self._with_rest(alert_id, first) for alert_id, first in zip(asked, answer.details, strict=False)]
        return found

    def _with_rest(self, alert_id: str, first: AlertDetail) -> list[AlertDetail]:
        """The pages of an alert whose first page is there; raises UserError (exit code 8) on another alert's."""
        pages = [first]
        have = len(first.records)
        while pages[-1].records and have < first.total:
            query = {"offset": str(have)}
            pages.append(self._session.get(f"/v1/alerts/{alert_id}", AlertDetail, query=query))
            have += len(pages[-1].records)
        if any(page.alert_id != alert_id for page in pages):
            raise UserError("The broker answered for another alert than was asked for.", ExitCode.VERIFICATION_FAILED)
        return pages

    def documents(self) -> list[SignedDocument]:
        """The documents as policies reads them."""
        listed = self._session.get("/v1/documents", SignedDocuments).documents
        return [SignedDocument(dict(each.document), each.signatures) for each in listed]

    def cosign(self, size: int, line: str) -> None:
        """POST /v1/log/cosignatures."""
        self._session.post("/v1/log/cosignatures", Cosignature(size, line))

    def report(self, events: Sequence[str]) -> None:
        """POST /v1/activity, as many events as a message takes at once."""
        for start in range(0, len(events), MOST_EVENTS):
            self._session.post("/v1/activity", ReportedEvents(tuple(events[start : start + MOST_EVENTS])))

    def activity(self, first_hour: int) -> ActivityHours:
        """GET /v1/activity."""
        return self._session.get("/v1/activity", ActivityHours, query={"from": str(first_hour)})

    def find_leaf(self, leaf_hash: bytes) -> int | None:
        """GET /v1/log/leaves."""
        try:
            return self._session.get("/v1/log/leaves", LeafPlace, query={"hash": pack(leaf_hash)}).index
        except RemoteProblem as problem:
            if problem.status == 404:
                return None
            raise


class SessionHolder:
    """A HolderLink over a signed session."""

    def __init__(self, session: SignedSession) -> None:
        self._session = session

    def open(self, request: OpeningRequest) -> OpeningResponse:
        """POST /v1/open."""
        return self._session.post("/v1/open", request, OpeningResponse)

    def checkpoint(self) -> str | None:
        """GET /v1/witness/checkpoint."""
        return self._session.get("/v1/witness/checkpoint", WitnessCheckpoint).note


def _system_transport(party_id: str) -> httpx.BaseTransport | None:
    """The network of this machine, for every party."""
    return None


@contextmanager
def open_links(
    trust: Trust,
    recipient_id: str,
    signing_key: SigningKey,
    settings: CharitySettings,
    clock: Clock,
    *,
    transport: Callable[[str], httpx.BaseTransport | None] = _system_transport,
) -> Iterator[Links]:
    """Sessions with the agreement's broker and key holders, closed at the block's end.

    `transport` gives another way to a party than the network.
    """
    with ExitStack() as stack:

        def session(address: str, party_id: str, key: bytes) -> SignedSession:
            opened = SignedSession(
                address,
                recipient_id,
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
        broker = SessionBroker(session(agreement.broker.address, BROKER, agreement.broker.key))
        holders = {
            holder.index: SessionHolder(session(holder.address, holder_party_id(holder.index), holder.key))
            for holder in agreement.holders
        }
        log = stack.enter_context(
            HttpLog(
                agreement.broker.address,
                timeout=settings.timeout,
                ca_file=settings.ca_file,
                proxy=settings.proxy,
                transport=transport(BROKER),
            )
        )
        yield Links(broker, holders, log)
