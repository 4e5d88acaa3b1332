"""The auditor's copy of the log: what is verified, what is found and named, and what a kill leaves behind."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from clients.auditor.evaluations import evaluated_days
from clients.auditor.frontier import Frontier
from clients.auditor.ledger import Ledger
from clients.auditor.ledger_schema import DecisionFilter
from clients.auditor.replaying import replay_decisions
from clients.auditor.verification import verify_log
from clients.log.witness_duty import SplitViewReported
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.leaves import PREFIX
from policies.log.tree import leaf_hash, root_of
from runtime.exits import UserError
from tests.agreement_world import make_world
from tests.auditor_world import DAYS, PROBED_DAY, PROBER, Audit, decision_leaves, make_audit
from tests.project_files import ROOT


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return make_audit(tmp_path / "regulator")


def place_of(audit: Audit, event: str, number: int = 0) -> int:
    found = [place for place, leaf in enumerate(audit.log.leaves) if f'"{PREFIX}{event}"'.encode() in leaf]
    return found[number]


def changed(audit: Audit, place: int, **members: object) -> bytes:
    document = json.loads(audit.log.leaves[place])
    return json.dumps({**document, **members}, separators=(",", ":"), sort_keys=True).encode()


def test_an_honest_log_has_no_finding_and_is_verified_whole(audit: Audit):
    assert audit.audit() == []
    ledger = audit.auditor().ledger
    assert ledger.size == len(audit.log.leaves)
    assert ledger.counts()["activity"] == 24 * DAYS
    assert ledger.replayed()[0] == ledger.replayed()[1] == ledger.counts()["decision"]
    assert audit.auditor().checkpoint() is not None


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 700, 1025])
@pytest.mark.parametrize("step", [1, 100, 256, 1000])
def test_a_compact_range_gives_the_root_however_it_is_fed(audit: Audit, size: int, step: int):
    audit.log.leaves = [str(number).encode() for number in range(size)]
    hashes = [leaf_hash(leaf) for leaf in audit.log.leaves]
    frontier = Frontier()
    for start in range(0, size, step):
        frontier.add(hashes[start : start + step])
        frontier = Frontier.decode(frontier.encode())
    assert (frontier.size, frontier.root()) == (size, root_of(audit.log, size))


def test_what_is_new_alone_is_read(audit: Audit):
    audit.verify()
    audit.log.append(*decision_leaves(audit.world, 10))
    audit.cosign()
    auditor = audit.auditor()
    with auditor.contact() as contact:
        verified = auditor.verify(contact, lambda _: None)
    assert (verified.added, verified.findings) == (10, ())


def test_a_leaf_that_is_not_the_logged_one_is_named(audit: Audit):
    place = place_of(audit, "submission", 3)
    true = audit.log.leaves[place]
    note = audit.log.cosigned_note
    assert note is not None
    audit.log.shown = note
    entries = audit.log.entries
    audit.log.entries = lambda tile: entries(tile).replace(true, changed(audit, place, records=51))  # type: ignore[method-assign]
    (found,) = [one for one in audit.verify() if one.subject == "log"]
    assert f"Leaf {place} is not the one" in found.sentence


def test_a_rewritten_log_is_a_split_view(audit: Audit):
    audit.verify()
    place = place_of(audit, "decision", 5)
    audit.log.leaves[place] = audit.log.leaves[place + 1]
    audit.log.append(*decision_leaves(audit.world, 5))
    audit.cosign()
    with pytest.raises(SplitViewReported, match="two histories"):
        audit.verify()


def test_a_rewritten_log_is_found_even_where_the_kept_checkpoint_was_lost(audit: Audit):
    audit.verify()
    (audit.home / "log-checkpoint.txt").unlink()
    place = place_of(audit, "decision", 5)
    audit.log.leaves[place] = audit.log.leaves[place + 1]
    audit.cosign()
    (found,) = [one for one in audit.verify() if one.subject == "log"]
    assert found.position == place
    assert found.sentence == f"Leaf {place}, a decision leaf, is another one in the log than when it was verified."


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"allowed": False, "rules": []}, "does not replay: It says refused, but the rules say allowed."),
        ({"rules": ["other"]}, "does not replay: It says that other decided"),
        ({"agreement_hash": "A" * 43}, "No agreement"),
        ({"rules_hash": "A" * 43}, "does not replay"),
        ({"more": 1}, "its members are not those of one"),
    ],
)
def test_a_false_decision_is_named_with_its_leaf(audit: Audit, change: dict[str, object], finding: str):
    place = place_of(audit, "decision", 7)
    record = {**json.loads(audit.log.leaves[place])["decision"], **change}
    audit.log.leaves[place] = changed(audit, place, decision=record)
    audit.cosign()
    (sentence,) = audit.audit()
    assert f"The decision in leaf {place} " in sentence
    assert finding in sentence


def test_a_dropped_submission_is_a_missing_number(audit: Audit):
    del audit.log.leaves[place_of(audit, "submission", 4)]
    audit.cosign()
    assert any("statement 3 of bank-b, but its statement 2 would be the next" in one for one in audit.audit())


def test_a_missing_hour_is_named(audit: Audit):
    del audit.log.leaves[place_of(audit, "activity", 30)]
    audit.cosign()
    assert any("2026-01-02 06:00:00 UTC would be the next" in one for one in audit.audit())


def test_a_missing_day_of_counts_is_named(audit: Audit):
    del audit.log.leaves[place_of(audit, "evaluations", 4)]
    audit.cosign()
    found = audit.audit()
    assert any("the counts of holder2" in one and "would be the next" in one for one in found)


def test_changed_counts_are_not_signed(audit: Audit):
    place = place_of(audit, "evaluations", 3)
    document = json.loads(audit.log.leaves[place])["document"]
    audit.log.leaves[place] = changed(audit, place, document={**document, "counts": {}})
    audit.cosign()
    assert any("are not signed by it" in one for one in audit.audit())


def test_a_document_that_the_broker_hides_is_named(audit: Audit):
    audit.broker.listed = [signed for signed in audit.world.documents if signed.type != "roster"]
    assert any("names roster 1, and the broker does not show that document" in one for one in audit.audit())


def test_the_commitments_behind_an_hour_must_be_its_own(audit: Audit):
    hours = audit.broker.hours
    first, second = sorted(hours)[:2]
    hours[first] = type(hours[first])(first, hours[second].commitments, hours[second].secret, ())
    assert any("are not those of leaf" in one for one in audit.audit())


def test_a_leaf_of_another_making_is_named(audit: Audit):
    place = audit.log.append(b'{"at":1,"type":"crosslight/v1 leaf gossip"}')
    audit.cosign()
    assert f"Leaf {place} is none that the log may hold." in audit.audit()


def test_a_changed_copy_is_found_and_named(audit: Audit):
    audit.verify()
    auditor = audit.auditor()
    assert auditor.verify_copy(lambda _: None) == []
    with sqlite3.connect(auditor.ledger.path) as connection:
        connection.execute("UPDATE leaf SET body = ? WHERE position = 20", (b"{}",))
    assert [one.sentence for one in auditor.verify_copy(lambda _: None)] == [
        "Leaf 20 of this copy was changed after it was verified."
    ]
    with sqlite3.connect(auditor.ledger.path) as connection:
        connection.execute("DELETE FROM leaf WHERE position = 20")
    assert "no longer those that were verified" in auditor.verify_copy(lambda _: None)[0].sentence


def test_decisions_are_found_by_party_action_rule_answer_and_time(audit: Audit):
    audit.audit()
    ledger = audit.auditor().ledger
    refused = ledger.decisions(DecisionFilter(allowed=False))
    assert refused and all("suspended" in " ".join(row.rules) for row in refused)
    rule = refused[0].rules[0]
    assert ledger.count_decisions(DecisionFilter(rule=rule)) == len(refused)
    assert ledger.count_decisions(DecisionFilter(rule=rule[:-1])) == 0
    own = ledger.decisions(DecisionFilter(party="bank-a", action="withdraw-records"))
    assert own and {row.party for row in own} == {"bank-a"}
    at = own[3].at
    assert own[3] in ledger.decisions(DecisionFilter(since=at, until=at + 1))


def test_without_the_witnesses_nothing_is_verified(tmp_path: Path):
    audit = make_audit(tmp_path / "regulator", decisions=6)
    audit.log.cosigned_note = None
    with pytest.raises(UserError, match="enough witnesses"):
        audit.verify()


def test_the_outlier_is_the_prober(audit: Audit):
    audit.verify()
    outliers = [one for one in evaluated_days(audit.auditor().ledger) if one.is_outlier]
    assert {(one.institution_id, one.family) for one in outliers} == {(PROBER, "phone")}
    assert {one.day for one in outliers} == {f"2026-01-0{PROBED_DAY + 1}"}
    assert len(outliers) == 3


def test_killed_at_any_point_it_goes_on(tmp_path: Path):
    world = make_world()
    log = world.log()
    log.append(*(leaf for _ in range(12) for leaf in decision_leaves(world, 1000)))
    note, path = log.note(), tmp_path / "auditor.sqlite"
    program = textwrap.dedent(
        """
        import pickle, sys
        from pathlib import Path
        from clients.auditor.ledger import Ledger
        from clients.auditor.verification import verify_log
        from policies.log.checkpoint import CosignedCheckpoint
        from tests.memory_log import MemoryLog
        leaves, note, origin = pickle.loads(Path(sys.argv[1]).read_bytes())
        print("begun", flush=True)
        log = MemoryLog(origin, None, leaves=leaves)
        verify_log(Ledger(Path(sys.argv[2])), log, CosignedCheckpoint(note), lambda _: print("step", flush=True))
        """
    )
    content = tmp_path / "log.pickle"
    content.write_bytes(pickle.dumps((log.leaves, note, log.origin)))
    reached = []
    for pause in (0.0, 0.05):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(content), str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        while process.stdout.readline().strip() not in ("step", ""):
            pass
        time.sleep(pause)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        reached.append(Ledger(path).size)
    assert 0 < reached[0] <= reached[1]
    ledger = Ledger(path)
    verified = verify_log(ledger, log, CosignedCheckpoint(note), lambda _: None)
    assert (verified.size, verified.findings) == (len(log.leaves), ())
    agreements = {world.trust.agreement.hash: world.trust.agreement}
    assert replay_decisions(ledger, agreements, lambda _: None) == []
    assert ledger.replayed() == (12_000, 12_000, 0)
