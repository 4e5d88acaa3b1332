"""`crosslight auditor` from the command line: what each command prints, as text and as JSON, and how it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cli.main import crosslight
from clients.auditor import commands
from clients.auditor.console.app import COOKIE, create_app
from clients.local_page.access import Access
from policies.decisions.decision_files import read_decisions
from policies.log.leaves import PREFIX
from runtime.console import PASSPHRASE_VARIABLE, run_command
from runtime.exits import ExitCode
from tests.auditor_world import Audit, make_audit

HOST = "127.0.0.1:8745"
ORIGIN = f"http://{HOST}"
Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return make_audit(tmp_path / "regulator", decisions=60)


@pytest.fixture
def run(audit: Audit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "any")
    monkeypatch.setattr(commands, "open_auditor", lambda home, passphrase: audit.auditor())

    def run(*arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        code = run_command(crosslight, ["auditor", *arguments, "--home", str(audit.home)])
        printed = capsys.readouterr()
        text = printed.out or printed.err
        return code, json.loads(text) if "--json" in arguments else text

    return run


def falsify(audit: Audit) -> int:
    place = next(n for n, leaf in enumerate(audit.log.leaves) if f'"{PREFIX}decision"'.encode() in leaf)
    leaf = json.loads(audit.log.leaves[place])
    leaf["decision"]["allowed"] = not leaf["decision"]["allowed"]
    audit.log.leaves[place] = json.dumps(leaf, separators=(",", ":"), sort_keys=True).encode()
    audit.cosign()
    return place


def test_an_honest_log_ends_with_0(audit: Audit, run: Run):
    code, report = run("log", "verify", "--copy", "--json")
    assert (code, report["findings"], report["size"]) == (ExitCode.OK, [], len(audit.log.leaves))
    assert "holder1" in report["witnesses"]
    code, report = run("replay", "--json")
    assert (code, report["decisions"], report["replayed"], report["differ"]) == (ExitCode.OK, 60, 60, 0)
    code, text = run("log", "verify", "--anew")
    assert code == ExitCode.OK
    assert "Nothing was found that does not hold." in text


def test_a_finding_ends_with_8_and_is_named(audit: Audit, run: Run):
    place = falsify(audit)
    assert run("log", "verify")[0] == ExitCode.OK
    code, report = run("replay", "--json")
    assert (code, report["differ"]) == (ExitCode.VERIFICATION_FAILED, 1)
    assert report["findings"][0]["position"] == place
    code, text = run("replay", "--again")
    assert code == ExitCode.VERIFICATION_FAILED
    assert f"The decision in leaf {place} " in text
    assert [each["position"] for each in run("decisions", "--differing", "--json")[1]["decisions"]] == [place]


def test_decisions_are_filtered_and_written_for_a_simulation(run: Run, tmp_path: Path):
    run("log", "verify")
    file = tmp_path / "decisions.jsonl"
    code, report = run("decisions", "--party", "bank-a", "--limit", "3", "--output", str(file), "--json")
    assert code == ExitCode.OK
    assert len(report["decisions"]) == 3
    assert report["total"] == len(list(read_decisions(file))) == 24
    assert run("decisions", "--since", "2026-01-02", "--until", "2026-01-03", "--json")[1]["total"] == 10
    assert run("decisions", "--since", "soon")[0] == ExitCode.USAGE
    assert "No such decision" in run("decisions", "--rule", "none")[1]


def test_policies_and_evaluations(run: Run):
    run("log", "verify")
    code, report = run("policies", "--json")
    assert code == ExitCode.OK
    assert [each["version"] for each in report["versions"]] == [1]
    assert report["matrix"]
    assert "may send records" in run("policies", "--matrix")[1]
    code, report = run("evaluations", "--outliers", "--json")
    assert (code, len(report["days"])) == (ExitCode.OK, 3)
    assert "OUTLIER" in run("evaluations")[1]


def test_a_log_without_enough_witnesses_cannot_be_relied_on(audit: Audit, run: Run):
    audit.log.cosigned_note = None
    code, report = run("log", "verify", "--json")
    assert code == ExitCode.UNREACHABLE
    assert "enough witnesses" in report["error"]


@pytest.fixture
def browser(audit: Audit) -> FlaskClient:
    audit.audit()
    access = Access.on_port(8745, COOKIE)
    client = create_app(audit.auditor(), access).test_client()
    assert client.get(f"/enter?token={access.token}", base_url=ORIGIN).status_code == 303
    return client


def test_every_page_of_the_console_answers_and_holds_nothing_inline(browser: FlaskClient):
    pages = ["/", "/agreements", "/agreements/1", "/decisions", "/evaluations", "/records", "/keys", "/activity"]
    for path in (*pages, "/findings", "/leaves", "/leaves/0", "/leaves?type=submission&party=bank-a"):
        answer = browser.get(path, base_url=ORIGIN)
        assert answer.status_code == 200, path
        assert not re.search(r"<script|style=| on\w+=|https?://(?!www\.w3\.org)(?!holder|broker)", answer.text), path
        assert "script-src" in answer.headers["Content-Security-Policy"] or "default-src 'none'" in str(answer.headers)


@pytest.mark.parametrize("path", ["/agreements/9", "/leaves/99999", "/decisions/0", "/decisions/99999", "/none"])
def test_what_is_not_there_is_not_found(browser: FlaskClient, path: str):
    assert browser.get(path, base_url=ORIGIN).status_code == 404


def test_odd_questions_are_answered(browser: FlaskClient):
    for query in ("page=0", "page=x", "since=x", "until=9999-12-31", "since=2026-13-01", "answer=?", "party=%00"):
        assert browser.get(f"/decisions?{query}", base_url=ORIGIN).status_code == 200, query
        assert browser.get(f"/leaves?{query}", base_url=ORIGIN).status_code == 200, query


def test_no_view_answers_a_stranger(audit: Audit):
    client = create_app(audit.auditor(), Access.on_port(8745, COOKIE)).test_client()
    for path in ("/", "/decisions", "/leaves/0", "/findings"):
        assert client.get(path, base_url=ORIGIN).status_code == 401
    for path in ("/verify", "/replay"):
        assert client.post(path, base_url=ORIGIN).status_code == 401


def test_work_is_begun_by_the_consoles_own_form_alone(browser: FlaskClient):
    for path in ("/verify", "/replay"):
        assert browser.post(path, base_url=ORIGIN).status_code == 403
