"""One key holder as its service sees it: identity, database, clock, and what it goes by at the moment.

Every process of the service has one; documents that another process accepts are noticed by their number in the
database. Knows no HTTP.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from crypto.errors import CryptoError
from crypto.keyfiles import KeyRing
from crypto.signatures import SigningKey
from keyholder.keygen_run import Participant
from keyholder.shares import EpochShares, find_shares
from keyholder.standing import Standing, document_text, read_document_text
from keyholder.store import documents
from policies.documents import SignedDocument
from policies.errors import DocumentRefused
from policies.parties import holder_party_id
from policies.trust import Trust
from runtime.clock import Clock, unix
from runtime.database import read_transaction, run_in_transaction
from wire.access import Caller

SpendNonce = Callable[[Connection], None]
"""Spends the nonce of the request being answered within the transaction of its effect."""


@dataclass(frozen=True)
class State:
    """A standing with the shares of each of its epochs; `revision` is the number of documents that it was read from."""

    revision: int
    standing: Standing
    shares: Mapping[bytes, EpochShares]

    def epoch(self, epoch_id: bytes) -> Trust | None:
        """What is trusted of an epoch; None where it was never accepted."""
        return self.standing.epoch(epoch_id)


class Holder:
    """Holder `index`: reads its secrets from `key_ring`, everything that others signed from the database."""

    def __init__(self, index: int, key_ring: KeyRing, pinned: Trust, engine: Engine, clock: Clock) -> None:
        """Raises DocumentRefused where the key file's keys are not those that the enrolment names for the index."""
        self.index = index
        self.party_id = holder_party_id(index)
        self.engine = engine
        self.clock = clock
        self._key_ring = key_ring
        self._pinned = pinned
        try:
            self.participant = Participant.of(pinned.enrolment, index, key_ring)
        except CryptoError as error:
            raise DocumentRefused(f"This key file does not fit the enrolment: {error}.") from None
        self._lock = threading.Lock()
        self._state = State(-1, Standing(pinned), {})

    @property
    def signing_key(self) -> SigningKey:
        """The key under which the holder answers."""
        return self.participant.signing_key

    @property
    def now(self) -> int:
        """Unix seconds."""
        return unix(self.clock)

    def state(self) -> State:
        """What the holder goes by now; read anew where a document was accepted meanwhile, here or elsewhere."""
        with read_transaction(self.engine) as connection:
            return self.state_in(connection)

    def state_in(self, connection: Connection) -> State:
        """As `state`, within a transaction."""
        revision = documents.revision(connection)
        with self._lock:
            if self._state.revision != revision:
                self._state = self._read(connection, revision)
            return self._state

    def accept(self, signed: SignedDocument, spend_nonce: SpendNonce | None = None) -> bool:
        """Verify a document against what is held and keep it; False where it is held already.

        Raises DocumentRefused. All replicas see it with their next request.
        """

        def work(connection: Connection) -> bool:
            if spend_nonce is not None:
                spend_nonce(connection)
            documents.lock_documents(connection)
            before = self.state_in(connection).standing
            if before.with_document(signed) is before:
                return False
            documents.add_document(connection, signed.hash, signed.type, document_text(signed), self.now)
            return True

        return run_in_transaction(self.engine, work)

    def caller(self, party_id: str, key_id_hex: str) -> Caller | None:
        """The party that a request's signature names."""
        return self.state().standing.caller(party_id, key_id_hex, self.now)

    def _read(self, connection: Connection, revision: int) -> State:
        bodies = documents.document_bodies(connection)
        standing = Standing(self._pinned).with_documents(map(read_document_text, bodies))
        shares = {trust.epoch_id: find_shares(trust, self._key_ring, self.index) for trust in standing.epochs}
        return State(revision, standing, shares)
