"""What a key holder's service costs beside the bare group operations: CPU of whole requests, by the size of a chunk.

Requests are signed beforehand and given to the application in this process, so that neither a client nor a network is
measured. Signature, digest, JSON, checks, database (SQLite, durable) and the signed answer are.

    python -m benchmarks.holder_evaluation
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from pathlib import Path

from flask import Flask

from benchmarks.bare_operations import BareOperations, measure
from crypto.oprf import hash_inputs
from runtime.clock import SystemClock
from tests.agreement_world import World, make_world
from tests.holders import serve_in_process
from wire.http_signatures import sign_request
from wire.messages.evaluation import EvaluateRequest, RecordName, RecordSecretsRequest
from wire.messages.message import encode_message

Request = tuple[bytes, dict[str, str]]


def main() -> None:
    """Measure, and print the table's rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=40, help="requests of each size")
    count = parser.parse_args().requests
    now = int(time.time())
    world = make_world(
        declared=10**6, not_before=now - 86_400, not_after=now + 86_400 * 30, addresses={"holder1": "http://holder1"}
    )
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        app = serve_in_process(world, Path(folder), clock=SystemClock(), indexes=[1]).apps[1]
        for what, path, size, make in (
            ("chunk", "/v1/evaluate", 512, _chunk),
            ("chunk", "/v1/evaluate", 64, _chunk),
            ("chunk", "/v1/evaluate", 1, _chunk),
            ("record secrets", "/v1/evaluate-records", 512, _records),
        ):
            print(f"{what} of {size}", file=sys.stderr, flush=True)
            bare = measure()
            _cpu(app, path, [_signed(world, path, make(world, size))])  # warms up
            requests = [_signed(world, path, make(world, size)) for _ in range(count)]
            spent = _cpu(app, path, requests) / count
            needed = _needed(bare, size, path.endswith("records"))
            rows.append([what, size, f"{spent * 1e3:.2f} ms", f"{needed * 1e3:.2f} ms", f"{spent / needed:.3f}"])
    columns = ["request", "elements", "CPU of the service", "bare operations", "ratio"]
    print(json.dumps({"columns": columns, "rows": rows}))


def _needed(bare: BareOperations, size: int, in_the_clear: bool) -> float:
    """The group operations that one request needs: evaluate and prove, and hashing where nothing is blinded."""
    each = bare.evaluate() + bare.prove() + (bare.hash_to_element if in_the_clear else 0)
    return size * each


def _cpu(app: Flask, path: str, requests: list[Request]) -> float:
    """CPU seconds of all threads over all requests."""
    client = app.test_client()
    started = time.process_time()
    answers = [client.post(f"http://holder1{path}", data=body, headers=headers) for body, headers in requests]
    spent = time.process_time() - started
    if any(answer.status_code != 200 for answer in answers):
        raise SystemExit("the service refused a request")
    return spent


def _signed(world: World, path: str, message: object) -> Request:
    body = encode_message(message)
    key = world.parties["bank-a"].signing_key
    return body, dict(sign_request(key, "bank-a", "POST", f"http://holder1{path}", body, SystemClock().now()))


def _chunk(world: World, size: int) -> EvaluateRequest:
    elements = hash_inputs([secrets.token_bytes(16) for _ in range(size)])
    return EvaluateRequest(world.trust.epoch_id, "phone", 1, (1, 2), elements)


def _records(world: World, size: int) -> RecordSecretsRequest:
    now = int(time.time())
    names = tuple(RecordName(secrets.token_bytes(16), now, now + 86_400) for _ in range(size))
    return RecordSecretsRequest(world.trust.epoch_id, 1, (1, 2), names)


if __name__ == "__main__":
    main()
