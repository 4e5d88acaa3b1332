"""A party's home folder as the document commands use it: key file, card, documents, and what was signed before.

Opens the key file only to sign. Knows nothing of what any service keeps in the same folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from crypto.keyfiles import KeyRing, read_key_file, write_key_file
from crypto.signatures import SigningKey
from policies.documents import Document, SignedDocument, document_hash, read_json_file, sign_document, write_json_file
from policies.errors import DocumentRefused
from policies.library import DocumentLibrary
from policies.party_keys import CARD_FILE, KEY_FILE, Card, PartyKeys, read_card_file
from runtime.exits import ExitCode, UserError

SIGNED_FILE = "signed.json"

RETIRED = "signing.retired."
"""Begins the names of earlier signing keys: the agreement names one until an amendment names the key that followed."""

Passphrase = Callable[[], str]
"""Gives the key file's passphrase, asking for it only when called."""


@dataclass(frozen=True)
class PartyHome:
    """The folder of one party."""

    path: Path

    @property
    def key_file(self) -> Path:
        """Where the secrets are."""
        return self.path / KEY_FILE

    @cached_property
    def card(self) -> Card:
        """The party's own card; raises DocumentRefused where there is none."""
        return read_card_file(self.path / CARD_FILE)

    @property
    def library(self) -> DocumentLibrary:
        """The party's documents."""
        return DocumentLibrary.of_home(self.path)

    def create(self, party: PartyKeys, passphrase: str) -> None:
        """Write a new party's key file and card; raises UserError where there is a key file already."""
        if self.key_file.exists():
            raise UserError(f"{self.key_file} is there already and is never overwritten.", ExitCode.KEYS)
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_key_file(self.key_file, party.secrets, passphrase)
        write_json_file(self.path / CARD_FILE, party.card.to_document())

    def key_ring(self, passphrase: Passphrase) -> KeyRing:
        """The secrets; raises UserError where the key file is not that of the card."""
        ring = read_key_file(self.key_file, passphrase())
        if SigningKey(ring["signing"]).public_key != self.card.signing_key:
            raise UserError(f"{self.key_file} and {CARD_FILE} beside it hold different signing keys.", ExitCode.KEYS)
        return ring

    def keep_secret(self, name: str, secret: bytes, ring: KeyRing, passphrase: str) -> None:
        """Add a secret to the key file whose `ring` was just read; raises UserError where the name is taken."""
        if name in ring:
            raise UserError(f"{self.key_file} already holds a key named {name}.", ExitCode.KEYS)
        write_key_file(self.key_file, ring.with_secrets({name: secret}), passphrase)

    def sign(self, signed: SignedDocument, place: str, ring: KeyRing, under: bytes | None = None) -> SignedDocument:
        """Add the party's signature, and remember what was signed in `place` ("epoch 1", "roster 2 of ...").

        `under` is the public key (32 bytes) that the signature must hold under, where that may be an earlier one of
        the party. Raises DocumentRefused if another document was signed in the same place before: two such documents
        would be a fork that this party is answerable for.
        """
        key = SigningKey(ring["signing"]) if under is None else self._key_under(under, ring)
        self._remember(place, document_hash(signed.document).hex())
        return sign_document(signed, self.card.party_id, key)

    def sign_freely(self, document: Document, ring: KeyRing) -> SignedDocument:
        """A document of the party's own with its signature, where no place can be taken twice."""
        return sign_document(document, self.card.party_id, SigningKey(ring["signing"]))

    def _key_under(self, public_key: bytes, ring: KeyRing) -> SigningKey:
        names = [name for name in ring if name == "signing" or name.startswith(RETIRED)]
        for key in (SigningKey(ring[name]) for name in names):
            if key.public_key == public_key:
                return key
        raise DocumentRefused(
            f"{self.key_file} does not hold the key under which the agreement names {self.card.party_id}."
        )

    def _remember(self, place: str, document: str) -> None:
        path = self.path / SIGNED_FILE
        before = read_json_file(path) if path.exists() else {}
        if not isinstance(before, dict):
            raise DocumentRefused(f"{path} is no list of what was signed.")
        if before.get(place, document) != document:
            raise DocumentRefused(
                f"Another document was signed here as {place}: {before[place]}. Never sign two; if the first was given "
                f"to nobody, take its line out of {path}."
            )
        write_json_file(path, {**before, place: document})
