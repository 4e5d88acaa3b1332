"""The OpenAPI document is true: whatever is sent, the answer is one that the document declares."""

import pytest

from tests.signed_schemathesis import check_operation, operations
from tests.wire_world import BASE_URL, KEYS, build_world


@pytest.mark.parametrize("party", sorted(KEYS))
def test_every_answer_to_made_up_requests_is_declared(sqlite_url: str, party: str) -> None:
    world = build_world(sqlite_url)
    found = operations(world.app, BASE_URL, party, KEYS[party][0], world.clock)
    assert {operation.path for operation in found} >= {"/v1/evaluate", "/v1/me", "/healthz"}
    for operation in found:
        # Two routes exist to fail; that they do is not what is asked here.
        if operation.path not in ("/v1/fault", "/v1/forgetful", "/v1/away"):
            check_operation(operation, examples=10)
