"""The holder's way to the broker's log: checkpoints and tiles by plain GET, the rest by signed requests.

Nothing that comes this way is believed before keyholder.log_following held it against signatures and the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from ssl import create_default_context
from typing import Final, Protocol

import httpx

from crypto.signatures import SigningKey
from policies.documents import SignedDocument
from policies.log.errors import LogRefused
from policies.log.signed_note import LONGEST_NOTE
from policies.log.tiles import LONGEST_LEAF, WIDTH
from policies.parties import BROKER
from policies.trust import Trust
from runtime.clock import Clock
from runtime.exits import ExitCode, UserError
from wire.base_url import normalise_base_url
from wire.messages.documents import SignedDocuments
from wire.messages.log import LoggedWithdrawal
from wire.packed import pack
from wire.session import SignedSession

_PREFIX: Final = "/log/"
_LONGEST: Final = max(LONGEST_NOTE, WIDTH * (LONGEST_LEAF + 2))
_TIMEOUT: Final = 15.0


class LogLink(Protocol):
    """What a holder asks the broker for. Each raises UserError where the broker is away or refuses."""

    def checkpoint(self) -> str:
        """The newest checkpoint, a signed note."""
        ...

    def fetch(self, path: str) -> bytes:
        """A tile or bundle of leaves; raises LookupError where there is none."""
        ...

    def documents(self) -> list[SignedDocument]:
        """Every signed document that the broker has."""
        ...

    def withdrawal(self, institution_id: str, seq: int, statement_hash: bytes) -> LoggedWithdrawal:
        """The signed statement that a withdrawal's leaf names."""
        ...


class HttpLogLink:
    """A LogLink to the broker at `base_url` (scheme and host), whose session signs what must be signed."""

    def __init__(
        self,
        base_url: str,
        session: SignedSession,
        *,
        ca_file: Path | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._base_url = normalise_base_url(base_url)
        self._session = session
        self._client = httpx.Client(
            timeout=_TIMEOUT,
            follow_redirects=False,
            trust_env=False,
            verify=create_default_context(cafile=ca_file),
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._session.close()

    def checkpoint(self) -> str:
        """GET /log/checkpoint."""
        try:
            return self._read("checkpoint").decode("utf-8")
        except (LookupError, UnicodeDecodeError):
            raise LogRefused("The broker shows no checkpoint of its log.") from None

    def fetch(self, path: str) -> bytes:
        """GET /log/tile/..."""
        return self._read(path)

    def documents(self) -> list[SignedDocument]:
        """GET /v1/documents."""
        listed = self._session.get("/v1/documents", SignedDocuments).documents
        return [SignedDocument(dict(each.document), each.signatures) for each in listed]

    def withdrawal(self, institution_id: str, seq: int, statement_hash: bytes) -> LoggedWithdrawal:
        """GET /v1/log/withdrawals/<institution>/<seq>."""
        path = f"/v1/log/withdrawals/{institution_id}/{seq}"
        return self._session.get(path, LoggedWithdrawal, query={"hash": pack(statement_hash)})

    def _read(self, path: str) -> bytes:
        body = bytearray()
        try:
            with self._client.stream("GET", self._base_url + _PREFIX + path) as answer:
                if answer.status_code == 404:
                    raise LookupError(path)
                if answer.status_code != 200:
                    raise _unreachable(f"it answers {answer.status_code}")
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > _LONGEST:
                        raise LogRefused("What the broker shows of its log is longer than it can be.")
        except httpx.TransportError as error:
            raise _unreachable(
                "it does not answer in time" if isinstance(error, httpx.TimeoutException) else "no connection"
            ) from None
        return bytes(body)


@contextmanager
def open_log_link(
    trust: Trust,
    party_id: str,
    signing_key: SigningKey,
    clock: Clock,
    *,
    ca_file: Path | None = None,
    transport: httpx.BaseTransport | None = None,
) -> Iterator[HttpLogLink]:
    """A link to the broker that the agreement names, closed at the end."""
    link = make_log_link(trust, party_id, signing_key, clock, ca_file=ca_file, transport=transport)
    try:
        yield link
    finally:
        link.close()


def make_log_link(
    trust: Trust,
    party_id: str,
    signing_key: SigningKey,
    clock: Clock,
    *,
    ca_file: Path | None = None,
    transport: httpx.BaseTransport | None = None,
) -> HttpLogLink:
    """A link to the broker that the agreement names, as a holder."""
    broker = trust.agreement.broker
    session = SignedSession(
        broker.address,
        party_id,
        signing_key,
        BROKER,
        broker.key,
        clock,
        timeout=_TIMEOUT,
        attempts=1,
        ca_file=ca_file,
        transport=transport,
    )
    return HttpLogLink(broker.address, session, ca_file=ca_file, transport=transport)


def _unreachable(reason: str) -> UserError:
    return UserError(f"The broker's log cannot be read: {reason}.", ExitCode.UNREACHABLE)
