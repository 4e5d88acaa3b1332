"""The split keys that a folder of vectors was made under, joined again: for worked bytes alone, where both are public.

A real key is never joined. Other files of the folder are recomputed from the identifiers up where documents.json names
the shares; without it their intermediate values are taken as given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crypto import oprf, scalars, shares
from crypto.errors import CryptoError
from crypto.sealing import SealedSecret, sealed_ref
from crypto.tags import Entry, identifier_input, possession_entry, sort_entries, support_entry
from policies.documents import document_hash
from policies.epoch import Epoch
from policies.errors import DocumentRefused


@dataclass(frozen=True, slots=True)
class WorkedKeys:
    """Keys (32 bytes) by family, under one epoch, and which kinds prove possession."""

    epoch_id: bytes
    keys: Mapping[str, bytes]
    possession: Mapping[str, bool]

    def output(self, family: str, message: bytes) -> bytes | None:
        """The OPRF output (64 bytes) of `message` under the family's key; None where the key is not known."""
        if family not in self.keys:
            return None
        element = oprf.hash_inputs([message])
        return oprf.outputs([message], oprf.blind_evaluate(self.keys[family], element))[0]

    def identifier_output(self, epoch_id: bytes, kind: str, value: str) -> bytes | None:
        """The output `y` of an identifier, if it is one of this epoch's."""
        if epoch_id != self.epoch_id:
            return None
        return self.output(kind.split(".")[0], identifier_input(epoch_id, kind, value))

    def entries(self, epoch_id: bytes, ctx: bytes, identifiers: list[tuple[str, str]]) -> list[Entry] | None:
        """The entries of a record, sorted; None where a key is not known."""
        made: list[Entry] = []
        for kind, value in identifiers:
            y = self.identifier_output(epoch_id, kind, value)
            if y is None or kind not in self.possession:
                return None
            made.append(possession_entry(kind, y, ctx) if self.possession[kind] else support_entry(kind, y))
        return sort_entries(made)


def worked_keys(documents: object) -> WorkedKeys | None:
    """The keys behind a parsed documents.json; None where it names none, or shares that do not fit its epoch."""
    try:
        document, named = documents["epoch"]["document"], documents["secrets"]["shares"]  # type: ignore[index]
        epoch = Epoch.from_document(document)
        keys = {
            family: join({int(index): bytes.fromhex(share) for index, share in by_index.items()}, epoch.t_h)
            for family, by_index in named.items()
            if len(by_index) >= epoch.t_h
        }
        for family, by_index in named.items():
            for index, share in by_index.items():
                shares.check_share(bytes.fromhex(share), epoch.families[family], int(index))
    except (KeyError, TypeError, ValueError, AttributeError, CryptoError, DocumentRefused):
        # What is wrong with documents.json is said when that file is checked.
        return None
    possession = {kind: policy.possession for kind, policy in epoch.kinds.items()}
    return WorkedKeys(document_hash(document), keys, possession)


def join(by_index: Mapping[int, bytes], threshold: int) -> bytes:
    """The key that `threshold` of the shares add up to."""
    holder_set = sorted(by_index)[:threshold]
    weighted = b"".join(shares.weighted_key(by_index[index], index, holder_set) for index in holder_set)
    return scalars.total(weighted)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a file's check may take from the other files of its folder: keys and the sealed batch secret, if there."""

    keys: WorkedKeys | None = None
    idempotency_key: bytes = b""
    sealed: SealedSecret | None = None

    def record_output(self, epoch_id: bytes, ctx: bytes) -> bytes | None:
        """The output `y_r` for the context, where it is one of the known epoch."""
        if self.keys is None or self.keys.epoch_id != epoch_id:
            return None
        return self.keys.output("record", ctx)

    def sealed_ref(self, idempotency_key: bytes, named: bytes) -> bytes | None:
        """The sealed_ref of a submission that is the sealed secret's by its key or by the ref that it names."""
        if self.sealed is None:
            return None
        if self.idempotency_key != idempotency_key and sealed_ref(self.idempotency_key, [self.sealed]) != named:
            return None
        return sealed_ref(idempotency_key, [self.sealed])


def surroundings(documents: object, hpke: object) -> Surroundings:
    """What parsed documents.json and hpke_xwing.json (None where missing) give to the other files."""
    keys = worked_keys(documents)
    try:
        enc, ciphertext = bytes.fromhex(hpke["enc"]), bytes.fromhex(hpke["ciphertext"])  # type: ignore[index]
        sealed = SealedSecret(hpke["recipient_id"], bytes.fromhex(hpke["key_id"]), enc, ciphertext)  # type: ignore[index]
        idempotency_key = bytes.fromhex(hpke["idempotency_key"])  # type: ignore[index]
        sealed_ref(idempotency_key, [sealed])
    except (KeyError, TypeError, ValueError, AttributeError, CryptoError):
        return Surroundings(keys)
    return Surroundings(keys, idempotency_key, sealed)
