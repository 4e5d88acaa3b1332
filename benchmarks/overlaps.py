"""All overlaps of five institutions, beside pairwise private set intersection with two peers on the same machine.

CPU seconds of all parties together, as library calls (no HTTP, no database on either side). Each peer runs in an
environment of its own under var/peers, since their pins conflict. Usage: python -m benchmarks.overlaps [--size N]
"""

from __future__ import annotations

import argparse
import json
import math
import secrets
import subprocess
import sys
import time
import venv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.one_processor import use_one_processor
from crypto import envelopes, group, merkle, oprf, records, scalars, shares, tags
from crypto.records import Context, Head

ROOT = Path(__file__).parents[1]
INSTITUTIONS = 5
PEERS = {"openmined-psi": ("openmined_pair", "openmined-psi==2.0.6"), "spu (ECDH)": ("spu_pair", "spu==0.9.5")}
PEER_PAIRS = 2
ENTRIES_PER_RECORD = 3
PART = 4
"""Whole records are measured on a quarter of the size and multiplied: their cost is the same for each of them."""
EPOCH = bytes(32)


class Holders:
    """t_h of n key holders with a dealt key each: what they do is measured, not how their keys came to be."""

    def __init__(self, threshold: int, holders: int) -> None:
        coefficients = [int.from_bytes(scalars.random_scalars(1), "little") for _ in range(threshold)]
        self.commitments = tuple(group.multiply_base(_scalar(coefficient)) for coefficient in coefficients)
        self.holder_set = tuple(range(1, threshold + 1))
        self.shares = {
            index: _scalar(sum(c * index**power for power, c in enumerate(coefficients)))
            for index in range(1, holders + 1)
        }

    def evaluate(self, elements: bytes) -> bytes:
        """Ask the whole set for one chunk, verify each proof, add the answers."""
        answers = []
        for index in self.holder_set:
            answer = shares.evaluate_share(self.shares[index], self.commitments, index, self.holder_set, elements)
            shares.verify_share(self.commitments, index, self.holder_set, elements, answer)
            answers.append(answer.elements)
        return shares.combine(answers)


def outputs(holders: Holders, inputs: Sequence[bytes]) -> list[bytes]:
    """The OPRF outputs of `inputs`, in chunks of 512."""
    found: list[bytes] = []
    for start in range(0, len(inputs), oprf.CHUNK_LIMIT):
        chunk = inputs[start : start + oprf.CHUNK_LIMIT]
        blinded = oprf.blind(chunk)
        found += oprf.finalize(chunk, blinded.blinds, holders.evaluate(blinded.elements))
    return found


def tags_alone(holders: Holders, size: int) -> float:
    """CPU seconds until every overlap of the five sets is known, by tags that only support."""
    started = time.process_time()
    seen: Counter[bytes] = Counter()
    for institution in range(INSTITUTIONS):
        inputs = [tags.identifier_input(EPOCH, "phone", value) for value in values(institution, size)]
        seen.update(tags.support_tag(y) for y in outputs(holders, inputs))
    check_overlap(seen, size)
    return time.process_time() - started


def whole_records(holders: Holders, size: int) -> float:
    """The same with possession, record secrets and envelopes, three identifiers a record; every record signed."""
    started = time.process_time()
    seen: Counter[bytes] = Counter()
    for institution in range(INSTITUTIONS):
        inputs = [tags.identifier_input(EPOCH, "phone", value) for value in values(institution, size)]
        seen.update(seal(holders, f"bank-{institution}", outputs(holders, inputs)))
    check_overlap(seen, size)
    return time.process_time() - started


def seal(holders: Holders, institution_id: str, found: list[bytes]) -> list[bytes]:
    """Make one institution's records of its outputs; returns their tags."""
    contexts = [
        Context(EPOCH, institution_id, secrets.token_bytes(16), 1, 2)
        for _ in range(math.ceil(len(found) / ENTRIES_PER_RECORD))
    ]
    encoded = [context.encode() for context in contexts]
    own: list[bytes] = []
    heads: list[bytes] = []
    for number, context in enumerate(contexts):
        three = found[number * ENTRIES_PER_RECORD : (number + 1) * ENTRIES_PER_RECORD]
        entries = tags.sort_entries([tags.possession_entry("phone", y, encoded[number]) for y in three])
        own += [entry.tag for entry in entries]
        hashes = tuple(records.entry_hash(secrets.token_bytes(16), entry.encode()) for entry in entries)
        heads.append(Head(context, bytes(32), hashes).encode())
    batch_secret = secrets.token_bytes(32)
    leaves = []
    for start in range(0, len(encoded), oprf.CHUNK_LIMIT):
        chunk = encoded[start : start + oprf.CHUNK_LIMIT]
        answers = oprf.outputs(chunk, holders.evaluate(oprf.hash_inputs(chunk)))
        for ctx, head, y_r in zip(chunk, heads[start : start + oprf.CHUNK_LIMIT], answers, strict=True):
            envelope = envelopes.seal_envelope(
                envelopes.recipient_secret(batch_secret, ctx), envelopes.overlap_secret(y_r), ctx, head, b"{}", 1024
            )
            leaves.append(
                records.leaf(records.record_bytes(head, records.Record(head, (), (), envelope).envelope_hash))
            )
    merkle.root(leaves)
    return own


def values(institution: int, size: int) -> list[str]:
    """The institution's distinct values; each neighbour shares half of them, as in the peers' pairs."""
    return [f"+4479{index:09d}" for index in range(institution * size // 2, institution * size // 2 + size)]


def check_overlap(seen: Counter[bytes], size: int) -> None:
    """The right number of values is in two sets; a benchmark of wrong answers would be worth nothing."""
    shared = sum(count == 2 for count in seen.values())
    if shared != (INSTITUTIONS - 1) * (size - size // 2):
        raise SystemExit(f"{shared} values were found shared")


def peer_seconds(script: str, requirement: str, size: int) -> float:
    """CPU seconds of one pairwise run of a peer, the mean of a few."""
    home = ROOT / "var/peers" / script
    python = home / "bin/python"
    if not python.exists():
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", requirement], check=True)
    total = 0.0
    for _ in range(PEER_PAIRS):
        command = [python, ROOT / f"benchmarks/peers/{script}.py", str(size)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        total += float(json.loads(done.stdout.strip().splitlines()[-1])["cpu_seconds"])
    return total / PEER_PAIRS


def ahead_from(ours_each: float, theirs_a_pair: float) -> int:
    """From how many institutions on n evaluations cost less than n(n-1)/2 pairwise runs."""
    return math.floor(1 + 2 * ours_each / theirs_a_pair) + 1


def main() -> None:
    """Measure, and print the table as JSON."""
    use_one_processor()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000, help="identifiers an institution")
    size = parser.parse_args().size
    pairs = INSTITUTIONS * (INSTITUTIONS - 1) // 2
    ours = {
        "tags alone, one holder": tags_alone(Holders(1, 1), size),
        f"with possession, record secrets and envelopes, one holder ({PART} x {size // PART:,})": PART
        * whole_records(Holders(1, 1), size // PART),
        f"the same, 2 of 3 holders ({PART} x {size // PART:,})": PART * whole_records(Holders(2, 3), size // PART),
    }
    peers = {name: peer_seconds(script, requirement, size) for name, (script, requirement) in PEERS.items()}
    rows = [
        [
            f"Crosslight, {what}",
            f"{seconds:.0f}",
            *(f"{seconds / (pairs * peer):.2f}" for peer in peers.values()),
            *(str(ahead_from(seconds / INSTITUTIONS, peer)) for peer in peers.values()),
        ]
        for what, seconds in ours.items()
    ]
    rows += [
        [f"{name}, {pairs} pairs", f"{pairs * peer:.0f}", *[""] * (2 * len(peers))] for name, peer in peers.items()
    ]
    columns = [f"all overlaps of {INSTITUTIONS} x {size:,}", "CPU s, all parties"]
    columns += [f"ratio to {name}" for name in peers] + [f"ahead of {name} from n =" for name in peers]
    print(json.dumps({"columns": columns, "rows": rows}))


def _scalar(value: int) -> bytes:
    return scalars.encode(value % scalars.ORDER)


if __name__ == "__main__":
    sys.exit(main())
