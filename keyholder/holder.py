"""One key holder as its service sees it: identity, database, clock, and what it goes by at the moment.

Every process of the service has one. Knows no HTTP.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from crypto.errors import CryptoError
from crypto.keyfiles import KeyRing
from crypto.signatures import SigningKey
from keyholder.accepted import AcceptedDocuments
from keyholder.keygen_run import Participant
from keyholder.shares import EpochShares, find_shares
from keyholder.standing import Standing
from policies.errors import DocumentRefused
from policies.parties import holder_party_id
from policies.trust import Trust
from runtime.clock import Clock, unix
from runtime.database import read_transaction
from wire.access import Caller


@dataclass(frozen=True)
class State:
    """A standing with the shares of each of its epochs; `revision` is that of the documents behind it."""

    revision: int
    standing: Standing
    shares: Mapping[bytes, EpochShares]

    def epoch(self, epoch_id: bytes) -> Trust | None:
        """What is trusted of an epoch; None where it was never accepted."""
        return self.standing.epoch(epoch_id)


class Holder:
    """Holder `index`: its secrets come from `key_ring`, what others signed from its database."""

    def __init__(self, index: int, key_ring: KeyRing, documents: AcceptedDocuments, clock: Clock) -> None:
        """Raises DocumentRefused where the key file's keys are not those that the agreement names for the index."""
        self.index = index
        self.party_id = holder_party_id(index)
        self.documents = documents
        self.clock = clock
        self._key_ring = key_ring
        try:
            self.participant = Participant.of(documents.standing().agreement, index, key_ring)
        except CryptoError as error:
            raise DocumentRefused(f"This key file does not fit the agreement: {error}.") from None
        self._lock = threading.Lock()
        self._state = State(-1, Standing(documents.pinned), {})

    @property
    def engine(self) -> Engine:
        """The holder's database."""
        return self.documents.engine

    @property
    def signing_key(self) -> SigningKey:
        """The key under which the holder answers."""
        return self.participant.signing_key

    @property
    def now(self) -> int:
        """Unix seconds."""
        return unix(self.clock)

    @property
    def latest(self) -> State:
        """What the last look at the database gave. Every request looks once, when its caller is found (`caller`)."""
        with self._lock:
            return self._state

    def state(self) -> State:
        """What the holder goes by now."""
        with read_transaction(self.engine) as connection:
            return self.state_in(connection)

    def state_in(self, connection: Connection) -> State:
        """As `state`, within a transaction. Shares are looked up and checked anew when documents change."""
        revision, standing = self.documents.standing_in(connection)
        with self._lock:
            if self._state.revision < revision:
                shares = {trust.epoch_id: find_shares(trust, self._key_ring, self.index) for trust in standing.epochs}
                self._state = State(revision, standing, shares)
            return self._state

    def caller(self, party_id: str, key_id_hex: str) -> Caller | None:
        """The party that a request's signature names."""
        return self.state().standing.caller(party_id, key_id_hex, self.now)
