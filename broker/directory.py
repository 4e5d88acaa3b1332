"""Who is who to the broker: the documents in its database, verified against the enrolment pinned in its settings.

The broker asserts nothing itself: whatever it keeps was signed by those whom the pinned enrolment names, and is
verified again by everybody who gets it from here.
"""

from __future__ import annotations

import json
import threading

from sqlalchemy import Connection, Engine

from broker.store import documents
from broker.store.epochs import follow_roster
from policies.documents import SignedDocument
from policies.trust import Trust, establish
from runtime.database import read_transaction


class Directory:
    """What the documents in the database give, verified once and kept until there are more of them."""

    def __init__(self, engine: Engine, pinned_hash: bytes) -> None:
        self._engine = engine
        self._pinned_hash = pinned_hash
        self._lock = threading.Lock()
        self._known: tuple[int, Trust] | None = None

    def trust(self) -> Trust:
        """What everybody who pinned the enrolment trusts; raises DocumentRefused where the enrolment is missing."""
        with read_transaction(self._engine) as connection:
            count = documents.count_documents(connection)
            known = self._known
            if known is not None and known[0] == count:
                return known[1]
            kept = kept_documents(connection)
        trust = establish(self._pinned_hash, kept)
        with self._lock:
            if self._known is None or self._known[0] < len(kept):
                self._known = (len(kept), trust)
        return trust

    def accept(self, connection: Connection, signed: SignedDocument, now: int) -> bool:
        """Verify a document against those that are kept, and keep it; False if it was kept already.

        Raises DocumentRefused for what the pinned enrolment does not bear out. One document after another.
        """
        kept = kept_documents(connection, lock=True)
        if documents.has_document(connection, signed.hash):
            return False
        trust = (
            establish(self._pinned_hash, kept).with_document(signed) if kept else Trust.pin(signed, self._pinned_hash)
        )
        documents.add_document(connection, signed.hash, signed.type, json.dumps(signed.to_json()), now)
        if trust.is_ready:
            follow_roster(connection, trust.epoch_id, trust.kinds, trust.roster.version, trust.groups)
        return True


def kept_documents(connection: Connection, *, lock: bool = False) -> list[SignedDocument]:
    """Every document in the database."""
    return [SignedDocument.from_json(json.loads(body)) for body in documents.all_documents(connection, lock=lock)]
