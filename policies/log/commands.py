"""`crosslight log`: look at what the log says with nobody's help: checkpoints, proofs, evidence of a split view.

Reads files only; whoever has the file, the leaf and the witness policy needs nothing else.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from policies.document_commands import existing_file, trust_of
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.errors import LogRefused
from policies.log.log_keys import LogKeys
from policies.log.proof_file import ProofFile
from policies.log.signed_note import VerifierKey
from policies.log.split_view import SplitView
from policies.log.witness_policy import WitnessPolicy
from runtime.clock import SystemClock, unix
from runtime.console import emit, json_option
from wire.strict_json import InvalidJson, parse_json

LONGEST_FILE = 4 * 2**20

policy_option = click.option(
    "--policy", "policy_file", type=existing_file, required=True, help="The witness policy (C2SP tlog-policy)."
)


@click.group()
def log() -> None:
    """Verify what the transparency log says, from files alone.

    \b
    crosslight log policy --home bank-a > policy.txt     which log, which witnesses, how many
    crosslight log checkpoint NOTE --policy policy.txt   who signed and cosigned a checkpoint, and when
    crosslight log proof PROOF --leaf LEAF --policy ...  that a leaf is in the log
    crosslight log evidence FILE --policy policy.txt     that the log showed two histories
    """


@log.command("policy")
@click.option(
    "--home",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="The folder of a party that has accepted a roster.",
)
def show_policy(home: Path) -> None:
    """Print the witness policy that the newest roster carries, for whoever verifies without the documents."""
    click.echo(LogKeys.of(trust_of(home)).policy.format(), nl=False)


@log.command("checkpoint")
@click.argument("file", type=existing_file)
@policy_option
@json_option
def show_checkpoint(file: Path, policy_file: Path) -> None:
    """Verify a checkpoint's signatures and say whether it counts today.

    Ends with 8 where the log did not sign it, or the quorum did not cosign it within the last 24 hours.
    """
    policy, cosigned = _policy(policy_file), CosignedCheckpoint(_text(file))
    checkpoint = policy.check_log(cosigned)
    times = policy.cosigned_at(cosigned)
    policy.check(cosigned, unix(SystemClock()))
    lines = [f"{checkpoint.origin}: {checkpoint.size} leaves, root {checkpoint.root.hex()}."]
    lines += [f"Cosigned by {name} on {_moment(at)}." for name, at in sorted(times.items())]
    emit(
        {
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "cosigned_at": dict(sorted(times.items())),
        },
        "\n".join([*lines, "It counts: signed by the log, and cosigned as the agreement asks."]),
    )


@log.command("proof")
@click.argument("file", type=existing_file)
@click.option("--leaf", "leaf_file", type=existing_file, required=True, help="The leaf's bytes, as in the log.")
@policy_option
@json_option
def verify_proof(file: Path, leaf_file: Path, policy_file: Path) -> None:
    """Verify that a leaf is in the log, from a proof file (C2SP tlog-proof).

    A proof does not grow old: that a quorum cosigned its checkpoint suffices, whenever it was. A newline at the end of
    LEAF is left out.
    """
    proof = ProofFile.parse(_text(file))
    checkpoint = proof.verify(_policy(policy_file), _bytes(leaf_file).removesuffix(b"\n"))
    emit(
        {"origin": checkpoint.origin, "index": proof.index, "size": checkpoint.size, "root": checkpoint.root.hex()},
        f"The leaf is number {proof.index} of the log {checkpoint.origin}, among {checkpoint.size} leaves.",
    )


@log.command("evidence")
@click.argument("file", type=existing_file)
@click.option("--log-key", "key_text", metavar="VKEY", help="The log's verifier key.")
@click.option("--policy", "policy_file", type=existing_file, help="The witness policy, which holds the log's key.")
@json_option
def check_evidence(file: Path, key_text: str | None, policy_file: Path | None) -> None:
    """Check the evidence that a client kept when the log showed two histories.

    Both checkpoints bear the log's own signature, so whoever has its key can see for himself. That a witness set its
    time back shows under its key alone, which is in the policy. Ends with 8 where the file does not show what it says.
    """
    if (key_text is None) == (policy_file is None):
        raise click.UsageError("Give --log-key or --policy.")
    split_view = SplitView.from_document(_json(file))
    if policy_file is not None:
        policy = _policy(policy_file)
        key = next((key for key in policy.logs if key.name == split_view.log_key.name), policy.logs[0])
        sentence = split_view.check(key, policy.witnesses.values())
    elif split_view.witnesses:
        raise LogRefused("The evidence is about a witness: give --policy, which has the witnesses' keys.")
    else:
        sentence = split_view.check(VerifierKey.parse(key_text or ""))
    emit({"fault": split_view.fault, "seen_at": split_view.seen_at, "sentence": sentence}, f"It holds. {sentence}")


def _policy(path: Path) -> WitnessPolicy:
    policy = WitnessPolicy.parse(_text(path))
    if not policy.logs:
        raise LogRefused(f"{path} names no log.")
    return policy


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise LogRefused(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > LONGEST_FILE:
        raise LogRefused(f"{path} is longer than anything of the log ({LONGEST_FILE} bytes).")
    return content


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise LogRefused(f"{path} is not UTF-8 text.") from None


def _json(path: Path) -> object:
    try:
        return parse_json(_bytes(path))
    except InvalidJson as error:
        raise LogRefused(f"{path} is not JSON that evidence is written in: {error}.") from None


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
