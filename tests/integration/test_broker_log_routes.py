"""What the broker logs, and how anybody reads it, cosigns it and asks about it."""

import hashlib

import pytest

from crypto.statements import WithdrawalStatement
from policies.documents import document_hash
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.errors import LogRefused
from policies.log.leaves import submission_leaf, withdrawal_leaf
from policies.log.log_keys import LogKeys
from policies.log.tree import leaf_hash
from tests.agreement_world import DAY, make_world
from tests.broker_log import cosign, cosignature_of, get, leaves, newest, reader
from tests.brokers import BASE_URL, FOUR_GROUPS, NOW, BrokerWorld, build_broker, handle_of
from wire.messages.documents import SignedDocuments
from wire.messages.log import Cosignature, LeafPlace, LoggedWithdrawal, SetAsideCounts
from wire.packed import pack
from wire.problems import RemoteProblem

ROW = {"passport": "GB|1"}


@pytest.fixture
def broker(database_url: str) -> BrokerWorld:
    agreement = make_world(members=FOUR_GROUPS, addresses={"broker": BASE_URL}, witness_quorum=2)
    return build_broker(database_url, agreement=agreement)


def test_documents_submissions_withdrawals_and_expiries_become_leaves(broker: BrokerWorld) -> None:
    submission = broker.submit("bank-a", [ROW, {"phone": "+1"}], lifetime=DAY)
    message = broker.withdrawal("bank-a", [handle_of(submission)])
    broker.withdraw("bank-a", [handle_of(submission)])
    broker.clock.advance(days=2)
    broker.work()
    found = leaves(broker)
    documents = [(leaf.type, leaf.body["hash"]) for leaf in found if leaf.type in ("agreement", "epoch", "roster")]
    assert documents == [(signed.type, pack(document_hash(signed.document))) for signed in broker.agreement.documents]
    (submitted,) = [leaf for leaf in found if leaf.type == "submission"]
    assert (submitted.at, submitted.body["institution_id"], submitted.body["records"]) == (NOW, "bank-a", 2)
    assert submitted.body["statement_hash"] == pack(hashlib.sha256(submission.statement.encode()).digest())
    (withdrawn,) = [leaf for leaf in found if leaf.type == "withdrawal"]
    assert (withdrawn.body["seq"], withdrawn.body["count"]) == (2, 1)
    assert withdrawn.body["statement_hash"] == pack(hashlib.sha256(message.statement).digest())
    (expired,) = [leaf for leaf in found if leaf.type == "expiry"]
    assert expired.body == {"institution_id": "bank-a", "count": 1}
    assert broker.count("record") == 0


def test_no_leaf_holds_a_handle_or_a_tag(broker: BrokerWorld) -> None:
    submission = broker.submit("bank-a", [ROW])
    broker.submit("bank-b", [ROW])
    broker.withdraw("bank-a", [handle_of(submission)])
    broker.work()
    everything = b"".join(reader(broker).leaves())
    for secret in (handle_of(submission), *(entry[-96:-64] for entry in submission.records[0].entries)):
        assert secret not in everything
        assert pack(secret).encode() not in everything
        assert secret.hex().encode() not in everything


def test_decisions_and_the_days_first_visits_become_leaves(broker: BrokerWorld) -> None:
    broker.submit("bank-a", [ROW])
    broker.submit("bank-a", [{"phone": "+1"}])
    visits = [(leaf.body["party_id"], leaf.body["role"], leaf.body["day"]) for leaf in leaves(broker, "login")]
    assert visits == [("bank-a", "institution", "2026-01-02")]
    decisions = [leaf.body["decision"] for leaf in leaves(broker, "decision")]
    assert [one["action"] for one in decisions] == ["submit-records", "commit-submission"] * 2
    assert {one["allowed"] for one in decisions} == {True}
    assert decisions[0]["facts"]["records"] == 1
    assert decisions[0]["agreement_hash"] == pack(broker.trust.agreement.hash)
    broker.clock.advance(days=1)
    broker.session("bank-a").get("/v1/documents", SignedDocuments)
    assert [leaf.body["day"] for leaf in leaves(broker, "login")] == ["2026-01-02", "2026-01-03"]


def test_a_transaction_that_is_rolled_back_leaves_no_leaf(broker: BrokerWorld) -> None:
    submission = broker.made_up("bank-a", [ROW])
    broker.open("bank-a", submission)
    before = len(leaves(broker))
    with pytest.raises(RemoteProblem) as refused:
        broker.commit("bank-a", submission)
    assert refused.value.type_suffix == "incomplete"
    assert len(leaves(broker)) == before


def test_the_log_is_served_as_plain_files_that_caches_may_keep(broker: BrokerWorld) -> None:
    note = get(broker, "/log/checkpoint")
    assert note.headers["content-type"] == "text/plain; charset=utf-8"
    assert note.headers["cache-control"] == "no-cache"
    size = CosignedCheckpoint(note.text).checkpoint.size
    for path in (f"/log/tile/0/000.p/{size}", f"/log/tile/entries/000.p/{size}"):
        tile = get(broker, path)
        assert tile.status_code == 200
        assert tile.headers["content-type"] == "application/octet-stream"
        assert "immutable" in tile.headers["cache-control"]
    for path in (
        f"/log/tile/0/000.p/{size + 1}",
        "/log/tile/0/000",
        "/log/tile/1/000",
        "/log/tile/0/001.p/1",
        "/log/tile/entries/x001/000",
        "/log/tile/0/0",
        "/log/tile/0/000.p/256",
        "/log/tile/entries/000.p/999",
        "/log/tile/64/000",
    ):
        missing = get(broker, path)
        assert missing.status_code == 404, path
        assert missing.headers["content-type"] == "application/problem+json"


def test_a_checkpoint_counts_once_a_quorum_has_cosigned_it(broker: BrokerWorld) -> None:
    policy = LogKeys.of(broker.trust).policy
    broker.work()
    cosign(broker, "holder1", "bank-a", "charity", "regulator")
    assert get(broker, "/log/cosigned").status_code == 404
    size = cosign(broker, "holder1", "holder2", "bank-a", "charity", "regulator")
    cosigned = CosignedCheckpoint(get(broker, "/log/cosigned").text)
    assert policy.check(cosigned, NOW).size == size
    assert set(policy.cosigned_at(cosigned)) == {"holder1", "holder2", "bank-a", "charity", "regulator"}
    broker.submit("bank-b", [ROW])
    assert newest(broker).checkpoint.size > size
    assert CosignedCheckpoint(get(broker, "/log/cosigned").text).checkpoint.size == size
    broker.clock.advance(days=1, seconds=1)
    assert get(broker, "/log/cosigned").status_code == 404
    with pytest.raises(LogRefused, match="24 hours"):
        policy.check(cosigned, NOW + DAY + 1)


def test_a_newer_cosignature_takes_an_olders_place_and_not_the_other_way_round(broker: BrokerWorld) -> None:
    policy = LogKeys.of(broker.trust).policy
    broker.work()
    for at in (NOW - 10, NOW, NOW - 20):
        cosign(broker, "holder1", at=at)
    assert policy.cosigned_at(newest(broker)) == {"holder1": NOW}


def test_false_cosignatures_are_refused(broker: BrokerWorld) -> None:
    broker.work()
    first = newest(broker)
    size = first.checkpoint.size
    other = CosignedCheckpoint(first.text.replace(f"\n{size}\n", f"\n{size + 1}\n"))
    holder = broker.session("holder1")
    lines = {
        "another's line": cosignature_of(broker, "holder2"),
        "another checkpoint": cosignature_of(broker, "holder1", note=other.text),
        "the future": cosignature_of(broker, "holder1", at=NOW + 3600),
        "cut off": cosignature_of(broker, "holder1")[:-9] + "\n",
    }
    for what, line in lines.items():
        with pytest.raises(RemoteProblem) as refused:
            holder.post("/v1/log/cosignatures", Cosignature(size, line))
        assert refused.value.status == 422, what
    with pytest.raises(RemoteProblem) as unknown:
        holder.post("/v1/log/cosignatures", Cosignature(size + 5, lines["another's line"]))
    assert unknown.value.type_suffix == "no-checkpoint"
    assert newest(broker).text == first.text


def test_a_receipt_leads_to_its_leaf_for_those_whom_it_concerns(broker: BrokerWorld) -> None:
    submission = broker.submit("bank-a", [ROW])
    statement = submission.statement.encode()
    leaf = submission_leaf(statement, NOW)
    query = {"hash": pack(leaf_hash(leaf))}
    with pytest.raises(RemoteProblem, match="not yet"):
        broker.session("bank-a").get("/v1/log/leaves", LeafPlace, query=query)
    broker.work()
    for party in ("bank-a", "charity", "holder1", "regulator"):
        place = broker.session(party).get("/v1/log/leaves", LeafPlace, query=query)
        assert reader(broker).leaf(place.index) == leaf
    with pytest.raises(RemoteProblem) as refused:
        broker.session("bank-b").get("/v1/log/leaves", LeafPlace, query=query)
    assert refused.value.status == 404


def test_a_withdrawal_that_the_log_names_is_shown_to_those_who_follow_it(broker: BrokerWorld) -> None:
    submission = broker.submit("bank-a", [ROW])
    message = broker.withdrawal("bank-a", [handle_of(submission)])
    broker.withdraw("bank-a", [handle_of(submission)])
    found = broker.session("holder1").get("/v1/log/withdrawals/bank-a/2", LoggedWithdrawal)
    assert found == LoggedWithdrawal(message.statement, message.signature, NOW)
    assert withdrawal_leaf(found.statement, found.received_at) in set(reader(broker).leaves())
    assert WithdrawalStatement.decode(found.statement).handles == (handle_of(submission),)
    named = {"hash": pack(hashlib.sha256(message.statement).digest())}
    assert broker.session("regulator").get("/v1/log/withdrawals/bank-a/2", LoggedWithdrawal, query=named) == found
    for path, query in (("bank-a/1", {}), ("bank-b/2", {}), ("bank-a/2", {"hash": pack(bytes(32))})):
        with pytest.raises(RemoteProblem) as refused:
            broker.session("holder1").get(f"/v1/log/withdrawals/{path}", LoggedWithdrawal, query=query)
        assert refused.value.status == 404


def test_the_auditor_sees_how_much_was_set_aside_and_never_a_tag(broker: BrokerWorld) -> None:
    cap = broker.trust.kinds["phone"].cap
    broker.submit("bank-a", [{"phone": "+1"}] * (cap + 1))
    broker.submit("bank-b", [{"phone": "+1"}])
    broker.work()
    counts = broker.session("regulator").get("/v1/audit/caps", SetAsideCounts)
    (aside,) = counts.set_aside
    assert (aside.institution_id, aside.kind, aside.reason, aside.entries, aside.tags) == (
        "bank-a",
        "phone",
        "over-cap",
        cap + 1,
        1,
    )
    assert leaves(broker, "decision")[-1].body["decision"]["action"] == "read-caps"


def test_the_evidence_of_an_alert_says_where_its_statements_stand_in_the_log(broker: BrokerWorld) -> None:
    for bank in ("bank-a", "bank-b"):
        broker.submit(bank, [ROW])
    broker.worker.finish()
    (alert,) = broker.raised()
    assert {one.log_index for one in broker.detail(alert.alert_id).statements} == {None}
    broker.work()
    log = reader(broker)
    for one in broker.detail(alert.alert_id).statements:
        assert one.log_index is not None
        assert log.leaf(one.log_index) == submission_leaf(one.statement, one.logged_at)
