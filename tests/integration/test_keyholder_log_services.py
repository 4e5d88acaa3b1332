"""The real broker and the real key holders about one log: witnessed, followed, and opened from, in this process."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from broker.log.witnesses import Witnesses
from crypto.records import Head
from keyholder.log_link import HttpLogLink
from policies.agreement.standing import Suspension
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.leaves import read_leaf
from policies.log.log_reader import LogReader
from tests.agreement_world import DAY, START, Submission, make_world
from tests.institutions import Agreement
from wire.messages.documents import SignedDocument as DocumentMessage
from wire.messages.opening import OpeningRequest, OpeningResponse
from wire.packed import pack

NOW = START + DAY
ROW = [{"phone": "+447700900123"}]


@pytest.fixture
def agreement(database_url: str, tmp_path: Path) -> Agreement:
    """Everything, where two of three key holders must cosign; the holders follow the broker."""
    made = Agreement.build(database_url, tmp_path, make_world(witness_quorum=2))
    made.holders.follow(made.broker.app)
    return made


def witness(agreement: Agreement, *away: str) -> int:
    """The broker brings its newest checkpoint to the holders that are not away; how many cosigned."""

    def way(party_id: str) -> httpx.BaseTransport:
        if party_id in away:
            return httpx.MockTransport(lambda request: httpx.Response(503))
        return agreement.gates[party_id]

    agreement.broker.work()
    broker = agreement.broker
    return Witnesses(broker.engine, lambda: broker.trust, broker.clock, transport=way).push()


def sent(agreement: Agreement) -> list[Submission]:
    """Two banks' records at the broker."""
    given = [agreement.world.submit(party_id, ROW, issued_at=NOW) for party_id in ("bank-a", "bank-b")]
    for submission in given:
        agreement.broker.send(submission.statement.institution_id, submission)
    return given


def request(agreement: Agreement, given: list[Submission]) -> OpeningRequest:
    """An opening request with evidence out of the broker's own log."""
    link = agreement.holders.links[1].inner
    assert isinstance(link, HttpLogLink)
    note = link.fetch("cosigned").decode()
    reader = LogReader(link.fetch, CosignedCheckpoint(note).checkpoint)
    places = {}
    for index, leaf in enumerate(map(read_leaf, reader.leaves())):
        if leaf.type == "submission":
            places[leaf.body["statement_hash"]] = (index, leaf.at)
    shown = agreement.world.request(given)
    statements = []
    for statement in shown.statements:
        index, at = places[pack(hashlib.sha256(statement.statement).digest())]
        path = b"".join(reader.inclusion_path(index))
        statements.append(replace(statement, logged_at=at, log_index=index, log_path=path))
    return replace(shown, checkpoint=note, statements=tuple(statements))


def ask(agreement: Agreement, asked: OpeningRequest, index: int) -> OpeningResponse:
    with agreement.holders.session("charity", index) as session:
        return session.post("/v1/open", asked, OpeningResponse)


def test_records_open_from_the_brokers_log_once_holders_have_witnessed_it(agreement: Agreement) -> None:
    given = sent(agreement)
    assert witness(agreement, "holder2") == 2
    asked = request(agreement, given)
    for index in (1, 2):
        assert ask(agreement, asked, index).accepted == (0, 1)
        followed = agreement.holders.follower(index).followed()
        assert followed.position >= CosignedCheckpoint(asked.checkpoint).checkpoint.size


def test_a_withdrawal_that_reached_the_broker_alone_shuts_the_record_at_every_holder(agreement: Agreement) -> None:
    given = sent(agreement)
    witness(agreement)
    asked = request(agreement, given)
    assert ask(agreement, asked, 1).accepted == (0, 1)
    agreement.broker.withdraw("bank-a", [Head.decode(given[0].records[0].head).context.handle])
    agreement.broker.clock.advance(seconds=301)
    agreement.broker.work()
    for index in (1, 2):
        response = ask(agreement, asked, index)
        assert response.accepted == ()
        assert [one.reason for one in response.refused] == ["withdrawn", "not-supported"]


def test_a_suspension_that_reached_the_broker_alone_holds_at_every_holder(agreement: Agreement) -> None:
    given = sent(agreement)
    witness(agreement)
    asked = request(agreement, given)
    document = Suspension("example-agreement", 1, "bank-b", "members", 1, True, NOW, "under review").to_document()
    signed = agreement.world.sign(document, "bank-a", "police-c")
    with agreement.broker.session("bank-a") as session:
        session.post("/v1/documents", DocumentMessage(signed.document, dict(signed.signatures)))
    for index in (1, 2):
        agreement.holders.follower(index).follow()
        assert [one.reason for one in ask(agreement, asked, index).refused] == ["not-supported", "suspended"]
