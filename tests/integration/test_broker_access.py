"""Who may call what at the broker: every route against every role, by introspection; a new one must be entered here."""

import json
from collections.abc import Mapping

import httpx
import pytest

from broker.api.audit import WITNESSES
from broker.api.documents import EVERYBODY
from crypto.signatures import SigningKey
from tests.brokers import BASE_URL, BrokerWorld, build_broker
from wire.access import PUBLIC, route_access
from wire.http_signatures import sign_request

INSTITUTION = frozenset({"institution"})
RECIPIENT = frozenset({"recipient"})
MATRIX: Mapping[tuple[str, str], object] = {
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("PUT", "/v1/submissions/<hex(16):key>"): INSTITUTION,
    ("GET", "/v1/submissions/<hex(16):key>"): INSTITUTION,
    ("PUT", "/v1/submissions/<hex(16):key>/signature"): INSTITUTION,
    ("PUT", "/v1/submissions/<hex(16):key>/parts/<int(max=1048575):part>"): INSTITUTION,
    ("POST", "/v1/submissions/<hex(16):key>/commit"): INSTITUTION,
    ("POST", "/v1/withdrawals"): INSTITUTION,
    ("GET", "/v1/status"): INSTITUTION,
    ("GET", "/v1/alerts"): RECIPIENT,
    ("GET", "/v1/alerts/details"): RECIPIENT,
    ("GET", "/v1/alerts/<hex(16):alert>"): RECIPIENT,
    ("GET", "/log/checkpoint"): PUBLIC,
    ("GET", "/log/cosigned"): PUBLIC,
    ("GET", "/log/tile/<int(max=63):level>/<tile:place>"): PUBLIC,
    ("GET", "/log/tile/entries/<tile:place>"): PUBLIC,
    ("POST", "/v1/log/cosignatures"): frozenset(WITNESSES),
    ("GET", "/v1/log/leaves"): frozenset(WITNESSES),
    ("GET", "/v1/log/withdrawals/<identifier:institution>/<int(min=1, max=9007199254740991):seq>"): frozenset(
        {"holder", "auditor"}
    ),
    ("GET", "/v1/activity"): frozenset({"recipient", "auditor"}),
    ("POST", "/v1/activity"): frozenset({"recipient", "holder"}),
    ("GET", "/v1/audit/caps"): frozenset({"broker", "auditor"}),
    ("GET", "/v1/documents"): frozenset(EVERYBODY),
    ("POST", "/v1/documents"): frozenset(EVERYBODY),
}
PARTIES = {
    "institution": "bank-a",
    "recipient": "charity",
    "holder": "holder1",
    "broker": "broker",
    "auditor": "regulator",
}
FILLED = {
    "<hex(16):key>": "00" * 16,
    "<hex(16):alert>": "00" * 16,
    "<int(max=1048575):part>": "0",
    "<int(max=63):level>": "0",
    "<tile:place>": "000.p/1",
    "<identifier:institution>": "bank-a",
    "<int(min=1, max=9007199254740991):seq>": "1",
}


@pytest.fixture
def broker(sqlite_url: str) -> BrokerWorld:
    broker = build_broker(sqlite_url)
    broker.work()
    return broker


def test_the_matrix_names_every_route_and_nothing_else(broker: BrokerWorld) -> None:
    assert {(method, rule): roles for method, rule, roles, _ in route_access(broker.app)} == MATRIX


def call(broker: BrokerWorld, method: str, rule: str, party_id: str | None, key: SigningKey | None) -> int:
    filled = rule
    for variable, value in FILLED.items():
        filled = filled.replace(variable, value)
    url = BASE_URL + filled
    headers: dict[str, str] = {}
    body = b"{}" if method in ("POST", "PUT") else b""
    if party_id is not None and key is not None:
        headers = dict(sign_request(key, party_id, method, url, body, broker.clock.now()))
    with httpx.Client(transport=httpx.WSGITransport(app=broker.app)) as client:
        answer = client.request(method, url, content=body, headers=headers)
    if answer.status_code >= 400:
        assert json.loads(answer.content)["status"] == answer.status_code
    return answer.status_code


def test_every_route_refuses_every_role_but_its_own(broker: BrokerWorld) -> None:
    for (method, rule), roles in MATRIX.items():
        for role, party_id in PARTIES.items():
            key = broker.agreement.parties[party_id].signing_key
            status = call(broker, method, rule, party_id, key)
            if roles == PUBLIC or (isinstance(roles, frozenset) and role in roles):
                assert status not in (401, 403), (method, rule, role)
            else:
                assert status == 403, (method, rule, role)


def test_unsigned_unknown_and_wrongly_signed_requests_are_refused_everywhere(broker: BrokerWorld) -> None:
    stranger = SigningKey(bytes(range(32)))
    for (method, rule), roles in MATRIX.items():
        if roles == PUBLIC:
            assert call(broker, method, rule, None, None) == 200
            continue
        assert call(broker, method, rule, None, None) == 401, rule
        assert call(broker, method, rule, "bank-a", stranger) == 401, rule
        assert call(broker, method, rule, "mallory", stranger) == 401, rule
