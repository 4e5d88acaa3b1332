"""From cards to an accepted roster by commands alone, with real key files and a real key generation.

One passing story in one test module fixture, since every opened key file costs a second by design; the tests look at
what it left and try what must be refused.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import crosslight
from crypto.keyfiles import add_to_key_file, read_key_file
from crypto.shares import share_name
from keyholder.keygen_run import Participant, generate_in_one_place
from policies.agreement.document import Agreement
from policies.documents import read_document_file
from policies.library import DocumentLibrary
from runtime.console import run_command
from runtime.exits import ExitCode
from wire.messages.message import encode_message

pytestmark = pytest.mark.xdist_group("document-commands")

PASSPHRASE = "a passphrase for tests"
PARTIES = {
    "bank-a": ["bank", "bank-a", "--group", "group-a", "--declare", "phone=1000"],
    "bank-b": ["bank", "bank-b", "--group", "group-b"],
    "charity": ["recipient", "charity", "--group", "group-d"],
    "holder1": ["holder", "holder1", "--index", "1", "--group", "group-h", "--address", "https://holder.example"],
    "broker": ["broker", "broker", "--group", "group-o", "--address", "https://broker.example"],
    "regulator": ["auditor", "regulator", "--group", "regulator"],
}

AGREEMENT = """
agreement: example
title: An example
start: 2026-01-01
end: 2027-12-31
purposes:
  - {code: help, text: To help.}
legal_basis:
  - {text: Everybody agreed., reference: UK GDPR Art. 6}
parties:
  members:
    - {id: bank-a, name: First bank, role: bank, group: group-a, modes: [provide, watch]}
    - {id: bank-b, name: Second bank, role: bank, group: group-b, modes: [provide, watch]}
  recipients:
    - {id: charity, name: The desk, group: group-d, modes: [request, watch], purposes: [help]}
  holders:
    - {id: holder1, name: A university, group: group-h}
  broker: {name: The operator, group: group-o}
  auditors:
    - {id: regulator, name: The authority}
member_quorum: 1
holders_together: 1
epoch: 120 days
kinds:
  phone: {weight: 6, cap: 50, possession: true, norm_version: 1}
identifier_spaces: {phone: 10_000}
opening_rule: {groups: 2, least_weight: 10, alone: [phone]}
padded_size: 1024
fields: {bank: [record_id, note]}
red_flags: {bank: []}
gates: []
retention: {records: 90 days, opened: 365 days}
field_requests: []
openings_per_day: 100
records_per_day: 1000
witnesses: {parties: [], quorum: 0}
"""

Run = Callable[..., int]


@pytest.fixture(scope="module")
def monkeymodule():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, monkeymodule: pytest.MonkeyPatch) -> Path:
    """The folder after the whole story: a home a party, agreement.json, epoch.json, roster.json."""
    root = tmp_path_factory.mktemp("agreement")
    monkeymodule.setenv("CROSSLIGHT_PASSPHRASE", PASSPHRASE)
    for name, arguments in PARTIES.items():
        assert go("party", "keys", *arguments, "--home", root / name) == ExitCode.OK
    written, agreement = root / "agreement.yaml", root / "agreement.json"
    written.write_text(AGREEMENT)
    cards = [root / name / "card.json" for name in PARTIES]
    assert go("agreement", "new", written, *cards, "--out", agreement) == ExitCode.OK
    for name in ("bank-a", "bank-b", "charity", "holder1", "regulator"):
        assert go("agreement", "cosign", agreement, "--home", root / name) == ExitCode.OK
    copy = root / "agreement-of-the-broker.json"
    shutil.copy(agreement, copy)
    assert go("agreement", "cosign", copy, "--home", root / "broker") == ExitCode.OK
    assert go("agreement", "verify", agreement) == ExitCode.DOCUMENTS_REFUSED
    assert go("agreement", "merge", agreement, copy) == ExitCode.OK
    assert go("agreement", "verify", agreement) == ExitCode.OK
    digest = read_document_file(agreement).hash.hex()
    for name in PARTIES:
        assert go("agreement", "pin", agreement, "--hash", digest, "--home", root / name) == ExitCode.OK

    generate_keys(root, Agreement.from_document(read_document_file(agreement).document))
    epoch = root / "epoch.json"
    keys = (root / "phone_key.json", root / "record_key.json")
    period = ("--number", "1", "--from", "2026-01-01", "--until", "2026-04-01")
    assert go("epoch", "new", *period, "--home", root / "bank-a", "--out", epoch, *keys) == ExitCode.OK
    assert go("epoch", "sign", epoch, "--home", root / "holder1", "--generated", keys[0], "--generated", keys[1]) == 0
    assert go("epoch", "verify", epoch, "--home", root / "charity") == ExitCode.DOCUMENTS_REFUSED
    assert go("epoch", "sign", epoch, "--home", root / "bank-a") == ExitCode.OK
    for name in PARTIES:
        assert go("epoch", "accept", epoch, "--home", root / name) == ExitCode.OK

    roster, key = root / "roster.json", root / "charity-key.json"
    assert go("roster", "key", "--home", root / "charity", "--out", key) == ExitCode.OK
    assert go("roster", "new", key, "--home", root / "bank-a", "--out", roster) == ExitCode.OK
    for name in ("holder1", "bank-a"):
        assert go("roster", "sign", roster, "--home", root / name) == ExitCode.OK
    for name in PARTIES:
        assert go("roster", "accept", roster, "--home", root / name) == ExitCode.OK
    return root


def go(*arguments: object) -> int:
    return run_command(crosslight, [str(argument) for argument in arguments])


def generate_keys(root: Path, agreement: Agreement) -> None:
    """A key for each family, as `crosslight holder keygen` makes them."""
    ring = read_key_file(root / "holder1" / "keys.age", PASSPHRASE)
    participant = Participant.of(agreement, 1, ring)
    shares = {}
    for family in ("phone", "record"):
        generated, results = generate_in_one_place([participant], family, number=1)
        (root / f"{family}_key.json").write_bytes(encode_message(generated))
        shares[share_name(generated.commitments[0])] = results[0].share
    add_to_key_file(root / "holder1" / "keys.age", shares, PASSPHRASE)


def test_every_party_ends_with_the_same_trust(folder):
    trusts = [DocumentLibrary.of_home(folder / name).trust() for name in PARTIES]
    assert len({trust.epoch_id for trust in trusts}) == 1
    assert len({trust.roster.hash for trust in trusts}) == 1
    assert trusts[0].member("bank-a").budgets == {"phone": 3650}
    assert trusts[0].recipient("charity").not_after == trusts[0].epoch.not_after


def test_key_files_are_private_and_cards_hold_no_secret(folder):
    for name in PARTIES:
        assert (folder / name / "keys.age").stat().st_mode & 0o777 == 0o600
        card = (folder / name / "card.json").read_text()
        assert "secret" not in card
    ring = read_key_file(folder / "charity" / "keys.age", PASSPHRASE)
    epoch_id = DocumentLibrary.of_home(folder / "charity").trust().epoch_id
    assert set(ring) == {"signing", "store", f"hpke.{epoch_id.hex()}"}


def test_show_renders_for_people_with_the_hash_in_groups_of_four(folder, capsys):
    assert go("agreement", "show", folder / "agreement.json") == ExitCode.OK
    shown = capsys.readouterr().out
    digest = read_document_file(folder / "agreement.json").hash.hex()
    groups = [digest[start : start + 4] for start in range(0, 64, 4)]
    assert " ".join(groups[:8]) in shown
    assert " ".join(groups[8:]) in shown
    assert "bank-a (bank, group group-a)" in shown
    assert "Without a valid signature: none" in shown
    assert "above 1%" in shown
    assert "Warning: one key holder alone evaluates" in shown
    assert go("epoch", "show", folder / "epoch.json", "--home", folder / "bank-a") == ExitCode.OK
    assert "From 2026-01-01 00:00 UTC until 2026-04-01 00:00 UTC" in capsys.readouterr().out
    assert go("roster", "show", folder / "roster.json", "--home", folder / "bank-a") == ExitCode.OK
    assert "charity (group group-d), key " in capsys.readouterr().out


def test_json_alone_is_on_standard_output(folder, capsys):
    assert go("agreement", "show", folder / "agreement.json", "--json") == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["missing"] == []
    assert go("roster", "verify", folder / "roster.json", "--home", folder / "broker", "--json") == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["valid"] == ["bank-a", "holder1"]


def test_a_document_for_the_same_place_is_not_signed_twice(folder, capsys, tmp_path):
    other = tmp_path / "epoch.json"
    keys = (folder / "phone_key.json", folder / "record_key.json")
    period = ("--number", "1", "--from", "2026-01-01", "--until", "2026-04-02")
    assert go("epoch", "new", *period, "--home", folder / "bank-a", "--out", other, *keys) == ExitCode.OK
    assert go("epoch", "sign", other, "--home", folder / "bank-a") == ExitCode.DOCUMENTS_REFUSED
    assert "Another document was signed here as epoch 1 of example" in capsys.readouterr().err
    assert read_document_file(other).signatures == {}


def test_a_pin_with_another_hash_is_refused(folder, capsys, tmp_path):
    refused = go("agreement", "pin", folder / "agreement.json", "--hash", "00" * 32, "--home", tmp_path)
    assert refused == ExitCode.DOCUMENTS_REFUSED
    assert "is pinned" in capsys.readouterr().err
    assert not (tmp_path / "documents").exists()
    assert go("agreement", "pin", folder / "agreement.json", "--hash", "zz", "--home", tmp_path) == ExitCode.USAGE


def test_keys_are_never_overwritten(folder, capsys):
    before = (folder / "bank-a" / "keys.age").read_bytes()
    assert go("party", "keys", *PARTIES["bank-a"], "--home", folder / "bank-a") == ExitCode.KEYS
    assert "never overwritten" in capsys.readouterr().err
    assert (folder / "bank-a" / "keys.age").read_bytes() == before


def test_documents_are_never_overwritten(folder, capsys):
    out = ("--out", folder / "roster.json")
    assert go("roster", "new", "--home", folder / "bank-a", *out) == ExitCode.DOCUMENTS_REFUSED
    assert "not overwritten" in capsys.readouterr().err


def test_an_agreement_that_names_a_party_otherwise_than_its_card_is_not_signed(folder, capsys, tmp_path):
    value = json.loads((folder / "agreement.json").read_text())
    value["document"]["parties"]["members"][0]["group_id"] = "group-z"
    changed = tmp_path / "agreement.json"
    changed.write_text(json.dumps(value))
    assert go("agreement", "cosign", changed, "--home", folder / "bank-a") == ExitCode.DOCUMENTS_REFUSED
    assert "something else about bank-a than its card" in capsys.readouterr().err


def test_a_recipient_and_the_broker_do_not_sign_epochs_or_rosters(folder, capsys):
    for name in ("charity", "broker"):
        for kind in ("epoch", "roster"):
            refused = go(kind, "sign", folder / f"{kind}.json", "--home", folder / name)
            assert refused == ExitCode.DOCUMENTS_REFUSED
            assert "does not sign" in capsys.readouterr().err


def test_a_key_that_the_agreement_does_not_name_signs_no_epoch(folder, capsys, tmp_path):
    home, copy = tmp_path / "bank-a", tmp_path / "epoch.json"
    shutil.copytree(folder / "bank-a", home)
    shutil.copy(folder / "epoch.json", copy)
    card = json.loads((home / "card.json").read_text())
    card["signing_key"] = json.loads((folder / "broker" / "card.json").read_text())["signing_key"]
    (home / "card.json").write_text(json.dumps(card))
    before = copy.read_bytes()
    assert go("epoch", "sign", copy, "--home", home) == ExitCode.DOCUMENTS_REFUSED
    assert "under the keys of the agreement" in capsys.readouterr().err
    assert copy.read_bytes() == before


def test_generated_keys_of_another_epoch_or_with_other_commitments_are_refused(folder, capsys, tmp_path):
    out = ("--home", folder / "bank-a", "--out", tmp_path / "epoch.json")
    keys = (folder / "phone_key.json", folder / "record_key.json")
    period = ("--from", "2026-01-01", "--until", "2026-04-01")
    assert go("epoch", "new", "--number", "2", *period, *out, *keys) == ExitCode.DOCUMENTS_REFUSED
    assert "was generated for example, epoch 1" in capsys.readouterr().err
    phone, record = (json.loads(path.read_text()) for path in keys)
    swapped = tmp_path / "swapped.json"
    swapped.write_text(json.dumps({**phone, "commitments": record["commitments"]}))
    assert go("epoch", "new", "--number", "1", *period, *out, swapped, keys[1]) == ExitCode.DOCUMENTS_REFUSED
    assert "other commitments than its certificate" in capsys.readouterr().err
    damaged = tmp_path / "damaged.json"
    damaged.write_text(json.dumps({**phone, "certificate": record["certificate"]}))
    assert go("epoch", "new", "--number", "1", *period, *out, damaged, keys[1]) == ExitCode.DOCUMENTS_REFUSED
    assert "The certificate of the key of phone does not hold" in capsys.readouterr().err


def test_an_amendment_is_compiled_compared_cosigned_and_accepted(folder, capsys, tmp_path):
    written, second = tmp_path / "agreement.yaml", tmp_path / "agreement-2.json"
    written.write_text(AGREEMENT.replace("openings_per_day: 100", "openings_per_day: 7").replace("365 days", "30 days"))
    homes = {name: tmp_path / name for name in PARTIES}
    for name, home in homes.items():
        shutil.copytree(folder / name, home)
    amends = ("--amends", homes["bank-a"], "--out", second)
    assert go("agreement", "new", written, *amends) == ExitCode.OK
    assert go("agreement", "diff", folder / "agreement.json", second) == ExitCode.OK
    said = capsys.readouterr().out
    assert "The openings a recipient and day: 7 instead of 100." in said
    assert "How long a recipient keeps what opened: 30 days instead of 365 days." in said
    for name in PARTIES:
        assert go("agreement", "accept", second, "--home", homes[name]) == ExitCode.DOCUMENTS_REFUSED
        assert go("agreement", "cosign", second, "--home", homes[name]) == ExitCode.OK
    assert go("agreement", "verify", second, "--home", homes["charity"]) == ExitCode.OK
    assert go("agreement", "accept", second, "--home", homes["charity"]) == ExitCode.OK
    trust = DocumentLibrary.of_home(homes["charity"]).trust()
    assert (trust.newest_agreement.openings_per_day, trust.agreement.openings_per_day) == (7, 100)


def test_a_suspension_and_a_departure_are_written_signed_and_accepted(folder, tmp_path):
    home, other = tmp_path / "bank-a", tmp_path / "charity"
    shutil.copytree(folder / "bank-a", home)
    shutil.copytree(folder / "charity", other)
    reason = ("--reason", "A test")
    suspended, own, leaving = (tmp_path / f"{name}.json" for name in ("suspended", "own", "leaving"))
    assert go("agreement", "suspend", "bank-b", *reason, "--home", home, "--out", suspended) == ExitCode.OK
    refused = go("agreement", "suspend", "bank-b", *reason, "--home", other, "--out", tmp_path / "no.json")
    assert refused == ExitCode.DOCUMENTS_REFUSED
    assert go("agreement", "suspend", *reason, "--home", other, "--out", own) == ExitCode.OK
    assert go("agreement", "leave", "--home", home, "--out", leaving) == ExitCode.OK
    for document in (suspended, own, leaving):
        assert go("agreement", "accept", document, "--home", other) == ExitCode.OK
    trust = DocumentLibrary.of_home(other).trust()
    assert (trust.suspended, trust.departed) == ({"bank-b", "charity"}, {"bank-a"})
    lifted = tmp_path / "lifted.json"
    assert go("agreement", "suspend", "--lift", *reason, "--home", other, "--out", lifted) == ExitCode.OK
    assert go("agreement", "accept", lifted, "--home", other) == ExitCode.OK
    assert DocumentLibrary.of_home(other).trust().suspended == {"bank-b"}


def test_an_agreement_is_shown_as_a_page_and_as_markdown(folder, capsys, tmp_path):
    page = tmp_path / "agreement.html"
    assert go("agreement", "show", folder / "agreement.json", "--page", page) == ExitCode.OK
    assert "<h1>An example</h1>" in page.read_text("utf-8")
    assert go("agreement", "show", folder / "agreement.json", "--page", page) == ExitCode.DOCUMENTS_REFUSED
    capsys.readouterr()
    assert go("agreement", "show", folder / "agreement.json", "--markdown") == ExitCode.OK
    assert capsys.readouterr().out.startswith("# An example")


def test_a_template_holds_between_whoever_gave_a_card(folder, tmp_path):
    cards = [folder / name / "card.json" for name in PARTIES]
    out = ("--out", tmp_path / "agreement.json")
    assert go("agreement", "new", "--template", "single-operator-trial", *cards, *out) == ExitCode.DOCUMENTS_REFUSED
    assert go("agreement", "new", *out) == ExitCode.USAGE


def test_wrong_usage_is_one_sentence(capsys, tmp_path):
    arguments = ("party", "keys", "holder", "holder2", "--index", "1", "--group", "g", "--home", tmp_path / "h")
    assert go(*arguments) == ExitCode.USAGE
    assert "belongs to the key holder with the id holder1" in capsys.readouterr().err
    declared = ("--declare", "phone=many")
    assert go("party", "keys", "bank", "b", "--group", "g", *declared, "--home", tmp_path / "b") == ExitCode.USAGE
    assert "write FAMILY=N" in capsys.readouterr().err
    assert not (tmp_path / "h").exists()


@pytest.mark.parametrize("group", ["agreement", "epoch", "roster"])
def test_help_teaches_the_order_of_steps(group, capsys):
    assert go(group, "--help") == ExitCode.OK
    text = capsys.readouterr().out
    assert "1. " in text
    assert f"crosslight {group} new" in text
