"""Key files: private, all or nothing, readable by age's own tools, and silent about what they hold."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pyrage
import pytest

from crypto.errors import InvalidKeyFile, InvalidSealed, WrongPassphrase
from crypto.keyfiles import KeyRing, add_to_key_file, read_key_file, write_key_file
from crypto.local_encryption import OVERHEAD, generate_local_key, open_local, seal_local

SECRETS = {"signing": b"\x01" * 32, "share.phone.1": bytes(range(32))}
PASSPHRASE = "a passphrase for tests"


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keys.age"
    write_key_file(path, SECRETS, PASSPHRASE)
    return path


def test_a_key_file_gives_back_its_secrets_and_is_private(key_file: Path):
    assert dict(read_key_file(key_file, PASSPHRASE)) == SECRETS
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in key_file.parent.iterdir()] == ["keys.age"]


def test_a_key_file_is_plain_age_with_json_inside(key_file: Path):
    document = json.loads(pyrage.passphrase.decrypt(key_file.read_bytes(), PASSPHRASE))
    assert document["type"] == "crosslight/v1 keys"
    assert set(document["secrets"]) == set(SECRETS)


def test_a_wrong_passphrase_is_said_to_be_one(key_file: Path):
    with pytest.raises(WrongPassphrase, match="passphrase does not open"):
        read_key_file(key_file, "another")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o700])
def test_a_key_file_that_others_may_read_is_refused_with_the_fix_named(tmp_path: Path, mode: int):
    path = tmp_path / "keys.age"
    path.write_bytes(b"anything")
    path.chmod(mode)
    with pytest.raises(InvalidKeyFile, match="chmod 600"):
        read_key_file(path, PASSPHRASE)


def test_missing_damaged_and_foreign_files_are_told_apart_from_a_wrong_passphrase(tmp_path: Path, key_file: Path):
    with pytest.raises(InvalidKeyFile, match="there is no key file"):
        read_key_file(tmp_path / "none.age", PASSPHRASE)
    with pytest.raises(InvalidKeyFile):
        read_key_file(tmp_path, PASSPHRASE)
    foreign = pyrage.passphrase.encrypt(b'{"type":"something else","secrets":{}}', PASSPHRASE)
    for name, content in {"junk": b"no age file", "empty": b"", "foreign": foreign}.items():
        path = tmp_path / name
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(InvalidKeyFile) as caught:
            read_key_file(path, PASSPHRASE)
        assert not isinstance(caught.value, WrongPassphrase)
        assert "something else" not in str(caught.value)


def test_a_file_that_asks_for_too_much_work_is_not_called_damaged(tmp_path: Path, key_file: Path):
    header, rest = key_file.read_bytes().split(b"\n---", 1)
    greedy = re.sub(rb"(-> scrypt \S+) [0-9]+", rb"\1 32", header)
    path = tmp_path / "keys.age"
    path.write_bytes(greedy + b"\n---" + rest)
    path.chmod(0o600)
    with pytest.raises(InvalidKeyFile, match="needs more work than this machine"):
        read_key_file(path, PASSPHRASE)


def test_a_secret_is_added_but_another_is_never_overwritten(tmp_path: Path):
    path = tmp_path / "keys.age"
    write_key_file(path, {"signing": b"s" * 32}, PASSPHRASE)
    ring = add_to_key_file(path, {"store": b"t" * 32, "signing": b"s" * 32}, PASSPHRASE)
    assert set(ring) == {"signing", "store"}
    with pytest.raises(InvalidKeyFile, match="already holds"):
        add_to_key_file(path, {"store": b"u" * 32}, PASSPHRASE)
    assert dict(read_key_file(path, PASSPHRASE)) == {"signing": b"s" * 32, "store": b"t" * 32}


def test_an_empty_passphrase_is_refused(tmp_path: Path):
    with pytest.raises(InvalidKeyFile):
        write_key_file(tmp_path / "keys.age", SECRETS, "")
    assert list(tmp_path.iterdir()) == []


def test_a_key_ring_never_shows_a_secret():
    ring = KeyRing(SECRETS)
    shown = repr(ring) + str(ring) + f"{ring}"
    assert all(secret.hex() not in shown and repr(secret) not in shown for secret in SECRETS.values())
    with pytest.raises(InvalidKeyFile, match="no key named 'dkg'"):
        ring["dkg"]
    with pytest.raises(TypeError):
        pickle.dumps(ring)
    assert "signing" not in ring.without("signing")


def test_what_is_sealed_locally_opens_under_its_key_and_place_only():
    key = generate_local_key()
    sealed = seal_local(key, b"content", b"row 1")
    assert open_local(key, sealed, b"row 1") == b"content"
    assert len(sealed) == len(b"content") + OVERHEAD
    assert seal_local(key, b"content", b"row 1") != sealed
    for attempt in (
        (generate_local_key(), sealed, b"row 1"),
        (key, sealed, b"row 2"),
        (key, sealed[:-1], b"row 1"),
        (key, b"\x02" + sealed[1:], b"row 1"),
        (key, b"", b"row 1"),
        (b"short", sealed, b"row 1"),
    ):
        with pytest.raises(InvalidSealed):
            open_local(*attempt)
