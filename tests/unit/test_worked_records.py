"""The worked bytes of tags, records, envelopes, statements, Merkle trees and sealing hold, in both directions."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from crypto import envelopes, hkdf, merkle, records, sealing, second_hpke, statements, tags
from crypto.errors import InvalidEncoding, InvalidEnvelope, InvalidPath, InvalidRecord, InvalidSealed, InvalidStatement
from crypto.signatures import SigningKey, verify
from tests.worked_bytes import unhex, worked

TAGS = worked("tags")
RECORD = worked("record")
SUBMISSION = worked("submission")
HPKE = worked("hpke_xwing")


def worked_record() -> records.Record:
    return records.Record(
        unhex(RECORD["head"]),
        tuple(map(unhex, RECORD["salts"])),
        tuple(map(unhex, RECORD["entries"])),
        unhex(RECORD["envelope"]),
    )


def test_hkdf_is_that_of_a_general_library():
    expanded = HKDFExpand(hashes.SHA512(), 48, b"info").derive(b"k" * 64)
    derived = HKDF(hashes.SHA512(), 64, b"", b"info").derive(b"key")
    assert hkdf.expand(b"k" * 64, b"info", 48) == expanded
    assert hkdf.derive(b"key", b"info", 64) == derived
    with pytest.raises(ValueError, match="1 to 64 bytes"):
        hkdf.expand(b"k", b"", 65)


@pytest.mark.parametrize("case", TAGS["identifiers"], ids=lambda case: f"{case['kind']} {case['value']}")
def test_a_worked_identifier_gives_its_tag_message_and_entry(case):
    y, ctx = unhex(case["y"]), unhex(TAGS["ctx"])
    assert tags.identifier_input(unhex(TAGS["epoch_id"]), case["kind"], case["value"]).hex() == case["input"]
    if "pk" not in case:
        entry = tags.support_entry(case["kind"], y)
        assert not tags.possession_is_valid(entry, ctx)
    else:
        assert tags.derive_possession(y).public_key.hex() == case["pk"]
        assert tags.possession_message(ctx, case["kind"]).hex() == case["message"]
        entry = tags.possession_entry(case["kind"], y, ctx)
        assert tags.possession_is_valid(entry, ctx)
        assert not tags.possession_is_valid(entry, ctx + b"\x00")
    assert entry.encode().hex() == case["entry"]
    assert entry.tag.hex() == case["tag"]
    assert tags.Entry.decode(entry.encode()) == entry
    if "report_desk_entry" in case:
        assert tags.report_desk_entry(case["kind"], y).encode().hex() == case["report_desk_entry"]


def test_entries_are_sorted_as_worked_and_none_may_be_there_twice():
    entries = [tags.Entry.decode(unhex(case["entry"])) for case in TAGS["identifiers"]]
    assert [entry.encode().hex() for entry in tags.sort_entries(entries)] == TAGS["sorted_entries"]
    without_proof = tags.Entry(entries[0].kind, entries[0].tag)
    for twice in ([*entries, entries[0]], [*entries, without_proof], []):
        with pytest.raises(InvalidRecord):
            tags.sort_entries(twice)


def test_the_worked_record_has_its_leaf_and_survives_packing():
    record = worked_record()
    checked = records.check_record(record)
    assert checked.leaf.hex() == RECORD["leaf"] == record.leaf.hex()
    assert records.record_bytes(record.head, checked.envelope_hash).hex() == RECORD["record"]
    assert checked.head.encode() == record.head
    assert checked.head.context.encode().hex() == RECORD["ctx"]
    assert [entry.encode().hex() for entry in checked.entries] == RECORD["entries"]
    assert records.unpack_records(records.pack_records([record, record])) == [record, record]
    assert records.unpack_records(b"") == []


@pytest.mark.parametrize("field", ["head", "salts", "entries"])
def test_a_record_with_one_changed_bit_is_refused(field):
    record = worked_record()
    whole = getattr(record, field)
    if field == "head":
        changed = whole[:-1] + bytes([whole[-1] ^ 1])
    else:
        changed = (*whole[:-1], whole[-1][:-1] + bytes([whole[-1][-1] ^ 1]))
    replaced = {name: getattr(record, name) for name in ("head", "salts", "entries", "envelope")} | {field: changed}
    with pytest.raises(InvalidRecord):
        records.check_record(records.Record(**replaced))


def test_entries_out_of_order_are_refused_even_under_fitting_hashes():
    entries = tuple(reversed([unhex(entry) for entry in RECORD["entries"]]))
    salts = tuple(map(unhex, RECORD["salts"]))
    head = records.Head.decode(unhex(RECORD["head"]))
    hashed = records.Head(head.context, head.sealed_ref, tuple(map(records.entry_hash, salts, entries)))
    with pytest.raises(InvalidRecord, match="sorted"):
        records.check_record(records.Record(hashed.encode(), salts, entries, b""))


def test_the_worked_envelope_is_sealed_byte_for_byte_and_opens():
    ctx, head, overlap = unhex(RECORD["ctx"]), unhex(RECORD["head"]), unhex(RECORD["overlap_secret"])
    recipient = envelopes.recipient_secret(unhex(RECORD["batch_secret"]), ctx)
    assert recipient.hex() == RECORD["recipient_secret"]
    assert envelopes.content_keys(recipient, overlap, ctx).hex() == RECORD["okm"]
    sealed = envelopes.seal_envelope(recipient, overlap, ctx, head, unhex(RECORD["payload"]), RECORD["padded_size"])
    assert sealed.hex() == RECORD["envelope"]
    assert len(sealed) == envelopes.envelope_length(RECORD["padded_size"])
    assert envelopes.open_envelope(recipient, overlap, ctx, head, sealed, 1024).hex() == RECORD["payload"]


def test_an_envelope_opens_under_its_two_secrets_its_head_and_its_size_only():
    ctx, head, sealed = unhex(RECORD["ctx"]), unhex(RECORD["head"]), unhex(RECORD["envelope"])
    recipient, overlap = unhex(RECORD["recipient_secret"]), unhex(RECORD["overlap_secret"])
    wrong = bytes(32)
    for attempt in (
        (wrong, overlap, ctx, head, sealed, 1024),
        (recipient, wrong, ctx, head, sealed, 1024),
        (recipient, overlap, ctx + b"\x00", head, sealed, 1024),
        (recipient, overlap, ctx, head + b"\x00", sealed, 1024),
        (recipient, overlap, ctx, head, sealed, 1000),
        (recipient, overlap, ctx, head, b"\x02" + sealed[1:], 1024),
        (recipient, overlap, ctx, head, sealed[:-1] + bytes([sealed[-1] ^ 1]), 1024),
        (recipient, overlap, ctx, head, sealed[:1] + bytes([sealed[1] ^ 1]) + sealed[2:], 1024),
    ):
        with pytest.raises(InvalidEnvelope):
            envelopes.open_envelope(*attempt)


@pytest.mark.parametrize("plain", [b"\x00\x00\x00\x01ab" + bytes(26), b"\x00\x00\x00\x1d" + bytes(28), b"\xff" * 32])
def test_a_false_length_or_pad_is_refused(plain):
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    recipient, overlap, ctx = b"r" * 32, b"o" * 32, b"ctx"
    okm = envelopes.content_keys(recipient, overlap, ctx)
    sealed = b"\x01" + okm[32:] + ChaCha20Poly1305(okm[:32]).encrypt(bytes(12), plain, b"head")
    with pytest.raises(InvalidEnvelope, match="padding"):
        envelopes.open_envelope(recipient, overlap, ctx, b"head", sealed, 32)


def test_a_payload_too_large_for_the_agreement_is_refused_before_sealing():
    assert envelopes.seal_envelope(b"r" * 32, b"o" * 32, b"c", b"h", bytes(60), 64)
    with pytest.raises(InvalidEnvelope, match="has room for 60"):
        envelopes.seal_envelope(b"r" * 32, b"o" * 32, b"c", b"h", bytes(61), 64)


def test_the_overlap_secret_is_as_worked():
    case = worked("record_secret")
    assert envelopes.overlap_secret(unhex(case["y_r"])).hex() == case["overlap_secret"]
    context = records.Context(
        unhex(case["epoch_id"]), case["institution_id"], unhex(case["handle"]), case["issued_at"], case["expires_at"]
    )
    assert context.encode().hex() == case["ctx"]
    assert records.Context.decode(context.encode()) == context


@pytest.mark.parametrize("case", SUBMISSION["records"], ids=lambda case: case["handle"][:6])
def test_each_worked_record_of_the_submission_leads_to_its_root(case):
    record = unhex(case["record"])
    assert record[-32:].hex() == case["envelope_hash"]
    assert records.leaf(record).hex() == case["leaf"]
    index = merkle.verify_path(unhex(case["leaf"]), unhex(case["path"]), unhex(SUBMISSION["root"]), 7)
    assert SUBMISSION["records"][index] == case
    head = records.Head.decode(record[:-32])
    assert head.entry_hashes == tuple(
        records.entry_hash(unhex(salt), unhex(entry))
        for salt, entry in zip(case["salts"], case["entries"], strict=True)
    )


def test_the_worked_statements_are_signed_byte_for_byte():
    key = SigningKey(unhex(SUBMISSION["signing_seed"]))
    assert key.public_key.hex() == SUBMISSION["public_key"]
    leaves = [unhex(case["leaf"]) for case in SUBMISSION["records"]]
    epoch_id, institution_id = unhex(SUBMISSION["epoch_id"]), SUBMISSION["institution_id"]
    submission = statements.SubmissionStatement(
        epoch_id,
        institution_id,
        SUBMISSION["seq"],
        unhex(SUBMISSION["idempotency_key"]),
        len(leaves),
        merkle.root(leaves),
    )
    worked_withdrawal = SUBMISSION["withdrawal"]
    handles = tuple(sorted(map(unhex, worked_withdrawal["handles"])))
    withdrawal = statements.WithdrawalStatement(epoch_id, institution_id, worked_withdrawal["seq"], handles)
    for statement, case in ((submission, SUBMISSION), (withdrawal, worked_withdrawal)):
        assert statement.encode().hex() == case["statement"]
        assert key.sign(statement.encode()).hex() == case["signature"]
        verify(key.public_key, statement.encode(), unhex(case["signature"]))
        assert type(statement).decode(statement.encode()) == statement


def test_a_statement_in_another_encoding_is_refused():
    good = unhex(SUBMISSION["statement"])
    withdrawal = unhex(SUBMISSION["withdrawal"]["statement"])
    handles = withdrawal[-32:]
    unsorted = withdrawal[:-32] + handles[16:] + handles[:16]
    twice = withdrawal[:-16] + withdrawal[-32:-16]
    for data in (good[:-1], good + b"\x00", withdrawal, good.replace(b"bank-a", b"Bank-a"), b""):
        with pytest.raises(InvalidStatement):
            statements.SubmissionStatement.decode(data)
    for data in (unsorted, twice, withdrawal[:-16], withdrawal[:-36] + bytes(4), good):
        with pytest.raises(InvalidStatement):
            statements.WithdrawalStatement.decode(data)


@pytest.mark.parametrize("tree", worked("merkle")["trees"], ids=lambda tree: f"{tree['size']} leaves")
def test_worked_trees_have_their_roots_and_paths(tree):
    leaves = list(map(unhex, tree["leaves"]))
    assert merkle.root(leaves).hex() == tree["root"]
    assert [path.hex() for path in merkle.paths(leaves)] == tree["paths"]
    for index, leaf in enumerate(leaves):
        assert merkle.path(leaves, index).hex() == tree["paths"][index]
        assert merkle.verify_path(leaf, unhex(tree["paths"][index]), unhex(tree["root"]), tree["size"]) == index


def test_a_path_to_another_place_size_or_root_is_refused():
    leaves = [sha256(bytes([number])).digest() for number in range(6)]
    root, path = merkle.root(leaves), merkle.path(leaves, 4)
    for leaf, encoded, expected, count in (
        (leaves[3], path, root, 6),
        (leaves[4], path, leaves[0], 6),
        (leaves[4], path, root, 7),
        (leaves[4], path[:-32], root, 6),
        (leaves[4], path + leaves[0], root, 6),
        (leaves[4], path[:-1], root, 6),
        (leaves[4][:31], path, root, 6),
        (leaves[4], (6).to_bytes(4, "big") + path[4:], root, 6),
        (leaves[4], b"", root, 6),
    ):
        with pytest.raises(InvalidPath):
            merkle.verify_path(leaf, encoded, expected, count)
    with pytest.raises(InvalidPath):
        merkle.path(leaves, 6)


def worked_sealed() -> sealing.SealedSecret:
    return sealing.SealedSecret(
        HPKE["recipient_id"], unhex(HPKE["key_id"]), unhex(HPKE["enc"]), unhex(HPKE["ciphertext"])
    )


def test_the_worked_batch_secret_opens_and_has_its_ref():
    seed, sealed = unhex(HPKE["recipient_seed"]), worked_sealed()
    assert sealing.recipient_public_key(seed).hex() == HPKE["recipient_key"]
    info = sealing.seal_info(
        unhex(HPKE["epoch_id"]), HPKE["institution_id"], unhex(HPKE["idempotency_key"]), "charity", sealed.key_id
    )
    assert info.hex() == HPKE["info"]
    assert sealing.open_batch_secret(seed, sealed, info).hex() == HPKE["batch_secret"]
    assert sealing.sealed_ref(unhex(HPKE["idempotency_key"]), [sealed]).hex() == HPKE["sealed_ref"]
    for seed_tried, info_tried in ((bytes(32), info), (seed, info + b"\x00")):
        with pytest.raises(InvalidSealed):
            sealing.open_batch_secret(seed_tried, sealed, info_tried)


def test_the_second_implementation_seals_the_worked_bytes_and_agrees_with_the_first():
    second_hpke.self_check()
    sealed = second_hpke.seal(
        unhex(HPKE["recipient_key"]), unhex(HPKE["batch_secret"]), unhex(HPKE["info"]), coins=unhex(HPKE["coins"])
    )
    assert sealed == (unhex(HPKE["enc"]), unhex(HPKE["ciphertext"]))


def test_sealed_ref_ignores_the_order_of_recipients_and_refuses_one_twice():
    sealed, key = worked_sealed(), unhex(HPKE["idempotency_key"])
    other = sealing.SealedSecret("auditor", sealed.key_id, sealed.enc, sealed.ciphertext)
    assert sealing.sealed_ref(key, [sealed, other]) == sealing.sealed_ref(key, [other, sealed])
    for refused in ([], [sealed, sealed]):
        with pytest.raises(InvalidSealed):
            sealing.sealed_ref(key, refused)


def test_sealing_to_what_is_no_key_is_refused():
    for key in (bytes(1215), b"\xff" * 1216):
        with pytest.raises(InvalidSealed):
            sealing.check_recipient_key(key)


@pytest.mark.parametrize("x25519", [bytes(32), bytes([1]) + bytes(31)])
def test_a_key_whose_x25519_half_is_of_small_order_is_refused_before_anything_is_sealed_to_it(x25519: bytes):
    key = sealing.recipient_public_key(bytes(range(32)))[:-32] + x25519
    with pytest.raises(InvalidSealed, match="can be sealed to"):
        sealing.check_recipient_key(key)


def test_values_that_have_no_encoding_are_refused_in_words():
    context = records.Context(bytes(32), "bank-a", bytes(16), 1, 2)
    for changed in ({"epoch_id": b""}, {"institution_id": "Bank"}, {"handle": b"x"}, {"issued_at": 2**64}):
        fields = {name: getattr(context, name) for name in context.__slots__} | changed
        with pytest.raises((InvalidRecord, InvalidEncoding)):
            records.Context(**fields).encode()
    with pytest.raises(InvalidEncoding):
        tags.identifier_input(bytes(32), "phone", "")
