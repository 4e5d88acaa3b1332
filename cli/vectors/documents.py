"""Recomputes documents.json: canonical bytes, hashes and signatures of an epoch document and a roster.

Protocol section 1. The secrets in that file are made up for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from cli.vectors.keys import Surroundings
from cli.vectors.report import Node
from crypto import sealing, shares
from crypto.signatures import SigningKey
from policies.documents import Document, SignedDocument, canonical, document_hash, sign_document, verify_signatures
from policies.epoch import Epoch
from policies.roster import Roster
from wire.packed import pack


def check_documents(file: Node, around: Surroundings) -> None:
    """Both documents, and the secrets that the other files are made from."""
    signing_keys = {
        party: SigningKey(seed.octets()) for party, seed in file["secrets"]["ed25519_seeds"].members().items()
    }
    epoch_node, roster_node = file["epoch"], file["roster"]
    with epoch_node.guard():
        epoch = Epoch.from_document(_document(epoch_node))
        epoch_node["document"].equals(epoch.to_document())
        _check_signed(epoch_node, "epoch_id", signing_keys)
        _check_shares(file, epoch)
        for holder in epoch.holders:
            _check_key(epoch_node, f"holder{holder.index}", holder.key, signing_keys)
    with roster_node.guard():
        roster = Roster.from_document(_document(roster_node))
        roster_node["document"].equals(roster.to_document())
        _check_signed(roster_node, "roster_hash", signing_keys)
        for party, key in roster.keys.items():
            _check_key(roster_node, party, key, signing_keys)
        _check_recipients(file, roster)
        file.report.compare("roster.document.epoch_id", pack(roster.epoch_id), _packed_hash(epoch_node))


def _check_signed(node: Node, hash_field: str, signing_keys: Mapping[str, SigningKey]) -> None:
    document = _document(node)
    node["canonical"].equals(canonical(document))
    node[hash_field].equals(document_hash(document))
    signatures = node["signatures"].members()
    for party, signature in signatures.items():
        if party not in signing_keys:
            node.report.differ(signature.path, "has no signing key among the secrets")
            continue
        signature.equals(sign_document(document, party, signing_keys[party]).signatures[party])
    found = SignedDocument(document, {party: signature.octets() for party, signature in signatures.items()})
    public_keys = {party: key.public_key for party, key in signing_keys.items()}
    node.report.compare(node["signatures"].path, sorted(verify_signatures(found, public_keys)), sorted(signatures))


def _check_key(node: Node, party: str, key: bytes, signing_keys: Mapping[str, SigningKey]) -> None:
    """The document names the public half of the party's seed, where the file has that seed."""
    if party in signing_keys:
        node.report.compare(f"{node.path}.document, key of {party}", pack(key), pack(signing_keys[party].public_key))


def _check_shares(file: Node, epoch: Epoch) -> None:
    for family, by_index in file["secrets"]["shares"].members().items():
        for index, share in by_index.members().items():
            with share.guard():
                file.report.checked += 1
                shares.check_share(share.octets(), epoch.families[family], int(index))


def _check_recipients(file: Node, roster: Roster) -> None:
    computed = sealing.recipient_public_key(file["secrets"]["recipient_seed"].octets())
    keys = [pack(recipient.key) for recipient in roster.recipients]
    file.report.compare("secrets.recipient_seed", pack(computed) in keys, True)


def _document(node: Node) -> Document:
    document = node["document"]
    return {name: member.value for name, member in document.members().items()}


def _packed_hash(node: Node) -> str:
    return pack(document_hash(_document(node)))
