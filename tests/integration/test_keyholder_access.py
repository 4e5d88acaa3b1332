"""Who may call what at a key holder: every route against every role, by introspection, and a true OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from crypto.signatures import SigningKey
from tests.agreement_world import make_world
from tests.holders import Holders, serve_in_process
from tests.signed_schemathesis import check_operation, operations
from wire.access import PUBLIC, route_access
from wire.http_signatures import sign_request

INSTITUTION = frozenset({"institution"})
EVERYBODY = frozenset({"institution", "recipient", "holder", "broker", "auditor"})
MATRIX: Mapping[tuple[str, str], object] = {
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("POST", "/v1/evaluate"): INSTITUTION,
    ("POST", "/v1/evaluate-records"): INSTITUTION,
    ("POST", "/v1/withdrawals"): INSTITUTION,
    ("POST", "/v1/open"): frozenset({"recipient"}),
    ("POST", "/v1/keygen"): frozenset({"holder"}),
    ("GET", "/v1/counts"): EVERYBODY,
    ("POST", "/v1/documents"): EVERYBODY,
    ("POST", "/add-checkpoint"): PUBLIC,
    ("GET", "/v1/witness/checkpoint"): EVERYBODY - {"broker"},
    ("GET", "/v1/openings"): frozenset({"holder", "auditor"}),
}
PARTIES = {
    "institution": "bank-a",
    "recipient": "charity",
    "holder": "holder2",
    "broker": "broker",
    "auditor": "regulator",
}


@pytest.fixture
def holders(tmp_path: Path) -> Holders:
    """One holder."""
    return serve_in_process(make_world(), tmp_path, indexes=[1])


def call(holders: Holders, method: str, rule: str, party_id: str | None, key: SigningKey | None) -> int:
    """The status of a call with an empty message; every refusal must be a problem document."""
    url = holders.trust.agreement.holders[0].address + rule
    body = b"{}" if method == "POST" else b""
    headers: dict[str, str] = {}
    if party_id is not None and key is not None:
        headers = dict(sign_request(key, party_id, method, url, body, holders.clock.now()))
    with httpx.Client(transport=httpx.WSGITransport(app=holders.apps[1])) as client:
        answer = client.request(method, url, content=body, headers=headers)
    if answer.status_code >= 400:
        assert json.loads(answer.content)["status"] == answer.status_code
    return answer.status_code


def test_the_matrix_names_every_route_and_nothing_else(holders: Holders) -> None:
    assert {(method, rule): roles for method, rule, roles, _ in route_access(holders.apps[1])} == MATRIX


def test_every_route_refuses_every_role_but_its_own(holders: Holders) -> None:
    for (method, rule), roles in MATRIX.items():
        for role, party_id in PARTIES.items():
            status = call(holders, method, rule, party_id, holders.world.parties[party_id].signing_key)
            if roles == PUBLIC or (isinstance(roles, frozenset) and role in roles):
                assert status not in (401, 403), (method, rule, role)
            else:
                assert status == 403, (method, rule, role)


def test_unsigned_unknown_and_wrongly_signed_requests_are_refused_everywhere(holders: Holders) -> None:
    stranger = SigningKey(bytes(range(32)))
    for (method, rule), roles in MATRIX.items():
        if roles == PUBLIC:
            # A witness's route takes text, which an empty message is not.
            assert call(holders, method, rule, None, None) == (400 if rule == "/add-checkpoint" else 200)
            continue
        for party_id, key in ((None, None), ("bank-a", stranger), ("mallory", stranger)):
            assert call(holders, method, rule, party_id, key) == 401, (rule, party_id)


@pytest.mark.parametrize("party_id", ["bank-a", "charity", "holder2", "broker", "regulator"])
def test_every_answer_of_a_key_holder_is_declared(holders: Holders, party_id: str) -> None:
    enrolled = holders.trust.agreement.holders[0]
    key = holders.world.parties[party_id].signing_key
    found = operations(holders.apps[1], enrolled.address, party_id, key, holders.clock)
    assert {operation.path for operation in found} == {rule for _, rule in MATRIX} - {"/openapi.json"}
    for operation in found:
        check_operation(operation, examples=10)
