"""Signed documents: the worked bytes, and everything that is no document."""

from __future__ import annotations

import copy

import pytest

from crypto.signatures import SigningKey
from policies.agreement.document import Agreement
from policies.documents import (
    SignedDocument,
    canonical,
    document_hash,
    read_document_file,
    sign_document,
    signed_bytes,
    verify_signatures,
    write_document_file,
)
from policies.epoch import Epoch
from policies.errors import DocumentRefused
from policies.roster import Roster
from tests.agreement_world import example_terms, make_world
from tests.worked_bytes import worked

VECTORS = worked("documents")
CASES = [("epoch", Epoch, "epoch_id"), ("roster", Roster, "roster_hash")]


@pytest.mark.parametrize(("name", "kind", "hash_field"), CASES)
def test_the_worked_document_has_its_bytes_hash_and_signatures(name, kind, hash_field):
    vector = VECTORS[name]
    document = vector["document"]
    assert canonical(document).hex() == vector["canonical"]
    assert document_hash(document).hex() == vector[hash_field]
    assert signed_bytes(document) == f"crosslight/v1 {name}\0".encode() + bytes.fromhex(vector["canonical"])
    keys = {party: SigningKey(bytes.fromhex(seed)) for party, seed in VECTORS["secrets"]["ed25519_seeds"].items()}
    signed = SignedDocument(document, {party: bytes.fromhex(s) for party, s in vector["signatures"].items()})
    assert verify_signatures(signed, {party: key.public_key for party, key in keys.items()}) == set(
        vector["signatures"]
    )
    for party, signature in vector["signatures"].items():
        assert sign_document(document, party, keys[party]).signatures[party].hex() == signature


@pytest.mark.parametrize(("name", "kind", "hash_field"), CASES)
def test_the_worked_document_reads_and_writes_without_loss(name, kind, hash_field):
    document = VECTORS[name]["document"]
    read = kind.from_document(document)
    assert read.to_document() == document
    assert getattr(read, "hash" if name == "roster" else "epoch_id").hex() == VECTORS[name][hash_field]


def test_an_agreement_reads_and_writes_without_loss():
    document = make_world().agreement.document
    assert Agreement.from_document(document).to_document() == document


def test_a_signature_under_another_key_or_of_another_document_does_not_count():
    document = VECTORS["epoch"]["document"]
    key, other = SigningKey(b"1" * 32), SigningKey(b"2" * 32)
    signed = sign_document(document, "bank-a", key)
    assert verify_signatures(signed, {"bank-a": key.public_key}) == {"bank-a"}
    assert verify_signatures(signed, {"bank-a": other.public_key}) == set()
    assert verify_signatures(signed, {"bank-b": key.public_key}) == set()
    changed = SignedDocument({**document, "number": 8}, signed.signatures)
    assert verify_signatures(changed, {"bank-a": key.public_key}) == set()


def test_one_document_type_is_never_signed_as_another():
    document = {"type": "crosslight/v1 epoch", "a": 1}
    assert document_hash(document) != document_hash({**document, "type": "crosslight/v1 roster"})
    with pytest.raises(DocumentRefused, match="no known type"):
        document_hash({"type": "crosslight/v1 possession"})


@pytest.mark.parametrize(
    "value",
    [1.5, None, -1, 2**53, "e\u0301", "\ud800", {1: 2}, b"bytes", {"deep": [{"er": 0.0}]}],
    ids=["fraction", "null", "negative", "too large", "not NFC", "surrogate", "number as key", "bytes", "nested"],
)
def test_what_documents_may_not_hold_is_refused(value):
    with pytest.raises(DocumentRefused):
        canonical({"type": "crosslight/v1 epoch", "value": value})


@pytest.mark.parametrize(
    "text",
    [
        '{"document": {"type": "crosslight/v1 epoch", "a": 1, "a": 2}, "signatures": {}}',
        '{"document": {"type": "crosslight/v1 epoch", "a": 1.0}, "signatures": {}}',
        '{"document": {"type": "crosslight/v1 epoch"}, "signatures": {"bank-a": "AAAA"}}',
        '{"document": {"type": "crosslight/v1 epoch"}, "signatures": {"Bank A": "AAAA"}}',
        '{"document": {"type": "crosslight/v1 epoch"}, "signatures": {}, "more": 1}',
        '{"document": {"type": "crosslight/v1 epoch"}}',
        '{"document": [], "signatures": {}}',
        '["document"]',
        "not json",
        "",
    ],
)
def test_a_file_that_is_no_signed_document_is_refused(tmp_path, text):
    path = tmp_path / "document.json"
    path.write_text(text)
    with pytest.raises(DocumentRefused):
        read_document_file(path)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    with pytest.raises(DocumentRefused, match="cannot be read"):
        read_document_file(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(DocumentRefused, match="UTF-8"):
        read_document_file(tmp_path / "bytes.json")


def test_a_signed_document_survives_its_file(tmp_path):
    signed = make_world().epoch
    write_document_file(tmp_path / "epoch.json", signed)
    assert read_document_file(tmp_path / "epoch.json") == signed


def test_merging_brings_signatures_together_and_refuses_another_document():
    world = make_world()
    first = world.sign(world.epoch.document, "bank-a")
    second = world.sign(world.epoch.document, "bank-b")
    assert set(first.merged(second).signatures) == {"bank-a", "bank-b"}
    with pytest.raises(DocumentRefused, match="hashes differ"):
        first.merged(world.roster)


def changed(document, path, value):
    result = copy.deepcopy(document)
    place = result
    for step in path[:-1]:
        place = place[step]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return result


EPOCH_FAULTS = [
    (("t_h",), True, "t_h must be a whole number"),
    (("t_h",), "2", "t_h must be a whole number"),
    (("t_h",), 0, "t_h must be a whole number"),
    (("t_h",), 4, "There are 3 key holders, but 4"),
    (("number",), KeyError, "number is missing"),
    (("extra",), 1, "extra is a field that does not belong there"),
    (("not_after",), 5, "ends before it begins"),
    (("kinds", "phone", "possession"), 1, "must be true or false"),
    (("kinds", "record.name"), {"weight": 1, "cap": 1, "possession": True, "normalisation": 1}, "record secrets"),
    (("kinds", ".name"), {"weight": 1, "cap": 1, "possession": True, "normalisation": 1}, "no key family"),
    (("kinds", "Phone"), {"weight": 1, "cap": 1, "possession": True, "normalisation": 1}, "a key that is not"),
    (("kinds",), {}, "no kind at all"),
    (("opening_rule", "t"), 1, "opening_rule.t must be"),
    (("opening_rule", "alone"), ["employer.name"], "does not prove possession"),
    (("opening_rule", "alone"), ["passport"], "none of the kinds"),
    (("opening_rule", "alone"), ["phone", "phone"], "stands twice"),
    (("families", "passport"), [], "families.passport must be a list"),
    (("families", "email"), KeyError, "email has no commitments"),
    (("families", "record"), KeyError, "record has no commitments"),
    (("families", "phone", 1), "A" * 43, "families.phone.1 is not a canonical group element"),
    (("families", "phone", 1), "fGkNiSINcl8zcCOJDxGsGDkwvO9KNRt2JGVB61vlwk9", "base64url"),
    (("holders", 0, "key"), "A" * 43, "is no signing key"),
    (("holders", 0, "index"), 2, "numbered 1, 2, 3"),
    (("holders", 0, "group_id"), "", "group_id must be"),
    (("policy_hash",), "AAAA", "32 bytes"),
]


@pytest.mark.parametrize(("path", "value", "sentence"), EPOCH_FAULTS)
def test_an_epoch_document_that_is_not_well_formed_is_refused_in_one_sentence(path, value, sentence):
    with pytest.raises(DocumentRefused, match=sentence) as refused:
        Epoch.from_document(changed(VECTORS["epoch"]["document"], path, value))
    assert refused.value.reason.endswith(".")


def test_families_must_have_t_h_commitments_and_keys_of_their_own():
    document = VECTORS["epoch"]["document"]
    short = changed(document, ("families", "phone"), document["families"]["phone"][:1])
    with pytest.raises(DocumentRefused, match="1 commitments instead of t_h = 2"):
        Epoch.from_document(short)
    shared = changed(document, ("families", "phone", 0), document["families"]["email"][0])
    with pytest.raises(DocumentRefused, match="share one key"):
        Epoch.from_document(shared)
    unused = changed(document, ("families", "passport"), document["families"]["phone"])
    with pytest.raises(DocumentRefused, match="passport, which no kind uses"):
        Epoch.from_document(unused)


ROSTER_FAULTS = [
    (("version",), 0, "version must be"),
    (("members",), [], "members must be a list"),
    (("members", 0, "role"), "spy", "must be one of"),
    (("members", 0, "institution_id"), "bank-b", "Two parties have the id bank-b"),
    (("members", 0, "institution_id"), "charity", "Two parties have the id charity"),
    (("members", 0, "institution_id"), "broker", "kept for the broker"),
    (("members", 0, "institution_id"), "holder1", "kept for the broker"),
    (("members", 0, "signing_key"), "1IE1FcqRTfpB277dvta-3VuKHNOwlZze4Sd1TjCybLY", "same signing key"),
    (("members", 0, "budgets", "phone"), -1, "members.0.budgets.phone must be"),
    (("recipients", 0, "key_id"), "AAAAAAAAAAA", "is not that of its key"),
    (("recipients", 0, "key"), "AAAA", "1216 bytes"),
]


@pytest.mark.parametrize(("path", "value", "sentence"), ROSTER_FAULTS)
def test_a_roster_that_is_not_well_formed_is_refused_in_one_sentence(path, value, sentence):
    with pytest.raises(DocumentRefused, match=sentence):
        Roster.from_document(changed(VECTORS["roster"]["document"], path, value))


AGREEMENT_FAULTS = [
    (("version",), 0, "version must be"),
    (("version",), 2, "Version 1 of an agreement, and it alone"),
    (("previous",), "A" * 43, "Version 1 of an agreement, and it alone"),
    (("end",), 5, "ends before it begins"),
    (("member_quorum",), 9, "can never sign"),
    (("parties", "holders", 0, "group_id"), "group-a", "bank-a is in the same group as holder1"),
    (("parties", "holders", 0, "address"), "https://holder.example/path", "without a path"),
    (("parties", "holders", 0, "address"), "ftp://holder.example", "scheme and a host"),
    (("parties", "holders", 0, "address"), "https://user@holder.example", "scheme and a host"),
    (("parties", "holders", 0, "address"), "https://holder.example:port", "scheme and a host"),
    (("parties", "holders", 0, "index"), 3, "numbered 1, 2, 3"),
    (("parties", "members", 0, "declared", "record"), 5, "record, which no kind uses"),
    (("parties", "members", 0, "modes"), ["spy"], "modes.0 must be one of"),
    (("parties", "members", 0, "institution_id"), "regulator", "Two parties have the id regulator"),
    (("parties", "recipients", 0, "purposes"), ["profit"], "none of the agreement's purposes"),
    (("t_h",), 9, "9 must evaluate together"),
    (("fields", "bank"), ["note", "note"], "stands twice"),
    (("fields", "spy"), ["note"], "fields.spy is no role"),
    (("identifier_spaces", "shoe-size"), 50, "none of the kinds"),
    (("gates",), [{"role": "bank", "any_of": ["cash"]}], "which a bank may not send"),
    (("witnesses", "quorum"), 9, "can never cosign"),
    (("witnesses", "parties"), ["broker"], "cannot witness"),
    (("surprise",), 1, "does not belong there"),
]


@pytest.mark.parametrize(("path", "value", "sentence"), AGREEMENT_FAULTS)
def test_an_agreement_that_is_not_well_formed_is_refused_in_one_sentence(path, value, sentence):
    with pytest.raises(DocumentRefused, match=sentence):
        Agreement.from_document(changed(make_world().agreement.document, path, value))


def test_two_holders_may_not_share_a_key():
    document = make_world().agreement.document
    holders, broker = document["parties"]["holders"], document["parties"]["broker"]
    with pytest.raises(DocumentRefused, match="same key for key generation"):
        Agreement.from_document(changed(document, ("parties", "holders", 0, "dkg_key"), holders[1]["dkg_key"]))
    with pytest.raises(DocumentRefused, match="same signing key"):
        Agreement.from_document(changed(document, ("parties", "holders", 0, "key"), broker["key"]))


def test_the_shipped_kinds_are_what_the_demonstration_needs():
    terms = example_terms()
    assert terms.t_h == 2
    assert set(terms.opening_rule.alone) == set(terms.kinds) - {"address.postal"}
    assert not terms.kinds["address.postal"].possession
    assert terms.families == {
        "phone", "email", "bank-account", "national-id", "passport", "crypto-address", "vehicle-plate", "web-handle",
        "person", "address",
    }  # fmt: skip
