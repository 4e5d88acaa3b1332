"""The charity's encrypted local store: case files, the queue as last seen, verdicts and notes.

SQLite whose rows hold nothing but keyed names and sealed bytes: whoever takes the file learns how many rows it has.
The key comes from the charity's key file. It asks nobody anything.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Column, LargeBinary, MetaData, String, Table, delete, insert, select

from clients.charity.case_file import CaseFile
from crypto.errors import InvalidSealed
from crypto.local_encryption import KEY_LENGTH, open_local, seal_local
from runtime.database import open_engine, read_transaction, run_in_transaction
from runtime.exits import ExitCode, UserError

VERDICTS = ("unreviewed", "pursue", "unclear", "no-concern")

_METADATA = MetaData()
_ROWS = Table(
    "sealed_row",
    _METADATA,
    Column("collection", String(16), primary_key=True),
    Column("name", LargeBinary(16), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)


@dataclass(frozen=True)
class Review:
    """A reviewer's verdict on an alert, one of VERDICTS, with a note; Unix seconds."""

    verdict: str
    note: str = field(repr=False)
    written_at: int


@dataclass(frozen=True)
class QueueEntry:
    """One alert of the queue as the broker last listed it; `is_listed` turns false when the broker lists it no more."""

    alert_id: str
    epoch_id: str
    state: str
    raised_at: int
    changed_at: int
    records: int
    institutions: tuple[str, ...]
    kinds: tuple[str, ...]
    score: int
    is_listed: bool = True


class CharityStore:
    """The store in the SQLite file at `path`, sealed under a 32-byte key; safe under threads and processes."""

    def __init__(self, path: Path, key: bytes) -> None:
        if len(key) != KEY_LENGTH:
            raise UserError("The key `store` in the key file must be 32 bytes long.", ExitCode.KEYS)
        self._sealing = hashlib.blake2b(b"crosslight/v1 store rows", key=key, digest_size=32).digest()
        self._naming = hashlib.blake2b(b"crosslight/v1 store names", key=key, digest_size=32).digest()
        self._engine = open_engine(f"sqlite:///{path}")
        _METADATA.create_all(self._engine)

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def save_case(self, case: CaseFile) -> None:
        """Keep a case file in the place of an earlier one of the same alert."""
        self._put("case", case.alert_id, case.to_json())

    def save_cases(self, cases: list[CaseFile]) -> None:
        """Keep many case files in one transaction."""
        self._put_all("case", {case.alert_id: case.to_json() for case in cases})

    def case(self, alert_id: str) -> CaseFile | None:
        """The case file of an alert, if one was made."""
        found = self._get("case", alert_id)
        return None if found is None else CaseFile.from_json(found)

    def cases(self) -> dict[str, CaseFile]:
        """Every case file by alert id."""
        found = (CaseFile.from_json(document) for document in self._all("case"))
        return {case.alert_id: case for case in found}

    def save_queue(self, entries: list[QueueEntry]) -> None:
        """Keep the queue as it was listed now. What is listed no more stays, marked, if it was opened or reviewed."""
        listed = {entry.alert_id: entry for entry in entries}
        kept = {
            alert_id: QueueEntry(**{**vars(entry), "is_listed": False})
            for alert_id, entry in self.queue().items()
            if alert_id not in listed and (self.case(alert_id) is not None or self.reviews(alert_id))
        }
        documents = {entry.alert_id: asdict(entry) for entry in (*kept.values(), *entries)}
        self._put_all("queue", documents, replace_collection=True)

    def queue(self) -> dict[str, QueueEntry]:
        """The queue by alert id, as it was last kept."""
        found = (
            QueueEntry(
                **{**document, "institutions": tuple(document["institutions"]), "kinds": tuple(document["kinds"])}
            )
            for document in self._all("queue")
        )
        return {entry.alert_id: entry for entry in found}

    def add_review(self, alert_id: str, review: Review) -> None:
        """Add a verdict; earlier ones stay."""
        if review.verdict not in VERDICTS:
            raise UserError(f"A verdict is one of {', '.join(VERDICTS)}.", ExitCode.INPUT_REFUSED)
        history = [*self.reviews(alert_id), review]
        self._put("review", alert_id, {"alert_id": alert_id, "reviews": [asdict(each) for each in history]})

    def reviews(self, alert_id: str) -> list[Review]:
        """The verdicts on an alert, oldest first."""
        found = self._get("review", alert_id)
        return [] if found is None else [Review(**each) for each in found["reviews"]]

    def latest_reviews(self) -> dict[str, Review]:
        """The newest verdict on each alert that has one."""
        return {document["alert_id"]: Review(**document["reviews"][-1]) for document in self._all("review")}

    def add_decision(self, document: dict[str, Any]) -> None:
        """Keep a decision's record; there are as many as decisions, none is ever replaced."""
        self._put("decision", secrets.token_hex(16), document)

    def decisions(self) -> list[dict[str, Any]]:
        """Every decision's record, by the time of its question."""
        return sorted(self._all("decision"), key=lambda document: int(document["at"]))

    def add_event(self, event: str) -> None:
        """Keep what the broker is still to be told for the hour's activity."""
        name = secrets.token_hex(16)
        self._put("event", name, {"name": name, "event": event})

    def events(self) -> dict[str, str]:
        """What the broker is still to be told, by names for `drop_events`."""
        return {document["name"]: document["event"] for document in self._all("event")}

    def drop_events(self, names: Iterable[str]) -> None:
        """Forget events that the broker has been told."""
        self._drop([("event", name) for name in names])

    def save_marks(self, marks: Mapping[str, str]) -> None:
        """Keep how listed alerts stand in the log's activity: "" where it has them, else the sentence of a mark."""
        documents = {alert_id: {"alert_id": alert_id, "mark": mark} for alert_id, mark in marks.items()}
        self._put_all("activity", documents, replace_collection=True)

    def marks(self) -> dict[str, str]:
        """How alerts stand in the log's activity, as last kept; an alert that is too new is not in it."""
        return {document["alert_id"]: document["mark"] for document in self._all("activity")}

    def forget(self, alert_ids: Iterable[str]) -> None:
        """Erase the case files of alerts, and the verdicts and notes on them."""
        self._drop([(collection, alert_id) for alert_id in alert_ids for collection in ("case", "review")])

    def _drop(self, rows: list[tuple[str, str]]) -> None:
        named = [(collection, self._name(collection, name)) for collection, name in rows]

        def write(connection: Any) -> None:
            for collection, name in named:
                connection.execute(delete(_ROWS).where((_ROWS.c.collection == collection) & (_ROWS.c.name == name)))

        run_in_transaction(self._engine, write)

    def _put(self, collection: str, name: str, document: dict[str, Any]) -> None:
        self._put_all(collection, {name: document})

    def _put_all(
        self, collection: str, documents: dict[str, dict[str, Any]], *, replace_collection: bool = False
    ) -> None:
        rows = [self._seal(collection, name, document) for name, document in documents.items()]

        def write(connection: Any) -> None:
            if replace_collection:
                connection.execute(delete(_ROWS).where(_ROWS.c.collection == collection))
            for row in rows:
                same = (_ROWS.c.collection == collection) & (_ROWS.c.name == row["name"])
                connection.execute(delete(_ROWS).where(same))
            if rows:
                connection.execute(insert(_ROWS), rows)

        run_in_transaction(self._engine, write)

    def _get(self, collection: str, name: str) -> Any:
        keyed = self._name(collection, name)
        query = select(_ROWS.c.content).where((_ROWS.c.collection == collection) & (_ROWS.c.name == keyed))
        with read_transaction(self._engine) as connection:
            content = connection.execute(query).scalar_one_or_none()
        return None if content is None else self._open(collection, keyed, content)

    def _all(self, collection: str) -> Iterator[Any]:
        query = select(_ROWS.c.name, _ROWS.c.content).where(_ROWS.c.collection == collection)
        with read_transaction(self._engine) as connection:
            rows = connection.execute(query).all()
        for name, content in rows:
            yield self._open(collection, name, content)

    def _seal(self, collection: str, name: str, document: dict[str, Any]) -> dict[str, Any]:
        keyed = self._name(collection, name)
        plain = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        # Bound to its place, so that rows of the file cannot be swapped.
        content = seal_local(self._sealing, plain, collection.encode("ascii") + b"\x00" + keyed)
        return {"collection": collection, "name": keyed, "content": content}

    def _open(self, collection: str, keyed: bytes, content: bytes) -> Any:
        try:
            return json.loads(open_local(self._sealing, content, collection.encode("ascii") + b"\x00" + keyed))
        except InvalidSealed:
            raise UserError(
                "The local store does not open: it was made under another key file, or has been changed.",
                ExitCode.KEYS,
            ) from None

    def _name(self, collection: str, name: str) -> bytes:
        return hashlib.blake2b(
            collection.encode("ascii") + b"\x00" + name.encode("utf-8"), key=self._naming, digest_size=16
        ).digest()
