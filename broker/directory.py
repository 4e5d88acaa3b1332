"""Who is who to the broker: the documents in its database, verified against the agreement pinned in its settings.

The broker asserts nothing itself: whatever it keeps was signed by those whom the pinned agreement names, and is
verified again by everybody who gets it from here.
"""

from __future__ import annotations

import json
import threading

from sqlalchemy import Connection, Engine

from broker.log.append import append
from broker.store import documents
from broker.store.endings import end_all_records
from broker.store.epochs import follow_roster
from policies.documents import SignedDocument
from policies.establish import establish
from policies.log.leaves import agreement_leaf, departure_leaf, epoch_leaf, roster_leaf, suspension_leaf
from policies.trust import Trust
from runtime.database import read_transaction

_LEAVES = {"agreement": agreement_leaf, "epoch": epoch_leaf, "roster": roster_leaf, "suspension": suspension_leaf}


class Directory:
    """What the documents in the database give, verified once and kept until there are more of them."""

    def __init__(self, engine: Engine, pinned_hash: bytes) -> None:
        self._engine = engine
        self._pinned_hash = pinned_hash
        self._lock = threading.Lock()
        self._known: tuple[int, Trust] | None = None

    def trust(self) -> Trust:
        """What everybody who pinned the agreement trusts; raises DocumentRefused where the agreement is missing."""
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

        Raises DocumentRefused for what the pinned agreement does not bear out. One document after another.
        """
        kept = kept_documents(connection, lock=True)
        if documents.has_document(connection, signed.hash):
            return False
        trust = (
            establish(self._pinned_hash, kept).with_document(signed) if kept else Trust.pin(signed, self._pinned_hash)
        )
        documents.add_document(connection, signed.hash, signed.type, json.dumps(signed.to_json()), now)
        if trust.is_ready:
            away = trust.suspended | trust.departed
            members = {name: group for name, group in trust.groups.items() if name not in away}
            follow_roster(connection, trust.epoch_id, trust.kinds, trust.roster.version, members)
        append(connection, _leaf(connection, signed, now))
        return True


def _leaf(connection: Connection, signed: SignedDocument, now: int) -> bytes:
    """The leaf of a document that was accepted; a party that departs has its records ended with that.

    After `follow_roster`, which keeps a submission of the party from being committed meanwhile.
    """
    if signed.type == "departure":
        ended = end_all_records(connection, str(signed.document["party_id"]), now)
        return departure_leaf(signed.document, now, ended)
    return _LEAVES[signed.type](signed.document, now)


def kept_documents(connection: Connection, *, lock: bool = False) -> list[SignedDocument]:
    """Every document in the database."""
    return [SignedDocument.from_json(json.loads(body)) for body in documents.all_documents(connection, lock=lock)]
