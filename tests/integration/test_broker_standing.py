"""A suspended party's records count for nothing until it is taken back; a departed one's end with its departure."""

from collections.abc import Mapping

import pytest

from broker.directory import Directory
from policies.agreement.standing import Departure, Suspension
from runtime.database import run_in_transaction
from tests.broker_log import leaves
from tests.brokers import NOW, BrokerWorld, build_broker, handle_of
from wire.messages.documents import SignedDocument, SignedDocuments
from wire.messages.institution_status import InstitutionStatus
from wire.problems import RemoteProblem
from wire.session import UntrustedResponse

SHARED = {"passport": "GB|1"}
OTHER = {"passport": "GB|2"}


@pytest.fixture
def broker(database_url: str) -> BrokerWorld:
    return build_broker(database_url)


def bring(broker: BrokerWorld, document: Mapping[str, object], *signers: str, by: str = "holder1") -> None:
    """Bring a document over the wire, as anybody may."""
    signed = broker.agreement.sign(dict(document), *signers)
    broker.session(by).post("/v1/documents", SignedDocument(signed.document, signed.signatures))


def suspension(
    broker: BrokerWorld, party_id: str, number: int, *, suspended: bool, by: str = "members"
) -> dict[str, object]:
    agreement = broker.trust.agreement
    return Suspension(
        agreement_id=agreement.agreement_id,
        version=agreement.version,
        party_id=party_id,
        by=by,  # type: ignore[arg-type]
        number=number,
        suspended=suspended,
        since=NOW,
        reason="Its key may have been stolen.",
    ).to_document()


def departure(broker: BrokerWorld, party_id: str) -> dict[str, object]:
    agreement = broker.trust.agreement
    return Departure(agreement.agreement_id, agreement.version, party_id, NOW).to_document()


def shown(broker: BrokerWorld) -> list[tuple[int, tuple[str, ...]]]:
    return sorted((alert.records, alert.institutions) for alert in broker.raised())


def test_a_suspended_institutions_records_are_in_no_alert_and_come_back_when_it_is_taken_back(
    broker: BrokerWorld,
) -> None:
    broker.submit("bank-a", [SHARED, OTHER])
    broker.submit("bank-b", [SHARED])
    broker.submit("police-c", [OTHER])
    broker.work()
    assert shown(broker) == [(2, ("bank-a", "bank-b")), (2, ("bank-a", "police-c"))]
    bring(broker, suspension(broker, "bank-a", 1, suspended=True), "bank-b", "police-c")
    assert shown(broker) == []
    broker.work()
    assert shown(broker) == []
    broker.submit("bank-b", [OTHER])
    broker.work()
    assert shown(broker) == [(2, ("bank-b", "police-c"))]
    bring(broker, suspension(broker, "bank-a", 2, suspended=False), "bank-b", "police-c")
    broker.work()
    assert shown(broker) == [(2, ("bank-a", "bank-b")), (3, ("bank-a", "bank-b", "police-c"))]
    logged = [
        (leaf.body["party_id"], leaf.body["number"], leaf.body["suspended"]) for leaf in leaves(broker, "suspension")
    ]
    assert logged == [("bank-a", 1, True), ("bank-a", 2, False)]


def test_matching_again_goes_through_many_records_step_by_step(
    broker: BrokerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.worker._REMATCH_ENTRIES", 7)
    rows = [{"passport": f"GB|{number}", "phone": f"+{number}"} for number in range(20)]
    broker.submit("bank-a", rows)
    broker.submit("bank-b", rows)
    broker.work()
    before = shown(broker)
    assert len(before) == 20
    bring(broker, suspension(broker, "bank-a", 1, suspended=True, by="itself"), "bank-a")
    broker.work()
    assert shown(broker) == []
    bring(broker, suspension(broker, "bank-a", 2, suspended=False, by="itself"), "bank-a")
    broker.work()
    assert shown(broker) == before
    assert broker.count("entry") == 80
    assert broker.count("rematch") == 0


def test_a_suspended_institution_may_take_back_and_bring_documents_and_nothing_else(broker: BrokerWorld) -> None:
    submission = broker.submit("bank-a", [SHARED])
    bring(broker, suspension(broker, "bank-a", 1, suspended=True), "bank-b", "police-c")
    for act in (
        lambda: broker.open("bank-a", broker.made_up("bank-a", [OTHER])),
        lambda: broker.session("bank-a").get("/v1/status", InstitutionStatus),
    ):
        with pytest.raises(RemoteProblem) as refused:
            act()
        assert (refused.value.status, refused.value.type_suffix) == (403, "not-allowed")
        assert refused.value.extra["rules"]
    broker.session("bank-a").get("/v1/documents", SignedDocuments)
    broker.withdraw("bank-a", [handle_of(submission)])
    assert broker.count("record") == 0
    refusals = [leaf.body["decision"] for leaf in leaves(broker, "decision") if not leaf.body["decision"]["allowed"]]
    assert [one["action"] for one in refusals] == ["submit-records"]


def test_a_departed_institutions_records_end_with_its_departure(broker: BrokerWorld) -> None:
    broker.submit("bank-a", [SHARED, OTHER])
    broker.submit("bank-b", [SHARED])
    broker.open("bank-a", broker.made_up("bank-a", [OTHER] * 3))
    broker.work()
    assert len(broker.raised()) == 1
    with pytest.raises(RemoteProblem, match="document refused"):
        bring(broker, departure(broker, "bank-a"), "bank-b")
    bring(broker, departure(broker, "bank-a"), "bank-a", by="bank-a")
    assert broker.count("record") == 1
    assert broker.count("tombstone") == 2
    assert broker.raised() == []
    broker.work()
    assert (broker.count("alert_record"), broker.count("removal"), broker.count("entry")) == (0, 0, 1)
    (left,) = leaves(broker, "departure")
    assert (left.body["party_id"], left.body["records"]) == ("bank-a", 2)
    with pytest.raises((RemoteProblem, UntrustedResponse)):
        broker.session("bank-a").get("/v1/status", InstitutionStatus)


def test_a_document_brought_twice_has_one_leaf(broker: BrokerWorld) -> None:
    for _ in range(2):
        bring(broker, suspension(broker, "charity", 1, suspended=True), "bank-a", "bank-b")
    assert len(leaves(broker, "suspension")) == 1
    with pytest.raises(RemoteProblem) as refused:
        broker.alerts()
    assert refused.value.type_suffix == "not-allowed"


def test_a_departure_that_cannot_be_finished_leaves_everything_as_it_was(broker: BrokerWorld) -> None:
    broker.submit("bank-a", [SHARED])
    signed = broker.agreement.sign(departure(broker, "bank-a"), "bank-a")
    directory = Directory(broker.engine, broker.agreement.agreement.hash)

    def work(connection: object) -> None:
        directory.accept(connection, signed, NOW)  # type: ignore[arg-type]
        raise LookupError("the power went")

    with pytest.raises(LookupError):
        run_in_transaction(broker.engine, work)
    broker.work()
    assert broker.count("record") == 1
    assert leaves(broker, "departure") == []
