"""`crosslight doctor`: whole vectors pass with a count, every damaged field is named, and no file can crash it."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import cli.doctor
from cli.main import COMMANDS, crosslight
from cli.vectors.files import FORMS
from runtime.console import run_command
from tests.worked_bytes import VECTORS, worked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = tmp_path / "vectors"
    shutil.copytree(VECTORS / "crosslight", copied)
    return copied


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = run_command(crosslight, ["doctor", *arguments])
    return code, capsys.readouterr().out


def change(folder: Path, name: str, path: list[Any], value: Any) -> None:
    document = json.loads((folder / name).read_text())
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value(node[path[-1]]) if callable(value) else value
    (folder / name).write_text(json.dumps(document))


def flipped(text: str) -> str:
    return ("1" if text[0] != "1" else "2") + text[1:]


def test_the_worked_bytes_are_all_as_computed(folder: Path, capsys: pytest.CaptureFixture[str]):
    code, text = doctor(capsys, "--vectors", str(folder))
    assert (code, text) == (0, "793 fields in 10 files checked, all as computed.\n")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("documents.json", ["epoch", "canonical"]),
        ("documents.json", ["epoch", "epoch_id"]),
        ("documents.json", ["roster", "signatures", "bank-b"]),
        ("documents.json", ["roster", "roster_hash"]),
        ("oprf_threshold.json", ["cases", 2, "runs", 1, "answers", 2, "proof"]),
        ("oprf_threshold.json", ["cases", 1, "public_shares", "3"]),
        ("oprf_threshold.json", ["cases", 0, "chunk_digest"]),
        ("tags.json", ["identifiers", 4, "y"]),
        ("tags.json", ["identifiers", 0, "report_desk_entry"]),
        ("tags.json", ["sorted_entries", 5]),
        ("record_secret.json", ["overlap_secret"]),
        ("record_secret.json", ["runs", 1, "answers", 0, "element"]),
        ("record.json", ["okm"]),
        ("record.json", ["entry_hashes", 1]),
        ("record.json", ["leaf"]),
        ("hpke_xwing.json", ["enc"]),
        ("hpke_xwing.json", ["info"]),
        ("submission.json", ["records", 3, "path"]),
        ("submission.json", ["records", 0, "entries", 1]),
        ("submission.json", ["withdrawal", "signature"]),
        ("merkle.json", ["trees", 7, "paths", 4]),
    ],
)
def test_one_changed_field_is_named_with_its_file(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, path: list[Any]
):
    change(folder, name, path, flipped)
    code, text = doctor(capsys, "--vectors", str(folder))
    field = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")
    assert code == 8
    assert any(line.startswith(f"{name}: {field}: ") for line in text.splitlines())


def test_changed_decisions_are_found(folder: Path, capsys: pytest.CaptureFixture[str]):
    change(folder, "opening_rule.json", ["cases", 0, "expected", "R"], None)
    change(folder, "ed25519_strict.json", ["cases", 3, "valid"], True)
    code, text = doctor(capsys, "--vectors", str(folder), "--json")
    found = {
        name: [each["field"] for each in report["differences"]] for name, report in json.loads(text)["files"].items()
    }
    assert code == 8
    assert found["opening_rule.json"] == ["cases[0].expected.R"]
    assert found["ed25519_strict.json"] == ["cases[3].valid"]
    assert sum(map(len, found.values())) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no JSON"),
        ('{"a": 1, "a": 2}', "twice"),
        ("[]", "no known form"),
        ('{"something": "else"}', "no known form"),
        ("[" * 100_000, "nested too deeply"),
        ("\udcff", "is no JSON"),
    ],
)
def test_a_damaged_or_unknown_file_gets_one_clear_line(
    folder: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
):
    (folder / "extra.json").write_text(content, errors="surrogateescape")
    code, text = doctor(capsys, "--vectors", str(folder))
    lines = [line for line in text.splitlines() if line.startswith("extra.json: ")]
    assert code == 8
    assert len(lines) == 1
    assert said in lines[0]


def nested_places(value: Any) -> list[list[Any]]:
    """The path to each container of a JSON value, but for long lists of plain values their first."""
    places: list[list[Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, part in items:
        places += [[key], *([key, *rest] for rest in nested_places(part))]
    return places


@pytest.mark.parametrize("form", [form for form in FORMS if form != "oprf_threshold"])
@pytest.mark.parametrize("junk", [None, 7, "zz", [], {}, True], ids=repr)
def test_a_field_of_another_type_is_a_difference_and_never_a_crash(form: str, junk: Any):
    from cli.vectors.files import check_file
    from cli.vectors.keys import Surroundings

    whole = worked(form)
    for path in nested_places(whole)[::5]:
        document = copy.deepcopy(whole)
        node = document
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = junk
        check_file(f"{form}.json", document, Surroundings())


@pytest.mark.parametrize("form", FORMS)
def test_a_file_without_one_of_its_fields_says_which(folder: Path, capsys: pytest.CaptureFixture[str], form: str):
    document = worked(form)
    removed = next(name for name in document if name != "description")
    del document[removed]
    (folder / f"{form}.json").write_text(json.dumps(document))
    code, text = doctor(capsys, "--vectors", str(folder))
    assert code == 8
    assert f"{form}.json: {removed}: is missing" in text


def test_each_file_is_checked_alone_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for form in FORMS:
        alone = tmp_path / form
        alone.mkdir()
        shutil.copy(VECTORS / "crosslight" / f"{form}.json", alone)
        code, text = doctor(capsys, "--vectors", str(alone))
        assert code == 0, text


def test_a_folder_without_vectors_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run_command(crosslight, ["doctor", "--vectors", str(tmp_path)]) == 3
    assert run_command(crosslight, ["doctor", "--vectors", str(tmp_path / "none")]) == 2
    assert "no .json file" in capsys.readouterr().err


def test_this_installation_is_well(capsys: pytest.CaptureFixture[str]):
    code, text = doctor(capsys, "--json")
    report = json.loads(text)
    assert [finding for finding in report["findings"] if not finding["well"]] == []
    assert (code, report["well"]) == (0, True)


def test_a_key_file_that_others_may_read_is_reported_with_the_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    tmp_path.chmod(0o700)
    (tmp_path / "keys.age").write_bytes(b"")
    (tmp_path / "keys.age").chmod(0o640)
    code, text = doctor(capsys, "--home", str(tmp_path))
    assert code == 8
    assert f"run chmod 600 {tmp_path / 'keys.age'}" in text
    (tmp_path / "keys.age").chmod(0o600)
    assert doctor(capsys, "--home", str(tmp_path))[0] == 0


def test_a_missing_second_hpke_is_a_sentence_and_no_failure(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cli.doctor.second_hpke, "available", lambda: False)
    (finding,) = cli.doctor._hpke()
    assert finding.well
    assert "not installed" in finding.sentence


def test_help_lists_every_party_without_importing_any(capsys: pytest.CaptureFixture[str]):
    assert run_command(crosslight, ["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)
    assert run_command(crosslight, ["nonsense"]) == 2
