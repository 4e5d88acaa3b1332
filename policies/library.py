"""A folder of verified documents: what an institution's, the charity's and an operator's commands trust from.

Files are named by what they hold (agreement-1.json, epoch-7.json, roster-7-2.json ...) beside the pinned hash. All are
verified when they are taken in and again whenever they are read. Services keep documents in their databases instead.
"""

from __future__ import annotations

from pathlib import Path

from policies.agreement.standing import Departure, Suspension
from policies.documents import SignedDocument, read_document_file, write_document_file, write_file
from policies.epoch import Epoch
from policies.errors import DocumentRefused
from policies.establish import establish, in_order, is_news
from policies.roster import Roster
from policies.trust import Trust

FOLDER = "documents"
"""The library's folder within a party's home."""

KEPT = ("agreement", "suspension", "departure", "epoch", "roster")
"""The types of documents that are kept."""

_PIN = "agreement.sha256"
_AGREEMENT = "agreement-1.json"


class DocumentLibrary:
    """The documents in one folder. `expected_hash` (32 bytes), where settings give it, must be what is pinned there."""

    def __init__(self, folder: Path, expected_hash: bytes | None = None) -> None:
        self._folder = folder
        self._expected_hash = expected_hash

    @classmethod
    def of_home(cls, home: Path) -> DocumentLibrary:
        """The library in a party's home folder."""
        return cls(home / FOLDER)

    @property
    def is_pinned(self) -> bool:
        """Whether an agreement has been pinned."""
        return (self._folder / _PIN).exists()

    @property
    def pinned_hash(self) -> bytes:
        """The pinned 32-byte hash; raises DocumentRefused where there is none, or not the one in the settings."""
        path = self._folder / _PIN
        try:
            pinned = bytes.fromhex(path.read_text("ascii").strip())
        except FileNotFoundError:
            raise DocumentRefused(
                f"No agreement is pinned in {self._folder}: compare its hash and run `crosslight agreement pin`."
            ) from None
        except (OSError, ValueError):
            raise DocumentRefused(f"{path} does not hold a hash in hexadecimal.") from None
        if self._expected_hash is not None and pinned != self._expected_hash:
            raise DocumentRefused(
                f"{path} pins {pinned.hex()}, but the settings name {self._expected_hash.hex()}: which is right?"
            )
        return pinned

    def pin(self, signed: SignedDocument, expected_hash: bytes) -> Trust:
        """Pin an agreement whose hash was compared out of band. Another one than is pinned already is refused."""
        trust = Trust.pin(signed, expected_hash)
        if self.is_pinned and self.pinned_hash != expected_hash:
            raise DocumentRefused(f"Another agreement is pinned in {self._folder}: {self.pinned_hash.hex()}.")
        self._folder.mkdir(parents=True, exist_ok=True)
        write_document_file(self._folder / _AGREEMENT, signed)
        # The pin last: a crash before it leaves nothing pinned.
        write_file(self._folder / _PIN, expected_hash.hex() + "\n")
        return trust

    def trust(self) -> Trust:
        """What the folder's documents give; raises DocumentRefused naming what does not hold."""
        return establish(self.pinned_hash, self.documents())

    def documents(self) -> list[SignedDocument]:
        """Every signed document in the folder."""
        return [read_document_file(path) for path in sorted(self._folder.glob("*.json"))]

    def accept(self, signed: SignedDocument) -> Trust:
        """Verify a document against what is held, keep it, and return the trust with it; raises DocumentRefused."""
        before = self.trust()
        after = before.with_document(signed)
        if after is not before:
            write_document_file(self._folder / _file_name(signed, after), signed)
        return after

    def accept_epoch(self, signed: SignedDocument) -> Trust:
        """Accept an epoch document and nothing else."""
        return self._accept_only("epoch", signed)

    def accept_roster(self, signed: SignedDocument) -> Trust:
        """Accept a roster and nothing else."""
        return self._accept_only("roster", signed)

    def _accept_only(self, kind: str, signed: SignedDocument) -> Trust:
        if signed.type != kind:
            raise DocumentRefused(f"This document is of the type {signed.type}, not {kind}.")
        return self.accept(signed)

    def accept_all(self, documents: list[SignedDocument]) -> Trust:
        """Accept what is new among documents that a service listed, in the order that they need.

        Documents of another agreement, and those that a newer epoch has overtaken, are passed over.
        """
        trust = self.trust()
        for signed in in_order(_kept(documents)):
            if _concerns(signed, trust):
                trust = self.accept(signed)
        return trust


def _kept(documents: list[SignedDocument]) -> list[SignedDocument]:
    return [signed for signed in documents if signed.type in KEPT]


def _concerns(signed: SignedDocument, trust: Trust) -> bool:
    """Whether a document is of this agreement, and neither held nor overtaken by one that is."""
    if signed.type == "epoch":
        epoch = trust.current_epoch
        return epoch is None or Epoch.from_document(signed.document).number >= epoch.number
    if signed.type == "roster":
        return trust.current_epoch is not None and Roster.from_document(signed.document).epoch_id == trust.epoch_id
    return is_news(signed, trust)


def _file_name(signed: SignedDocument, trust: Trust) -> str:
    match signed.type:
        case "agreement":
            return f"agreement-{trust.newest_agreement.version}.json"
        case "suspension":
            given = Suspension.from_document(signed.document)
            return f"suspension-{given.party_id}-{given.by}-{given.number}.json"
        case "departure":
            return f"departure-{Departure.from_document(signed.document).party_id}.json"
        case "epoch":
            return f"epoch-{trust.epoch.number}.json"
    return f"roster-{trust.epoch.number}-{trust.roster.version}.json"
