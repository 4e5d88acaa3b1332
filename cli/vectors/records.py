"""Recomputes tags.json, record.json, hpke_xwing.json and submission.json, from the identifiers up where keys are known.

Protocol sections 2, 4 and 5.
"""

from __future__ import annotations

import json

import rfc8785

from cli.vectors.keys import Surroundings, WorkedKeys
from cli.vectors.report import Node
from crypto import envelopes, merkle, records, sealing, second_hpke, statements, tags
from crypto.signatures import SigningKey, key_id, verify


def check_tags(file: Node, around: Surroundings) -> None:
    """Each identifier's way from its input to its entry, and the order of all entries."""
    epoch_id, ctx = file["epoch_id"].octets(), file["ctx"].octets()
    file["ctx"].equals(records.Context.decode(ctx).encode())
    for case in file["identifiers"].each():
        with case.guard():
            _check_identifier(case, epoch_id, ctx, around.keys)
    entries = [tags.Entry.decode(case["entry"].octets()) for case in file["identifiers"].each()]
    file["sorted_entries"].equals([entry.encode() for entry in tags.sort_entries(entries)])


def _check_identifier(case: Node, epoch_id: bytes, ctx: bytes, keys: WorkedKeys | None) -> None:
    kind, value, y = case["kind"].text(), case["value"].text(), case["y"].octets()
    case["input"].equals(tags.identifier_input(epoch_id, kind, value))
    known = keys.identifier_output(epoch_id, kind, value) if keys is not None else None
    if known is not None:
        case["y"].equals(known)
    if case.get("pk") is None:
        entry = tags.support_entry(kind, y)
    else:
        key = tags.derive_possession(y)
        case["pk"].equals(key.public_key)
        case.report.compare(f"{case.path}.seed", SigningKey(case["seed"].octets()).public_key, key.public_key)
        case["message"].equals(tags.possession_message(ctx, kind))
        entry = tags.possession_entry(kind, y, ctx)
    case["tag"].equals(entry.tag)
    case["entry"].equals(entry.encode())
    if (desk := case.get("report_desk_entry")) is not None:
        desk.equals(tags.report_desk_entry(kind, y).encode())


def check_hpke_xwing(file: Node, around: Surroundings) -> None:
    """The recipient's key, what is sealed to it, opened by both implementations, and the sealed bytes themselves."""
    seed, secret = file["recipient_seed"].octets(), file["batch_secret"].octets()
    public_key = sealing.recipient_public_key(seed)
    file["recipient_key"].equals(public_key)
    file["key_id"].equals(key_id(public_key))
    file["kem_id"].equals(sealing.KEM_ID)
    idempotency_key, recipient_id = file["idempotency_key"].octets(), file["recipient_id"].text()
    institution_id, epoch_id = file["institution_id"].text(), file["epoch_id"].octets()
    info = sealing.seal_info(epoch_id, institution_id, idempotency_key, recipient_id, key_id(public_key))
    file["info"].equals(info)
    sealed = sealing.SealedSecret(recipient_id, key_id(public_key), file["enc"].octets(), file["ciphertext"].octets())
    file["sealed_ref"].equals(sealing.sealed_ref(idempotency_key, [sealed]))
    if second_hpke.available():
        enc, ciphertext = second_hpke.seal(public_key, secret, info, coins=file["coins"].octets())
        file["enc"].equals(enc)
        file["ciphertext"].equals(ciphertext)
        with file["ciphertext"].guard():
            file["batch_secret"].equals(second_hpke.unseal(seed, sealed.enc, sealed.ciphertext, info))
    with file["ciphertext"].guard():
        file["batch_secret"].equals(sealing.open_batch_secret(seed, sealed, info))


def check_record(file: Node, around: Surroundings) -> None:
    """One record from its identifiers to its leaf, and its envelope in both directions."""
    ctx = file["ctx"].octets()
    context = records.Context.decode(ctx)
    file["ctx"].equals(context.encode())
    file["institution_id"].equals(context.institution_id)
    entries = _check_entries(file, context, around.keys)
    hashes = tuple(map(records.entry_hash, file["salts"].octets_each(), entries))
    file["entry_hashes"].equals(hashes)
    head = records.Head(context, file["sealed_ref"].octets(), hashes).encode()
    file["head"].equals(head)
    _check_sealed_ref(file, around)
    if (y_r := around.record_output(context.epoch_id, ctx)) is not None:
        file["overlap_secret"].equals(envelopes.overlap_secret(y_r))
    with file.guard():
        _check_envelope(file, ctx, head)
    record = records.record_bytes(head, records.Record(head, (), (), file["envelope"].octets()).envelope_hash)
    file["record"].equals(record)
    file["leaf"].equals(records.leaf(record))


def _check_sealed_ref(file: Node, around: Surroundings) -> None:
    computed = around.sealed_ref(file["idempotency_key"].octets(), file["sealed_ref"].octets())
    if computed is not None:
        file["sealed_ref"].equals(computed)


def _check_entries(node: Node, context: records.Context, keys: WorkedKeys | None) -> list[bytes]:
    """The encoded entries of a record: recomputed where keys are known, else checked for order and possession."""
    ctx = context.encode()
    found = node["entries"].octets_each()
    identifiers = [(item["kind"].text(), item["value"].text()) for item in node["identifiers"].each()]
    made = keys.entries(context.epoch_id, ctx, identifiers) if keys is not None else None
    if made is not None:
        node["entries"].equals([entry.encode() for entry in made])
        return found
    decoded = [tags.Entry.decode(entry) for entry in found]
    tags.check_order(decoded)
    for entry, item in zip(decoded, node["entries"].each(), strict=True):
        holds = entry.possession is None or tags.possession_is_valid(entry, ctx)
        node.report.compare(item.path, holds, True)
    node.report.compare(
        f"{node.path}.identifiers".lstrip("."), sorted(kind for kind, _ in identifiers), _kinds(decoded)
    )
    return found


def _kinds(entries: list[tags.Entry]) -> list[str]:
    return [entry.kind for entry in entries]


def _check_envelope(file: Node, ctx: bytes, head: bytes) -> None:
    overlap, padded_size = file["overlap_secret"].octets(), file["padded_size"].number()
    recipient = envelopes.recipient_secret(file["batch_secret"].octets(), ctx)
    file["recipient_secret"].equals(recipient)
    file["okm"].equals(envelopes.content_keys(recipient, overlap, ctx))
    payload = file["payload"].octets()
    file["payload"].equals(rfc8785.dumps(json.loads(payload)))
    sealed = envelopes.seal_envelope(recipient, overlap, ctx, head, payload, padded_size)
    file["envelope"].equals(sealed)
    envelope = file["envelope"].octets()
    file["payload"].equals(envelopes.open_envelope(recipient, overlap, ctx, head, envelope, padded_size))


def check_submission(file: Node, around: Surroundings) -> None:
    """Each record, the root and paths over them, the statement and the withdrawal with their signatures."""
    key = SigningKey(file["signing_seed"].octets())
    file["public_key"].equals(key.public_key)
    for case in file["records"].each():
        with case.guard():
            _check_submitted(file, case, around.keys)
    _check_sealed_ref(file, around)
    leaves = [case["leaf"].octets() for case in file["records"].each()]
    root = merkle.root(leaves)
    file["root"].equals(root)
    for case, path in zip(file["records"].each(), merkle.paths(leaves), strict=True):
        case["path"].equals(path)
    epoch_id, institution_id = file["epoch_id"].octets(), file["institution_id"].text()
    idempotency_key = file["idempotency_key"].octets()
    submission = statements.SubmissionStatement(
        epoch_id, institution_id, file["seq"].number(), idempotency_key, len(leaves), root
    )
    _check_statement(file, key, submission.encode())
    withdrawal = file["withdrawal"]
    handles = tuple(sorted(withdrawal["handles"].octets_each()))
    statement = statements.WithdrawalStatement(epoch_id, institution_id, withdrawal["seq"].number(), handles)
    _check_statement(withdrawal, key, statement.encode())


def _check_submitted(file: Node, case: Node, keys: WorkedKeys | None) -> None:
    context = records.Context.decode(case["ctx"].octets())
    case["ctx"].equals(context.encode())
    case["handle"].equals(context.handle)
    case.report.compare(f"{case.path}.ctx", context.institution_id, file["institution_id"].text())
    case.report.compare(f"{case.path}.ctx", context.epoch_id.hex(), file["epoch_id"].text())
    entries = _check_entries(case, context, keys)
    hashes = tuple(map(records.entry_hash, case["salts"].octets_each(), entries))
    head = records.Head(context, file["sealed_ref"].octets(), hashes).encode()
    record = records.record_bytes(head, case["envelope_hash"].octets())
    case["record"].equals(record)
    case["leaf"].equals(records.leaf(record))


def _check_statement(node: Node, key: SigningKey, encoded: bytes) -> None:
    node["statement"].equals(encoded)
    node["signature"].equals(key.sign(encoded))
    with node.guard():
        verify(key.public_key, node["statement"].octets(), node["signature"].octets())
