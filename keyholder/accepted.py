"""The documents that a holder has accepted, in its database: read once, and again when another process accepted one.

Verifies by `Standing` before it keeps anything. Knows no key and no share.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from sqlalchemy import Connection, Engine

from keyholder.standing import Standing, document_text, read_document_text
from keyholder.store import documents
from policies.documents import SignedDocument
from policies.trust import Trust
from runtime.database import read_transaction, run_in_transaction

SpendNonce = Callable[[Connection], None]
"""Spends the nonce of the request being answered, within the transaction of its effect."""


class AcceptedDocuments:
    """What is held under the pinned agreement, in the database of `engine`."""

    def __init__(self, engine: Engine, pinned: Trust) -> None:
        self.engine = engine
        self.pinned = pinned
        self._lock = threading.Lock()
        self._read = (-1, Standing(pinned))

    def standing(self) -> Standing:
        """What is held now."""
        with read_transaction(self.engine) as connection:
            return self.standing_in(connection)[1]

    def standing_in(self, connection: Connection) -> tuple[int, Standing]:
        """What is held now, and its revision: a number that changes whenever a document is accepted."""
        revision = documents.revision(connection)
        with self._lock:
            # Higher alone: a thread that looked earlier must not bring back what it saw then.
            if self._read[0] < revision:
                texts = documents.document_bodies(connection)
                self._read = (revision, Standing(self.pinned).with_documents(map(read_document_text, texts)))
            return self._read

    def accept(self, signed: SignedDocument, now: int, spend_nonce: SpendNonce | None = None) -> bool:
        """Verify a document against what is held and keep it; False where it is held already.

        Raises DocumentRefused. Every process and replica goes by it from its next request on.
        """

        def work(connection: Connection) -> bool:
            if spend_nonce is not None:
                spend_nonce(connection)
            documents.lock_documents(connection)
            _, before = self.standing_in(connection)
            if before.with_document(signed) is before:
                return False
            documents.add_document(connection, signed.hash, signed.type, document_text(signed), now)
            return True

        return run_in_transaction(self.engine, work)
