"""Canaries: identifiers, passphrase and keys planted in a whole run of real processes are in nothing that it leaves.

Every log (at its most verbose), database, state file and temporary file of every process is searched; the institutions'
own files alone may hold what is in them.
"""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from clients.identifiers import Hints, normalise
from clients.identifiers.outcomes import Normalised
from crypto import envelopes, group, hkdf, oprf, scalars, sealing, tags
from crypto.keyfiles import KeyRing, read_key_file
from crypto.records import Head
from crypto.shares import lagrange_coefficient, share_name
from demo.ceremony import RECIPIENT, demonstration_rules
from demo.own_files import read_folder
from demo.scenario import Scenario
from policies.library import DocumentLibrary
from policies.party_keys import KEY_FILE, epoch_key_name
from policies.terms import family_of
from policies.trust import Trust
from runtime.clock import SystemClock
from runtime.database import open_engine
from tests.attackers import Loot, loot_of
from tests.canary_search import found_in, needles_of, search_database, search_files

pytestmark = pytest.mark.xdist_group("processes")

PASSPHRASE = "canary passphrase, unmistakable 71a4"
# The same person, as two banks write it down; and one value that cannot be used.
BANK_A = {
    "id": "canary-row-a-55120",
    "given_name": "Zephyrine",
    "family_name": "Quillfeather-Okonkwo",
    "date_of_birth": "1987-03-14",
    "street": "17 Canary Wharfinger Lane",
    "postcode": "E14 9ZZ",
    "phone": "+44 7700 900 187",
    "email": "Zephyrine.Canary@Quillfeather.example",
    "iban": "GB82 WEST 1234 5698 7654 32",
    "national_id": "QX-551-20-7731-C",
    "passport": "CNRY5512077",
    "plate": "CNR 5512 YX",
    "wallet": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    "handle": "@canary_zephyrine_55",
    "note": "canary note: seen at the harbour, 55120",
}
BANK_B = BANK_A | {"id": "canary-row-b-77341", "phone": "07700900187", "note": "canary note of the other bank, 77341"}
UNUSABLE = dict.fromkeys(BANK_A, "") | {
    "id": "canary-row-c-90210",
    "phone": "canary-not-a-number-90210",
    "email": "canary.broken.90210(at)nowhere",
    "passport": "canary passport 90210",
}
# Every library logs all that it can, with its arguments; commands, which log nothing, write it to standard error.
VERBOSE = """
import logging, sys
logging.INFO = logging.DEBUG
_set_level = logging.Logger.setLevel
logging.Logger.setLevel = lambda self, level: _set_level(self, logging.DEBUG)
logging.getLogger().addHandler(logging.StreamHandler(sys.stderr))
logging.getLogger().setLevel(logging.DEBUG)
"""
# As the mapping that the scenario writes has it.
HINTS = Hints(region="GB", country="ZZ")
NORMALISED = {
    "phone": {"number": "phone"},
    "email": {"address": "email"},
    "bank-account": {"iban": "iban"},
    "passport": {"number": "passport"},
    "national-id": {"number": "national_id"},
    "vehicle-plate": {"plate": "plate"},
    "crypto-address": {"address": "wallet"},
    "person.name-birthdate": {name: name for name in ("given_name", "family_name", "date_of_birth")},
}


def write_files(folder: Path) -> None:
    folder.mkdir()
    for name, rows in (("bank-a", [BANK_A, UNUSABLE]), ("bank-b", [BANK_B, *strangers()])):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(BANK_A))
            writer.writeheader()
            writer.writerows(rows)


def strangers() -> list[dict[str, str]]:
    """A few more rows, so that the columns look like what they are."""
    return [
        dict.fromkeys(BANK_A, "") | {"id": f"stranger-{number}", "phone": f"+4477009004{number:02}"}
        for number in range(5)
    ]


def planted_texts() -> dict[str, str]:
    """What was planted as it was written, and as it is normalised; nothing that is short or a common word."""
    raw = {f"raw {name} of {row['id']}": value for row in (BANK_A, BANK_B, UNUSABLE) for name, value in row.items()}
    texts = {name: value for name, value in raw.items() if len(value) > 7}
    for kind, parts in NORMALISED.items():
        given = {part: BANK_A[column] for part, column in parts.items()}
        found = normalise(kind, given, HINTS)
        assert isinstance(found, Normalised), (kind, found)
        # Without the country that stands before it, which a search must not depend on.
        texts[f"normalised {kind}"] = re.sub(r"^[A-Z]{2}\|", "", found.value)
    return texts | {"passphrase": PASSPHRASE}


@dataclass(frozen=True)
class Secrets:
    """Every secret of every party, as somebody who runs all of them can compute it."""

    named: Mapping[str, bytes]

    @classmethod
    def of(cls, scenario: Scenario, records: list[Loot]) -> Secrets:
        """Out of the key files; and from the shares put together, what no single party ever holds."""
        rings = {
            path.parent.name: read_key_file(path, PASSPHRASE)
            for path in sorted((scenario.folder / "homes").glob(f"*/{KEY_FILE}"))
        }
        named = {f"{party}'s {name}": ring[name] for party, ring in rings.items() for name in ring}
        trust = DocumentLibrary.of_home(scenario.home("bank-a")).trust()
        keys = {family: _whole_key(trust, rings, family) for family in trust.epoch.families}
        named |= {f"whole key of {family}": key for family, key in keys.items()}
        for kind, parts in NORMALISED.items():
            found = normalise(kind, {part: BANK_A[column] for part, column in parts.items()}, HINTS)
            assert isinstance(found, Normalised)
            (y,) = _outputs(keys[family_of(kind)], [tags.identifier_input(trust.epoch_id, kind, found.value)])
            named |= {f"y of {kind}": y, f"possession seed of {kind}": hkdf.expand(y, b"possession", 32)}
        seed = rings[RECIPIENT][epoch_key_name(trust.epoch_id)]
        for number, one in enumerate(records):
            named |= _record_secrets(number, one, keys["record"], seed)
        return cls(named)


def _whole_key(trust: Trust, rings: Mapping[str, KeyRing], family: str) -> bytes:
    name, chosen = share_name(trust.commitments(family)[0]), (1, 2)
    weighted = [
        scalars.multiply(lagrange_coefficient(index, chosen), rings[f"holder{index}"][name]) for index in chosen
    ]
    key = scalars.add(*weighted)
    assert group.multiply_base(key) == trust.commitments(family)[0]
    return key


def _outputs(key: bytes, inputs: list[bytes]) -> list[bytes]:
    return oprf.outputs(inputs, group.multiply_each(key, oprf.hash_inputs(inputs)))


def _record_secrets(number: int, one: Loot, record_key: bytes, seed: bytes) -> dict[str, bytes]:
    context = Head.decode(one.record.head).context
    (y_r,) = _outputs(record_key, [one.ctx])
    (sealed,) = one.sealed
    info = sealing.seal_info(
        context.epoch_id, context.institution_id, one.statement.idempotency_key, sealed.recipient_id, sealed.key_id
    )
    batch_secret = sealing.open_batch_secret(seed, sealed, info)
    recipient, overlap = envelopes.recipient_secret(batch_secret, one.ctx), envelopes.overlap_secret(y_r)
    content_key = envelopes.content_keys(recipient, overlap, one.ctx)[:32]
    return {
        f"batch secret {number}": batch_secret,
        f"y_r {number}": y_r,
        f"recipient secret {number}": recipient,
        f"overlap secret {number}": overlap,
        f"content key {number}": content_key,
    }


def charity(scenario: Scenario, *arguments: str) -> str:
    """A command of the charity whose answer, which is opened content, goes into no file."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", "charity", *arguments, "--home", str(scenario.home(RECIPIENT))],
        env={**os.environ, **scenario.processes.environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (scenario.folder / "logs" / "charity-command.err").write_text(done.stderr, "utf-8")
    return done.stdout


def look_at_the_desk(scenario: Scenario) -> str:
    """Serve the desk, open the alert's page as a browser would, and return it."""
    scenario.processes.start(RECIPIENT, ["charity", "desk", "--home", str(scenario.home(RECIPIENT)), "--port", "0"])
    for _ in range(300):
        logs = "".join(path.read_text("utf-8") for path in (scenario.folder / "logs").glob(f"{RECIPIENT}-*.log"))
        address = re.search(r"http://127\.0\.0\.1:\d+/enter\?token=\S+", logs)
        if address is not None:
            break
        time.sleep(0.1)
    assert address is not None
    with httpx.Client(follow_redirects=True, trust_env=False) as browser:
        queue = browser.get(address[0]).text
        found = re.search(r'href="(/alerts/[0-9a-f]+)"', queue)
        assert found is not None
        return browser.get(httpx.URL(address[0]).join(found[1])).text


def disturb_the_services(scenario: Scenario) -> None:
    """Requests that are refused, with canaries wherever a careless service might log them."""
    for url in (scenario.ports.broker_url, *scenario.ports.holder_urls):
        for path in ("/v1/documents", "/v1/withdrawals", f"/{BANK_A['passport']}"):
            httpx.post(
                f"{url}{path}",
                params={"phone": BANK_A["phone"]},
                headers={"X-Request-Id": BANK_A["email"], "User-Agent": BANK_A["note"], "Signature": BANK_A["iban"]},
                content=json.dumps(BANK_A).encode(),
                trust_env=False,
            )


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_what_is_planted_is_in_nothing_that_a_run_leaves(
    tmp_path: Path, database: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    verbose = tmp_path / "verbose"
    verbose.mkdir()
    (verbose / "sitecustomize.py").write_text(VERBOSE, "utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(verbose), *filter(None, [os.environ.get("PYTHONPATH")])]))
    write_files(tmp_path / "files")
    url = request.getfixturevalue("postgres_url") if database == "postgres" else ""
    scenario = Scenario(
        tmp_path / "run",
        read_folder(tmp_path / "files"),
        rules=demonstration_rules(),
        clock=SystemClock(),
        region="GB",
        database_url=url,
        passphrase=PASSPHRASE,
    )
    scenario.set_up()
    try:
        scenario.start()
        reports = [scenario.sync(name) for name in scenario.institution_ids]
        scenario.wait_until_matched()
        disturb_the_services(scenario)
        scenario.processes.kill("holder3")
        reports += [scenario.sync("bank-a")]
        preview = ["institution", "preview", "--home", str(scenario.home("bank-a"))]
        assert scenario.processes.run("bank-a", preview).exit_code == 0
        scenario.wait_until_matched()
        scenario.wait_until_cosigned()
        opened = charity(scenario, "open", "--all", "--json") + charity(scenario, "export", "--all")
        page = look_at_the_desk(scenario)
        records = loot_of(open_engine(scenario.broker_database))
        secrets = Secrets.of(scenario, records)
    finally:
        scenario.processes.stop()

    logs = {path.name: path.read_text("utf-8") for path in (scenario.folder / "logs").iterdir()}
    assert "send_request_headers" in logs["bank-b-command.err"]
    assert any('"level": "debug"' in text for name, text in logs.items() if name.startswith("broker"))
    texts = needles_of(planted_texts())
    # The search finds what is there: in the institutions' files, in what the charity was shown, on the desk's page.
    assert found_in((tmp_path / "files" / "bank-a.csv").read_bytes(), texts)
    assert "normalised phone" in found_in(opened.encode(), texts)
    assert "normalised phone" in found_in(page.encode(), texts)
    assert reports[0]["sent"] >= 1
    assert reports[0]["rejected"]
    assert len(records) >= 2
    assert len(secrets.named) > 60
    # The secrets are the run's own: the tag that follows from one of them is in a record.
    tag_key = tags.derive_possession(secrets.named["y of phone"]).public_key
    assert any(tag_key in entry for one in records for entry in one.record.entries)
    everything = texts | needles_of(secrets.named)
    assert found_in(json.dumps(reports, ensure_ascii=False).encode(), everything) == set()
    assert search_files(tmp_path / "run", everything) == {}
    if url:
        assert search_database(url, everything) == set()


def test_the_search_finds_every_form_of_what_it_looks_for(tmp_path: Path) -> None:
    needles = needles_of({"text": "Canary.Text@Example.org", "bytes": bytes(range(200, 232))})
    secret, text = bytes(range(200, 232)), b"Canary.Text@Example.org"
    for raw in (secret, text):
        for form in (raw, raw.hex().encode(), raw.hex().upper().encode()):
            assert found_in(b"x" + form + b"y", needles)
        for before in (b"", b"1", b"22"):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                assert found_in(encode(before + raw + b"behind"), needles)
    assert found_in("canary.text@example.ORG".encode("utf-16-le"), needles)
    assert not found_in(b"canary.text@example.com", needles)
