"""Key generation by files among three holders: in any order, killed anywhere, cheated by anybody; real key files."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from crypto import keygen, signatures
from crypto.errors import InvalidKeygenSession, KeygenFault
from crypto.keyfiles import add_to_key_file, read_key_file, write_key_file
from crypto.shares import check_share, share_name
from keyholder.keygen_files import PROGRESS_FOLDER, Report, advance_by_files
from keyholder.keygen_run import KeygenRun, Participant, families_of, generate_in_one_place
from policies.generated_keys import read_generated_key, verified_families
from tests.agreement_world import make_world
from wire.messages.keygen import GeneratedKey, KeygenMessage
from wire.messages.message import decode_message, encode_message
from wire.packed import pack

FAMILIES = ("email", "phone", "record")


class Killed(Exception):
    """Stands for a process that ends between two steps."""


class Holders:
    """Three holders of which two evaluate, each with a home folder, and the folder in which they exchange files."""

    def __init__(self, folder: Path) -> None:
        self.exchange = folder / "exchange"
        self.exchange.mkdir()
        self.homes = [folder / f"holder{index}" for index in (1, 2, 3)]
        seeds = [signatures.generate_seed() for _ in self.homes]
        secrets = [keygen.generate_secret_key() for _ in self.homes]
        self.participants = [
            Participant(
                "agreement.example",
                2,
                tuple(signatures.SigningKey(seed).public_key for seed in seeds),
                tuple(keygen.public_key(secret) for secret in secrets),
                index,
                signatures.SigningKey(seeds[index - 1]),
                secrets[index - 1],
            )
            for index in (1, 2, 3)
        ]
        self.rings: list[dict[str, bytes]] = [{}, {}, {}]

    def store(self, index: int, shares: Mapping[str, bytes]) -> None:
        self.rings[index - 1].update(shares)

    def call(self, index: int, *, attempt: int = 1, exchange: Path | None = None) -> Report:
        return advance_by_files(
            self.participants[index - 1],
            FAMILIES,
            number=1,
            attempt=attempt,
            home=self.homes[index - 1],
            exchange=exchange or self.exchange,
            store_shares=lambda shares: self.store(index, shares),
        )

    def file(self, family: str, round_number: int, holder: int) -> Path:
        return self.exchange / f"agreement.example_1_{family}_1_round{round_number}_holder{holder}.json"

    def key(self, family: str) -> GeneratedKey:
        return read_generated_key(self.exchange / f"agreement.example_1_{family}_1_key.json")

    def check_result(self) -> None:
        """Everybody's shares fit the published keys, whose certificates hold, and the keys are all different."""
        participant = self.participants[0]
        for family in FAMILIES:
            key = self.key(family)
            session = KeygenRun(participant, family, number=1).session
            assert keygen.verify_certificate(session, key.certificate) == key.commitments
            for index, ring in enumerate(self.rings, start=1):
                check_share(ring[share_name(key.commitments[0])], key.commitments, index)
        assert len({self.key(family).commitments[0] for family in FAMILIES}) == len(FAMILIES)


@pytest.fixture
def holders(tmp_path: Path) -> Holders:
    return Holders(tmp_path)


def test_three_calls_each_give_every_family_its_key(holders: Holders) -> None:
    assert holders.call(1) == Report((), dict.fromkeys(FAMILIES, (2, 3)))
    assert holders.call(2) == Report((), dict.fromkeys(FAMILIES, (3,)))
    assert holders.call(3) == Report((), dict.fromkeys(FAMILIES, (1, 2)))
    assert holders.call(1) == Report((), dict.fromkeys(FAMILIES, (2,)))
    assert holders.call(2) == Report(FAMILIES, {})
    assert holders.call(3).is_complete
    assert holders.call(1).is_complete
    holders.check_result()


def test_calls_in_any_order_and_number_give_the_same_and_change_nothing_afterwards(tmp_path: Path) -> None:
    for seed in range(4):
        (folder := tmp_path / str(seed)).mkdir()
        holders, order = Holders(folder), random.Random(seed)
        complete: set[int] = set()
        while len(complete) < 3:
            index = order.choice((1, 2, 3))
            if holders.call(index).is_complete:
                complete.add(index)
        holders.check_result()
        before = {path.name: path.read_bytes() for path in holders.exchange.iterdir()}
        assert all(holders.call(index).is_complete for index in (1, 2, 3))
        assert {path.name: path.read_bytes() for path in holders.exchange.iterdir()} == before


def test_the_shares_end_in_the_key_file_under_the_passphrase(holders: Holders, tmp_path: Path) -> None:
    path = tmp_path / "keys.age"
    write_key_file(path, {"dkg": holders.participants[0].secret_key}, "a passphrase")

    def call_first() -> Report:
        return advance_by_files(
            holders.participants[0],
            ("phone",),
            number=1,
            attempt=1,
            home=holders.homes[0],
            exchange=holders.exchange,
            store_shares=lambda shares: void(add_to_key_file(path, shares, "a passphrase")),
        )

    for call in (call_first, lambda: holders.call(2), lambda: holders.call(3), call_first, lambda: holders.call(2)):
        call()
    assert call_first().is_complete
    key = holders.key("phone")
    check_share(read_key_file(path, "a passphrase")[share_name(key.commitments[0])], key.commitments, 1)


def void(_: object) -> None:
    return None


def test_a_holder_killed_before_its_share_is_stored_gets_the_same_share_again(
    holders: Holders, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in (1, 2, 3, 1, 2):
        holders.call(index)

    def die(index: int, shares: Mapping[str, bytes]) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(holders, "store", die)
        with pytest.raises(Killed):
            holders.call(3)
    assert holders.rings[2] == {}
    assert holders.call(3).is_complete
    holders.call(1)
    holders.check_result()


def test_no_secret_is_written_anywhere_but_through_the_key_file(holders: Holders, tmp_path: Path) -> None:
    for index in (1, 2, 3, 1, 2, 3, 1):
        holders.call(index)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    secrets = [participant.secret_key for participant in holders.participants]
    secrets += [share for ring in holders.rings for share in ring.values()]
    assert len(secrets) == 12
    for secret in secrets:
        # A packed string that holds the secret shows it in one of three forms, by where it starts modulo three bytes.
        forms = [secret, secret.hex().encode(), *(pack(bytes(at) + secret)[at + 2 : -4].encode() for at in range(3))]
        assert not any(form in content for form in forms for content in written)


def test_a_message_not_signed_by_its_holder_is_refused_and_the_holder_named(holders: Holders) -> None:
    for index in (1, 2, 3):
        holders.call(index)
    path = holders.file("phone", 1, 3)
    message = decode_message(KeygenMessage, path.read_bytes())
    forged = holders.participants[1].signing_key.sign(b"something else")
    path.write_bytes(encode_message(replace(message, signature=forged)))
    with pytest.raises(KeygenFault, match="not signed with its key") as fault:
        holders.call(1)
    assert fault.value.participant == 3


def test_a_body_changed_on_the_way_is_refused_before_it_is_looked_at(holders: Holders) -> None:
    for index in (1, 2, 3):
        holders.call(index)
    path = holders.file("phone", 1, 2)
    message = decode_message(KeygenMessage, path.read_bytes())
    path.write_bytes(encode_message(replace(message, body=message.body[:-1] + b"\0")))
    with pytest.raises(KeygenFault, match="not signed with its key"):
        holders.call(1)


@pytest.mark.parametrize(
    ("field", "value"),
    [("agreement_id", "other"), ("number", 2), ("family", "email"), ("attempt", 2)],
)
def test_a_message_of_another_run_does_not_count(holders: Holders, field: str, value: object) -> None:
    for index in (1, 2, 3):
        holders.call(index)
    path = holders.file("phone", 1, 2)
    message = decode_message(KeygenMessage, path.read_bytes())
    path.write_bytes(encode_message(replace(message, **{field: value})))  # type: ignore[arg-type]
    with pytest.raises(InvalidKeygenSession, match="another key generation"):
        holders.call(1)


def test_a_message_in_the_place_of_another_is_refused(holders: Holders) -> None:
    for index in (1, 2, 3):
        holders.call(index)
    holders.file("phone", 1, 3).write_bytes(holders.file("phone", 1, 2).read_bytes())
    with pytest.raises(InvalidKeygenSession, match="another round or holder"):
        holders.call(1)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"body":"A"}', b"0" * 3_000_000])
def test_a_file_that_is_no_message_is_named(holders: Holders, content: bytes) -> None:
    holders.call(1)
    path = holders.file("phone", 1, 2)
    path.write_bytes(content)
    with pytest.raises(InvalidKeygenSession, match=str(path)):
        holders.call(1)


def test_a_holder_that_shows_two_folders_different_messages_is_named(holders: Holders, tmp_path: Path) -> None:
    for index in (1, 2, 3):
        holders.call(index)
    # Holder 3 starts anew with the same keys and shows holder 2 what comes out.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "again").mkdir()
    for path in holders.exchange.iterdir():
        if "holder3" not in path.name:
            (elsewhere / path.name).write_bytes(path.read_bytes())
    holders.homes[2] = tmp_path / "again"
    holders.call(3, exchange=elsewhere)
    holders.call(1)
    holders.call(2, exchange=elsewhere)
    for family in FAMILIES:
        name = holders.file(family, 2, 2).name
        holders.file(family, 2, 2).write_bytes((elsewhere / name).read_bytes())
    with pytest.raises(KeygenFault, match="participant 2 says it saw another") as fault:
        holders.call(1)
    assert fault.value.participant == 3


def test_a_holder_that_runs_from_two_homes_at_once_is_told(holders: Holders, tmp_path: Path) -> None:
    holders.call(1)
    holders.homes[0] = tmp_path / "another"
    with pytest.raises(InvalidKeygenSession, match="run twice"):
        holders.call(1)


def test_a_message_replaced_after_it_was_certified_is_noticed(holders: Holders, tmp_path: Path) -> None:
    for index in (1, 2, 3, 1):
        holders.call(index)
    (tmp_path / "again").mkdir()
    holders.homes[2] = tmp_path / "again"
    for family in FAMILIES:
        holders.file(family, 1, 3).unlink()
        holders.file(family, 2, 3).unlink()
    holders.call(3)
    with pytest.raises(KeygenFault, match="changed after it was certified") as fault:
        holders.call(1)
    assert fault.value.participant == 3


def test_after_a_fault_another_attempt_begins_from_nothing_in_the_same_folders(holders: Holders) -> None:
    holders.call(1)
    holders.file("phone", 1, 2).write_bytes(b"{}")
    with pytest.raises(InvalidKeygenSession):
        holders.call(1)
    for index in (1, 2, 3, 1, 2, 3, 1):
        holders.call(index, attempt=2)
    assert all(holders.call(index, attempt=2).is_complete for index in (1, 2, 3))


def test_damaged_progress_is_said_and_not_overwritten(holders: Holders) -> None:
    holders.call(1)
    path = next((holders.homes[0] / PROGRESS_FOLDER).glob("*phone*progress"))
    path.write_text("!")
    with pytest.raises(InvalidKeygenSession, match="damaged"):
        holders.call(1)
    assert path.read_text() == "!"


def test_the_public_key_file_is_plain_json_that_lost_copies_come_back_to(holders: Holders) -> None:
    for index in (1, 2, 3, 1, 2, 3, 1):
        holders.call(index)
    path = holders.exchange / "agreement.example_1_record_1_key.json"
    document = json.loads(path.read_text())
    assert set(document) == {"agreement_id", "number", "family", "attempt", "commitments", "certificate"}
    assert (document["family"], len(document["commitments"])) == ("record", 2)
    path.unlink()
    holders.call(2)
    assert json.loads(path.read_text()) == document
    path.write_text("{}")
    with pytest.raises(InvalidKeygenSession, match="holds something else"):
        holders.call(2)


def test_all_in_one_place_gives_the_same_kind_of_key(holders: Holders) -> None:
    key, results = generate_in_one_place(holders.participants, "phone", number=7)
    session = KeygenRun(holders.participants[0], "phone", number=7).session
    assert keygen.verify_certificate(session, key.certificate) == key.commitments
    for index, result in enumerate(results, start=1):
        check_share(result.share, key.commitments, index)


def test_holders_of_an_agreement_make_the_keys_of_all_its_families_and_of_the_records(tmp_path: Path) -> None:
    world = make_world()
    agreement = world.trust.agreement
    families = families_of(agreement)
    assert set(families) == agreement.terms.families | {"record"}
    rings = {holder.index: world.parties[holder.party_id].secrets for holder in agreement.holders}
    participants = [Participant.of(agreement, index, ring) for index, ring in rings.items()]
    generated = [generate_in_one_place(participants, family, number=2)[0] for family in families]
    assert verified_families(generated, agreement, 2) == {key.family: key.commitments for key in generated}
    for index, name, reason in (
        (1, "signing", "signing key in the key file is not the one enrolled for holder 1"),
        (2, "dkg", "dkg key in the key file is not the one enrolled for holder 2"),
    ):
        with pytest.raises(InvalidKeygenSession, match=reason):
            Participant.of(agreement, index, {**rings[index], name: rings[3][name]})
    with pytest.raises(InvalidKeygenSession, match="no key holder 9"):
        Participant.of(agreement, 9, rings[1])
    assert not any(secret.hex() in repr(participants) for ring in rings.values() for secret in ring.values())
