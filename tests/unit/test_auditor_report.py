"""The auditor's report: verified by whoever has it and the log's key, in each of its forms; refused once changed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from clients.auditor.auditor import Auditor
from clients.auditor.ledger_schema import Finding
from clients.auditor.replaying import replay_decisions
from clients.auditor.report.document import make_report
from clients.auditor.report.files import write_report_files
from clients.auditor.report.page import render_page
from clients.auditor.report.pdf import render_pdf
from clients.auditor.report.verify import verify_report, verify_signed
from clients.auditor.verification import verify_log
from crypto.keyfiles import KeyRing
from policies.decisions.decide import decide
from policies.decisions.question import Question
from policies.documents import SignedDocument, sign_document, write_json_file
from policies.library import DocumentLibrary
from policies.log.checkpoint import CosignedCheckpoint, add_cosignature, make_checkpoint, witness_name
from policies.log.leaves import agreement_leaf, decision_leaf, login_leaf
from policies.log.log_keys import LogKeys
from policies.log.signed_note import VerifierKey
from policies.log.tiles import TilePlace, entries_path, hash_path
from policies.party_keys import CARD_FILE
from runtime.exits import UserError
from tests.agreement_world import AUDITOR, START, World, make_world
from tests.clocks import MovableClock
from tests.log_tree import MemoryLog

DECISIONS = 300


class Source:
    """A log in memory as the client reads it."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def checkpoint(self) -> str:
        raise NotImplementedError

    def cosigned(self) -> str | None:
        raise NotImplementedError

    def tile(self, level: int, place: TilePlace) -> bytes:
        return self._log.fetch(hash_path(level, place))

    def entries(self, place: TilePlace) -> bytes:
        return self._log.fetch(entries_path(place))


def leaves_of(world: World) -> list[bytes]:
    agreement = world.trust.agreement
    facts = {"suspended": False, "departed": False, "records": 5}
    asked = Question("submit-records", "bank-a", "institution", START, facts)
    decisions = [decide(replace(asked, at=START + number), agreement) for number in range(DECISIONS)]
    return [
        login_leaf("bank-a", "institution", "2026-01-01", START),
        agreement_leaf(agreement.to_document(), START),
        *(decision_leaf(record.to_document(), record.question.at) for record in decisions),
    ]


def cosigned_of(world: World, log: MemoryLog) -> CosignedCheckpoint:
    origin, checkpoint = log.origin, log.checkpoint()
    text = make_checkpoint(origin, checkpoint.size, checkpoint.root, world.parties["broker"].signing_key)
    for name in ("holder1", "holder3"):
        text = add_cosignature(text, witness_name(origin, name), world.parties[name].signing_key, START + 1000)
    return CosignedCheckpoint(text)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(witness_quorum=2)


@pytest.fixture(scope="module")
def log_key(world: World) -> VerifierKey:
    return LogKeys.of(world.trust).key


def auditor_of(world: World, home: Path) -> Auditor:
    home.mkdir(exist_ok=True)
    write_json_file(home / CARD_FILE, world.parties[AUDITOR].card.to_document())
    library = DocumentLibrary.of_home(home)
    library.pin(world.agreement, world.agreement.hash)
    library.accept(world.epoch)
    library.accept(world.roster)
    return Auditor(home, KeyRing(dict(world.parties[AUDITOR].secrets)), clock=MovableClock())


@pytest.fixture(scope="module")
def auditor(world: World, tmp_path_factory: pytest.TempPathFactory) -> Auditor:
    """An auditor that has verified a log and replayed its decisions."""
    made = auditor_of(world, tmp_path_factory.mktemp("auditor") / "home")
    log = MemoryLog(leaves_of(world), LogKeys.of(world.trust).origin)
    verified = verify_log(made.ledger, Source(log), cosigned_of(world, log), lambda count: None)
    assert verified.findings == ()
    assert replay_decisions(made.ledger, made.agreements(), lambda count: None) == []
    return made


@pytest.fixture(scope="module")
def signed(auditor: Auditor) -> SignedDocument:
    return make_report(auditor)


def test_a_report_says_what_was_checked_over_which_checkpoint_with_what_result(signed: SignedDocument) -> None:
    document = signed.document
    assert document["result"] == "Everything that was checked holds."
    assert document["cosigned_by"] == ["holder1", "holder3"]
    assert document["leaves"] == {"agreement": 1, "decision": DECISIONS, "login": 1}
    assert document["decisions"] == {"logged": DECISIONS, "replayed": DECISIONS, "differ": 0}
    assert any(sentence.startswith("302 leaves") for sentence in document["checked"])
    # Nobody was asked for what they keep beside the log, and the report does not say otherwise.
    assert document["asked"] is False
    assert "were not asked" in render_page(signed)


def test_every_form_is_verified_with_the_log_s_key_alone(
    signed: SignedDocument, log_key: VerifierKey, tmp_path: Path
) -> None:
    files = write_report_files(signed, tmp_path / "report-1")
    assert [path.name for path in files] == ["report-1.json", "report-1.html", "report-1.pdf"]
    last = ("It is the signed report itself.", "The page says what was signed.", "The pages say what was signed.")
    for path, form in zip(files, last, strict=True):
        sentences = verify_report(path, log_key)
        assert "Everything that was checked holds." in sentences[-2]
        assert sentences[-1] == form
    with pytest.raises(UserError, match="not overwritten"):
        write_report_files(signed, tmp_path / "report-1")


def test_a_report_under_another_log_s_key_is_refused(signed: SignedDocument, log_key: VerifierKey) -> None:
    with pytest.raises(UserError):
        verify_signed(signed, replace(log_key, public_key=bytes(32)))
    with pytest.raises(UserError):
        verify_signed(signed, replace(log_key, name="other.example/example"))


@pytest.mark.parametrize(
    "member", ["result", "leaves", "findings", "checkpoint", "agreement", "agreement_proof", "made_at"]
)
def test_any_member_that_was_changed_is_noticed(signed: SignedDocument, log_key: VerifierKey, member: str) -> None:
    document = json.loads(rfc8785.dumps(signed.document))
    if isinstance(document[member], int):
        document[member] += 1
    elif isinstance(document[member], str):
        document[member] = document[member].replace("A", "B", 1).replace("E", "F", 1)
    else:
        document[member] = {**document[member], "title" if member == "agreement" else "other": "x"}
    with pytest.raises(UserError):
        verify_signed(SignedDocument(document, signed.signatures), log_key)


def test_a_report_that_somebody_else_signed_is_refused(
    world: World, signed: SignedDocument, log_key: VerifierKey
) -> None:
    forged = sign_document(dict(signed.document), AUDITOR, world.parties["bank-a"].signing_key)
    with pytest.raises(UserError, match="does not bear the signature"):
        verify_signed(forged, log_key)
    other = sign_document({**signed.document, "auditor_id": "bank-a"}, "bank-a", world.parties["bank-a"].signing_key)
    with pytest.raises(UserError, match="does not bear the signature"):
        verify_signed(other, log_key)


def test_a_page_that_was_changed_is_refused_though_the_report_in_it_holds(
    signed: SignedDocument, log_key: VerifierKey, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text(render_page(signed).replace("Everything that was checked holds.", "Nothing holds.", 1))
    with pytest.raises(UserError, match="The page was changed"):
        verify_report(path, log_key)
    path.write_text("<html><p>no report</p></html>")
    with pytest.raises(UserError, match="no signed report"):
        verify_report(path, log_key)


def test_a_pdf_whose_pages_differ_sends_its_reader_to_the_attachment(
    signed: SignedDocument, log_key: VerifierKey, tmp_path: Path
) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(render_pdf(signed) + b"\n% a remark\n")
    assert "cannot be told here" in verify_report(path, log_key)[-1]


def test_findings_and_what_was_not_replayed_stand_in_the_report(
    world: World, tmp_path: Path, log_key: VerifierKey
) -> None:
    made = auditor_of(world, tmp_path / "home")
    with pytest.raises(UserError, match="Nothing was verified yet"):
        make_report(made)
    log = MemoryLog(leaves_of(world), LogKeys.of(world.trust).origin)
    verify_log(made.ledger, Source(log), cosigned_of(world, log), lambda count: None)
    assert "300 decisions were not replayed yet" in make_report(made).document["result"]
    sentence = "Leaf 7 <is> not what it was."
    made.ledger.set_findings("times", [Finding("times", sentence, 7)])
    signed = make_report(made)
    assert signed.document["result"] == "Something does not hold: 1 finding."
    assert signed.document["findings"]["listed"] == [{"subject": "times", "sentence": sentence, "leaf": 7}]
    assert "Leaf 7 &lt;is&gt; not what it was." in render_page(signed)
    assert verify_signed(signed, log_key)[-1].endswith("1 finding.")


def test_a_log_without_the_agreement_s_leaf_gives_no_report(world: World, tmp_path: Path) -> None:
    made = auditor_of(world, tmp_path / "home")
    log = MemoryLog(leaves_of(world)[2:], LogKeys.of(world.trust).origin)
    verify_log(made.ledger, Source(log), cosigned_of(world, log), lambda count: None)
    with pytest.raises(UserError, match="no leaf of an agreement"):
        make_report(made)


def test_the_page_runs_no_script_and_loads_nothing(signed: SignedDocument) -> None:
    page: Any = render_page(signed)
    assert "<script" not in page
    assert "src=" not in page
    assert "http" not in page.split('<pre id="signed-report">')[0]
