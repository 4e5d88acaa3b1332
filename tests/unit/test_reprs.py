"""What a repr, a log line or an exception's text may show: no secret, no identifier, nothing that was opened.

Walks every dataclass of the shipped packages, so that a new one is looked at too.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib
import pickle
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.charity.store import CharityStore
from clients.institution.row_digests import RowDigests
from crypto import keyfiles, oprf, scalars, shares
from crypto.errors import InvalidKeyFile
from crypto.keyfiles import KeyRing
from crypto.signatures import SigningKey
from keyholder.shares import FamilyShare
from tests.agreement_world import World, make_world
from tests.project_files import PACKAGES

# A field of such a name holds a secret, an identifier or opened content, unless it is named below.
TELLING = re.compile(
    r"secret|seed|^shares?$|^blinds?$|passphrase|password|token|^session$|private|payload|batch|^identifiers?$|^values?$"
    r"|^plain|^fields|content$|^rest$|^raw$|note$|encoded$|indicators|output|overlap|answers|database_url|^cells$|^row_id$"
)
HARMLESS = {
    "AddCheckpoint.note": "a checkpoint, which is public",
    "Agreement.fields": "names that the agreement gives to fields",
    "Agreement.indicators": "codes of the agreement",
    "AgreementContent.fields": "names that the agreement gives to fields",
    "AgreementContent.indicators": "codes of the agreement",
    "AgreementDraft.fields": "names that the agreement gives to fields",
    "AgreementDraft.indicators": "codes of the agreement",
    "BrokerSession.session": "a SignedSession, whose repr shows nothing",
    "Condition.values": "the mapping's, as the institution wrote it",
    "FieldRequest.fields": "names that the agreement gives to fields",
    "HolderSession.session": "a SignedSession, whose repr shows nothing",
    "KindTotals.identifiers": "a count",
    "Line.cells": "each of them hides its value",
    "MatchView.share": "a width in percent",
    "Placeholders.values": "patterns of the list that is shipped or configured",
    "PreparedRecord.identifiers": "each of them hides its value",
    "PreparedRecord.indicators": "codes of the agreement",
    "Preview.indicators_left_out": "a count",
    "Proposal.indicators": "names of columns",
    "Proposal.payload": "names of columns",
    "RowMapping.identifiers": "names of columns",
    "RowMapping.indicators": "names of columns",
    "RowMapping.payload": "names of columns",
    "RowMapping.row_id": "the name of a column",
    "Search.values": "a count",
    "Sentence.value": "what an agreement says",
    "ShownRow.fields": "names of columns",
    "ShownRow.indicators": "codes of the agreement",
    "State.shares": "EpochShares, whose FamilyShares show nothing",
    "Terms.fields": "names that the agreement gives to fields",
    "Terms.indicators": "codes of the agreement",
    "WitnessCheckpoint.note": "a checkpoint, which is public",
    "YamlText.value": "what an agreement says",
}
CANARY = bytes.fromhex("c0ffee5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0f1")


def dataclasses_of_the_project() -> Iterator[type]:
    for package in sorted(PACKAGES):
        root = importlib.import_module(package)
        for found in pkgutil.walk_packages(root.__path__, f"{package}."):
            if ".migrations" in found.name or found.name.endswith("__main__"):
                continue
            module = importlib.import_module(found.name)
            for value in vars(module).values():
                if isinstance(value, type) and value.__module__ == found.name and dataclasses.is_dataclass(value):
                    yield value


def name_of(cls: type, field: str) -> str:
    return f"{cls.__qualname__}.{field}"


ALL = sorted(set(dataclasses_of_the_project()), key=lambda cls: (cls.__module__, cls.__qualname__))


def forms(secret: bytes) -> set[str]:
    """How bytes may turn up in a text."""
    return {
        secret.hex(),
        repr(secret)[2:-1],
        base64.b64encode(secret).decode().rstrip("="),
        base64.urlsafe_b64encode(secret).decode().rstrip("="),
        str(int.from_bytes(secret, "big")),
        str(int.from_bytes(secret, "little")),
    }


def assert_shows_nothing(text: str, secret: bytes) -> None:
    assert not [form for form in forms(secret) if form in text]


def test_every_field_with_a_telling_name_is_hidden_or_known_to_be_harmless() -> None:
    assert len(ALL) > 150
    shown = {
        name_of(cls, field.name)
        for cls in ALL
        for field in dataclasses.fields(cls)
        if field.repr and cls.__dataclass_params__.repr and TELLING.search(field.name)  # type: ignore[attr-defined]
    }
    assert shown == set(HARMLESS)


@pytest.mark.parametrize(
    "cls",
    [cls for cls in ALL if any(not field.repr for field in dataclasses.fields(cls))],
    ids=lambda cls: f"{cls.__module__}.{cls.__qualname__}",
)
def test_a_hidden_field_shows_in_no_form(cls: type) -> None:
    instance = object.__new__(cls)
    for field in dataclasses.fields(cls):
        object.__setattr__(instance, field.name, CANARY if not field.repr else "shown")
    for text in (repr(instance), str(instance), f"{instance}"):
        assert_shows_nothing(text, CANARY)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


def test_keys_and_shares_show_nothing_and_are_never_pickled(world: World) -> None:
    share = world.share("phone", 1)
    held = FamilyShare(share, world.trust.commitments("phone"), 1)
    held.evaluate((1, 2), oprf.hash_inputs([b"anything"]))
    seed = world.parties["bank-a"].secrets["signing"]
    for thing, secret in (
        (SigningKey(seed), seed),
        (KeyRing({"signing": seed}), seed),
        (held, share),
    ):
        assert_shows_nothing(repr(thing) + str(thing), secret)
        with pytest.raises(TypeError):
            pickle.dumps(thing)
    assert_shows_nothing(repr(world.parties["bank-a"]), seed)
    weighted = shares.weighted_key(share, 1, (1, 2))
    assert_shows_nothing(repr(held), weighted)


def test_what_blinds_and_digests_shows_nothing(tmp_path: Path) -> None:
    blinds = scalars.random_scalars(1)
    assert_shows_nothing(repr(oprf.blind([b"x"], blinds=blinds)), blinds)
    assert_shows_nothing(repr(RowDigests(CANARY, b"")), CANARY)
    store = CharityStore(tmp_path / "store.sqlite3", CANARY)
    assert_shows_nothing(repr(store), CANARY)
    store.close()


def test_no_error_of_the_key_file_quotes_a_secret_or_the_passphrase(tmp_path: Path) -> None:
    path, passphrase = tmp_path / "keys.age", "canary passphrase 9f2c"
    keyfiles.write_key_file(path, {"signing": CANARY}, passphrase)
    errors = []
    with pytest.raises(InvalidKeyFile) as caught:
        keyfiles.read_key_file(path, passphrase + "!")
    errors.append(caught.value)
    with pytest.raises(InvalidKeyFile) as caught:
        keyfiles.read_key_file(path, passphrase)["dkg"]
    errors.append(caught.value)
    with pytest.raises(InvalidKeyFile) as caught:
        keyfiles.add_to_key_file(path, {"signing": bytes(32)}, passphrase)
    errors.append(caught.value)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InvalidKeyFile) as caught:
        keyfiles.read_key_file(path, passphrase)
    errors.append(caught.value)
    for error in errors:
        chain = [error, error.__cause__, error.__context__ if not error.__suppress_context__ else None]
        text = " ".join(repr(each) for each in chain)
        assert_shows_nothing(text, CANARY)
        assert passphrase not in text
