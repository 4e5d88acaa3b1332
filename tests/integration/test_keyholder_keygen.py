"""Key generation between running holders: services as letter boxes, and each operator's command beside its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from crypto import keygen
from crypto.errors import KeygenFault
from crypto.shares import check_share, share_name
from keyholder.keygen_files import PROGRESS_FOLDER
from keyholder.keygen_online import OnlineRun
from keyholder.keygen_run import KeygenRun, Participant
from policies.generated_keys import read_generated_key
from runtime.exits import ExitCode, UserError
from tests.agreement_world import make_world
from tests.holders import Holders, serve_in_process
from wire.messages.keygen import KeygenMessage, KeygenReceived
from wire.problems import RemoteProblem

FAMILIES = ("phone", "record")


@pytest.fixture
def holders(tmp_path: Path, database_url: str) -> Holders:
    """Three holders before their first epoch; the first on each kind of database."""
    return serve_in_process(make_world(), tmp_path, documents=[], database_urls={1: database_url})


def participant(holders: Holders, index: int) -> Participant:
    return Participant.of(holders.trust.agreement, index, holders.world.parties[f"holder{index}"].secrets)


def online(holders: Holders, index: int, stored: dict[str, bytes], away: frozenset[int] = frozenset()) -> OnlineRun:
    """What `crosslight holder keygen --online` runs for one holder; `away` are services that do not answer."""

    class Silent(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("away")

    peers = {peer: holders.session(f"holder{index}", peer) for peer in (1, 2, 3) if peer != index}
    for peer in away & set(peers):
        peers[peer]._client = httpx.Client(transport=Silent())

    def store_shares(shares: Mapping[str, bytes]) -> None:
        stored.update(shares)

    return OnlineRun(
        participant(holders, index), FAMILIES, 1, 1, holders.homes[index], holders.engine(index), peers, store_shares
    )


def message(holders: Holders, sender: int, family: str = "phone", **changes: int) -> KeygenMessage:
    """A holder's round-one message."""
    run = KeygenRun(participant(holders, sender), family, **{"number": 1, "attempt": 1, **changes})
    return run.advance(None, ()).outgoing[0]


def bring(holders: Holders, given: KeygenMessage, party_id: str = "holder2") -> KeygenReceived:
    with holders.session(party_id, 1) as session:
        return session.post("/v1/keygen", given, KeygenReceived)


def refusal(holders: Holders, given: KeygenMessage, party_id: str = "holder2") -> str:
    with pytest.raises(RemoteProblem) as caught:
        bring(holders, given, party_id)
    return caught.value.type_suffix


def test_running_holders_generate_every_familys_key_and_each_has_its_share_alone(holders: Holders) -> None:
    stored: dict[int, dict[str, bytes]] = {1: {}, 2: {}, 3: {}}
    runs = {index: online(holders, index, stored[index]) for index in (1, 2, 3)}
    threads = [threading.Thread(target=run.finish, args=(60, lambda report, away: None)) for run in runs.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for family in FAMILIES:
        found = [
            read_generated_key(holders.homes[index] / PROGRESS_FOLDER / f"example-agreement_1_{family}_1_key.json")
            for index in (1, 2, 3)
        ]
        assert found[0] == found[1] == found[2]
        session = KeygenRun(participant(holders, 1), family, number=1).session
        assert keygen.verify_certificate(session, found[0].certificate) == tuple(found[0].commitments)
        for index in (1, 2, 3):
            check_share(stored[index][share_name(found[0].commitments[0])], found[0].commitments, index)
    assert all(len(shares) == len(FAMILIES) for shares in stored.values())


def test_a_holder_that_waits_says_for_whom_and_goes_on_where_it_stopped(holders: Holders) -> None:
    stored: dict[str, bytes] = {}
    told = []
    with pytest.raises(UserError) as caught:
        online(holders, 1, stored, away=frozenset({3})).finish(
            0, lambda report, away: told.append((report.waiting["phone"], away))
        )
    assert caught.value.exit_code == ExitCode.PARTLY_DONE
    assert told[0] == ((2, 3), frozenset({3}))
    files = sorted((holders.homes[1] / PROGRESS_FOLDER / "online").glob("*_round1_holder1.json"))
    before = [path.read_bytes() for path in files]
    with pytest.raises(UserError):
        online(holders, 1, stored).finish(0, lambda report, away: None)
    assert [path.read_bytes() for path in files] == before
    assert stored == {}


def test_the_same_message_again_is_fine_and_another_in_its_place_is_refused(holders: Holders) -> None:
    first = message(holders, 2)
    bring(holders, first)
    bring(holders, first)
    assert refusal(holders, message(holders, 2)) == "other-message"


def test_a_holder_brings_messages_in_its_own_name_signed_by_itself(holders: Holders) -> None:
    assert refusal(holders, message(holders, 3)) == "not-yours"
    forged = replace(message(holders, 3), sender=2)
    assert refusal(holders, forged) == "keygen-message"
    assert refusal(holders, replace(message(holders, 2), signature=bytes(64))) == "keygen-message"
    assert refusal(holders, message(holders, 2), "bank-a") == "role"


@pytest.mark.parametrize("changes", [{"number": 5}, {"attempt": 21}])
def test_messages_of_runs_that_cannot_be_are_not_kept(holders: Holders, changes: dict[str, int]) -> None:
    assert refusal(holders, message(holders, 2, **changes)) == "other-run"


def test_messages_for_an_epoch_that_has_its_keys_or_a_family_that_is_none_are_not_kept(tmp_path: Path) -> None:
    holders = serve_in_process(make_world(), tmp_path, indexes=[1])
    assert refusal(holders, message(holders, 2)) == "other-run"
    assert refusal(holders, message(holders, 2, "shoe-size", number=2)) == "other-run"
    bring(holders, message(holders, 2, number=2))


def test_a_holder_that_cheats_online_is_named(holders: Holders) -> None:
    honest = message(holders, 2)
    body = honest.body[:-1] + bytes([honest.body[-1] ^ 1])
    cheat = participant(holders, 2)
    session_id = keygen.session_id("example-agreement", 1, "phone", 1)
    signature = cheat.signing_key.sign(keygen.signed_bytes(session_id, 1, 2, body))
    spoilt = replace(honest, body=body, signature=signature)
    for receiver in (1, 3):
        with holders.session("holder2", receiver) as session:
            session.post("/v1/keygen", spoilt, KeygenReceived)
    with holders.session("holder1", 3) as session:
        session.post("/v1/keygen", message(holders, 1), KeygenReceived)
    # The last encrypted share is holder 3's: it is the one that finds out.
    with pytest.raises(KeygenFault) as caught:
        online(holders, 3, {}).finish(0, lambda report, away: None)
    assert caught.value.participant == 2
