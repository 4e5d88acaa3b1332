"""`crosslight log`: what anybody can verify with a file, a policy and nothing else."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from policies.log.checkpoint import CosignedCheckpoint, add_cosignature, make_checkpoint, witness_name
from policies.log.commands import log
from policies.log.errors import LogRefused
from policies.log.split_view import SplitView
from policies.log.witness_policy import make_policy
from runtime.clock import SystemClock, unix
from tests.log_tree import MemoryLog
from tests.unit.test_log_proofs import BROKER, LOG, ORIGIN, WITNESSES, cosigned, policy, proof


def run(*arguments: object) -> Result:
    return CliRunner().invoke(log, [str(argument) for argument in arguments])


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(result: Result) -> str:
    assert isinstance(result.exception, LogRefused)
    return result.exception.reason


def test_a_proof_is_verified_from_three_files(tmp_path: Path) -> None:
    rules = written(tmp_path, "policy.txt", policy(2).format())
    file = written(tmp_path, "receipt.tlog-proof", proof(300, cosigned("bank-a", "charity")).format())
    leaf = written(tmp_path, "leaf.json", LOG.leaves[300] + b"\n")
    done = run("proof", file, "--leaf", leaf, "--policy", rules, "--json")
    assert done.exit_code == 0
    assert json.loads(done.output)["index"] == 300
    other = written(tmp_path, "other.json", LOG.leaves[301])
    assert "root" in refusal(run("proof", file, "--leaf", other, "--policy", rules))


def test_a_checkpoint_counts_while_its_cosignatures_are_of_today(tmp_path: Path) -> None:
    rules = written(tmp_path, "policy.txt", policy(1).format())
    now = unix(SystemClock())
    fresh = written(tmp_path, "fresh", cosigned("holder1", at=now).text)
    done = run("checkpoint", fresh, "--policy", rules)
    assert done.exit_code == 0
    assert "700 leaves" in done.output
    assert "Cosigned by holder1" in done.output
    old = written(tmp_path, "old", cosigned("holder1", at=now - 90_000).text)
    assert "24 hours" in refusal(run("checkpoint", old, "--policy", rules))
    none = written(tmp_path, "none", cosigned().text)
    assert "does not carry" in refusal(run("checkpoint", none, "--policy", rules))


def evidence(kept: str, shown: str, **changes: Any) -> dict[str, Any]:
    key = policy(0).logs[0]
    return {**SplitView("forked", key, kept, shown, 1000).to_document(), **changes}


def test_evidence_of_two_histories_is_checked_under_the_log_s_key(tmp_path: Path) -> None:
    forked = make_checkpoint(ORIGIN, 700, MemoryLog([b"x"] * 700).checkpoint().root, BROKER)
    file = written(tmp_path, "evidence.json", json.dumps(evidence(cosigned().text, forked)))
    rules = written(tmp_path, "policy.txt", policy(0).format())
    done = run("evidence", file, "--policy", rules)
    assert done.exit_code == 0
    assert "two histories" in done.output
    assert run("evidence", file, "--log-key", policy(0).logs[0].format()).exit_code == 0
    same = written(tmp_path, "same.json", json.dumps(evidence(cosigned().text, cosigned().text)))
    assert "can both be honest" in refusal(run("evidence", same, "--policy", rules))


def test_a_time_set_back_shows_under_the_policy_s_own_witness_alone(tmp_path: Path) -> None:
    key = policy(1).witnesses["bank-a"]
    longer = MemoryLog([*LOG.leaves, b"one more"], ORIGIN).checkpoint()
    shown = make_checkpoint(ORIGIN, longer.size, longer.root, BROKER)
    shown = add_cosignature(shown, key.name, WITNESSES["bank-a"], 1000)
    claim = evidence(cosigned("bank-a", at=2000).text, shown, fault="back-dated", witnesses=[key.format()])
    file = written(tmp_path, "evidence.json", json.dumps(claim))
    rules = written(tmp_path, "policy.txt", policy(1).format())
    done = run("evidence", file, "--policy", rules)
    assert done.exit_code == 0
    assert "set back" in done.output
    assert "give --policy" in refusal(run("evidence", file, "--log-key", policy(1).logs[0].format()))
    others = make_policy(ORIGIN, BROKER.public_key, {"holder1": WITNESSES["holder1"].public_key}, ["holder1"], 1)
    other = written(tmp_path, "other.txt", others.format())
    assert "does not have" in refusal(run("evidence", file, "--policy", other))


def test_what_the_file_alone_does_not_prove_is_said(tmp_path: Path) -> None:
    shorter = LOG.checkpoint(600)
    shown = make_checkpoint(ORIGIN, 600, shorter.root, BROKER)
    file = written(tmp_path, "cut.json", json.dumps(evidence(cosigned().text, shown, fault="truncated")))
    done = run("evidence", file, "--log-key", policy(0).logs[0].format())
    assert done.exit_code == 0
    assert "the word of whoever kept this file" in done.output


def test_files_that_are_none_are_refused_with_a_sentence(tmp_path: Path) -> None:
    rules = written(tmp_path, "policy.txt", policy(0).format())
    bad = written(tmp_path, "bad", b"\xff\xfe")
    assert "not UTF-8" in refusal(run("checkpoint", bad, "--policy", rules))
    assert "quorum" in refusal(run("checkpoint", bad, "--policy", written(tmp_path, "empty", "")))
    assert "names no log" in refusal(run("checkpoint", bad, "--policy", written(tmp_path, "none", "quorum none\n")))
    assert "not JSON" in refusal(run("evidence", written(tmp_path, "x", "{"), "--policy", rules))
    assert run("evidence", bad).exit_code == 2


def test_a_cosignature_of_a_stranger_is_passed_over(tmp_path: Path) -> None:
    text = add_cosignature(cosigned().text, witness_name(ORIGIN, "stranger"), WITNESSES["bank-a"], unix(SystemClock()))
    rules = written(tmp_path, "policy.txt", policy(1).format())
    file = written(tmp_path, "note", CosignedCheckpoint(text).text)
    assert "does not carry" in refusal(run("checkpoint", file, "--policy", rules))
