"""The broker's OpenAPI document is true: whatever is sent by whomever, the answer is one that it declares."""

import pytest

from tests.brokers import BASE_URL, build_broker
from tests.signed_schemathesis import check_operation, operations


@pytest.mark.parametrize("party", ["bank-a", "charity", "holder1", "broker", "regulator"])
def test_every_answer_of_the_broker_is_declared(sqlite_url: str, party: str) -> None:
    broker = build_broker(sqlite_url)
    submission = broker.submit("bank-a", [{"phone": "+441"}])
    broker.submit("bank-b", [{"phone": "+441"}])
    broker.work()
    assert len(broker.raised()) == 1
    assert submission.statement.seq == 1
    key = broker.agreement.parties[party].signing_key
    found = operations(broker.app, BASE_URL, party, key, broker.clock)
    assert {operation.path for operation in found} >= {"/v1/alerts", "/v1/documents", "/v1/submissions/{key}"}
    for operation in found:
        check_operation(operation, examples=10)
