"""The charity's store and exports: nothing readable on disk, nothing lost, private files that overwrite none."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from clients.charity.exports import opened_pairs, pairs_csv, records_csv, write_private
from clients.charity.store import CharityStore, QueueEntry, Review
from crypto.local_encryption import generate_local_key
from runtime.exits import ExitCode, UserError
from tests.charity_world import CharityWorld
from tests.desk_server import ANNA, example_charity


@pytest.fixture
def charity(tmp_path: Path) -> CharityWorld:
    return example_charity(tmp_path / "charity")


def entry(alert_id: str, **changes: object) -> QueueEntry:
    made = QueueEntry(alert_id, "00", "raised", 1, 1, 2, ("bank-a",), ("phone",), 6)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_what_was_opened_is_nowhere_readable_on_disk(charity: CharityWorld):
    office = charity.office()
    office.refresh_queue()
    (case, *_) = office.open_alerts(["k3jd81hs"])
    office.review("k3jd81hs", "pursue", "a note that nobody may read")
    assert case.opened == 3
    office.close()
    needles = [value.encode() for value in ANNA.values()]
    needles += [b"a note that nobody may read", b"k3jd81hs", b"bank-a", b"pursue"]
    files = [path for path in charity.home.iterdir() if path.name.startswith("charity.sqlite3")]
    content = b"".join(path.read_bytes() for path in files)
    assert len(content) > 4096
    assert [needle for needle in needles if needle in content] == []
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_what_was_kept_is_there_after_a_restart(charity: CharityWorld):
    office = charity.office()
    office.refresh_queue()
    cases = office.open_alerts(["k3jd81hs", "p0zm42xa"])
    office.review("p0zm42xa", "no-concern", "")
    office.close()
    again = charity.office()
    assert again.store.cases() == {case.alert_id: case for case in cases}
    assert [item.entry.alert_id for item in again.queue()][-1] == "p0zm42xa"
    again.close()


def test_another_key_opens_nothing_and_swapped_rows_are_found(tmp_path: Path):
    path, key = tmp_path / "store.sqlite3", generate_local_key()
    store = CharityStore(path, key)
    store.add_review("a", Review("pursue", "first", 1))
    store.add_review("b", Review("unclear", "second", 2))
    store.close()
    other = CharityStore(path, generate_local_key())
    assert other.reviews("a") == []
    with pytest.raises(UserError) as caught:
        other.latest_reviews()
    assert caught.value.exit_code == ExitCode.KEYS
    other.close()
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, content FROM sealed_row ORDER BY name").fetchall()
        for (name, _), (_, content) in zip(rows, reversed(rows), strict=True):
            connection.execute("UPDATE sealed_row SET content = ? WHERE name = ?", (content, name))
    store = CharityStore(path, key)
    with pytest.raises(UserError, match="does not open"):
        store.reviews("a")
    store.close()


def test_an_alert_that_the_broker_took_back_stays_if_it_was_reviewed(tmp_path: Path):
    store = CharityStore(tmp_path / "store.sqlite3", generate_local_key())
    store.save_queue([entry("reviewed"), entry("untouched"), entry("still-there")])
    store.add_review("reviewed", Review("pursue", "", 1))
    store.save_queue([entry("still-there", changed_at=9)])
    queue = store.queue()
    assert set(queue) == {"reviewed", "still-there"}
    assert not queue["reviewed"].is_listed
    assert queue["still-there"].changed_at == 9
    with pytest.raises(UserError):
        store.add_review("reviewed", Review("guilty", "", 1))
    store.close()


def test_pairs_are_those_whose_records_are_both_open(charity: CharityWorld):
    office = charity.office()
    cases = office.open_alerts(["k3jd81hs", "p0zm42xa", "w9bb37qe"])
    office.close()
    pairs = opened_pairs(cases)
    named = sorted((pair.institution_a, pair.institution_b) for pair in pairs)
    assert named == [("bank-a", "bank-b"), ("bank-a", "bank-e"), ("bank-a", "police-c"), ("bank-b", "police-c")]
    rows = list(csv.DictReader(io.StringIO(pairs_csv(pairs))))
    assert {row["kinds"] for row in rows} == {"passport", "bank-account", "passport person.name-birthdate phone"}


def test_an_export_holds_opened_values_and_no_formula(charity: CharityWorld):
    office = charity.office()
    (case,) = office.open_alerts(["k3jd81hs"])
    office.close()
    record = replace(case.records[0], fields={"note": "=HYPERLINK(1)"})
    rows = list(csv.DictReader(io.StringIO(records_csv([replace(case, records=(record, *case.records[1:]))]))))
    assert {row["value"] for row in rows if row["name"] == "passport"} == {ANNA["passport"]}
    assert [row["value"] for row in rows if row["name"] == "note"] == ["'=HYPERLINK(1)"]
    assert "bank-e" not in {row["institution_id"] for row in rows}


def test_a_written_file_is_private_and_overwrites_nothing(tmp_path: Path):
    path = tmp_path / "export.json"
    write_private(path, json.dumps({"a": 1}))
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UserError, match="not overwritten"):
        write_private(path, "other")
    with pytest.raises(UserError, match="cannot be written"):
        write_private(tmp_path / "none" / "x", "y")
