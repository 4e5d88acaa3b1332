"""Attack 4: two epoch documents: the unsigned is refused; forced tags are disjoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crypto import oprf
from crypto.tags import identifier_input, possession_entry, support_entry
from policies.documents import SignedDocument
from policies.epoch import Epoch
from policies.parties import BROKER
from policies.terms import family_of
from runtime.exits import ExitCode, UserError
from tests.agreement_world import World, make_world
from tests.institutions import Agreement
from tests.lying_brokers import serve_documents
from tests.offices import office_of
from tests.sync_parts import people, table
from wire.messages.documents import SignedDocument as DocumentMessage
from wire.messages.evaluation import EvaluateRequest, EvaluateResponse
from wire.problems import RemoteProblem


@pytest.fixture
def agreement(sqlite_url: str, tmp_path: Path) -> Agreement:
    return Agreement.build(sqlite_url, tmp_path)


def other_epochs(world: World) -> dict[str, tuple[Epoch, list[str]]]:
    """Second documents and who signed each: with other keys, for another time, as the next; never as it must be."""
    epoch = world.trust.epoch
    own_keys = replace(epoch, number=2, families=make_world().trust.epoch.families)
    shorter = replace(epoch, not_after=epoch.not_after - 1)
    everybody = [*world.holder_ids, *world.member_ids]
    return {
        "unsigned": (own_keys, []),
        "signed by the broker": (own_keys, [BROKER]),
        "signed by all members": (own_keys, [BROKER, *world.member_ids]),
        "signed by too few members": (own_keys, [*world.holder_ids, "bank-a"]),
        "signed by two of three holders": (own_keys, [*world.holder_ids[:2], *world.member_ids]),
        "a fork that everybody signed": (shorter, everybody),
    }


@pytest.mark.parametrize("name", sorted(other_epochs(make_world())))
def test_client_holder_and_desk_refuse_the_second_document(agreement: Agreement, name: str) -> None:
    world = agreement.world
    epoch, signers = other_epochs(world)[name]
    document = epoch.to_document()
    signed = world.sign(document, *signers) if signers else SignedDocument(document, {})
    bank, office = agreement.institution("bank-a"), office_of(agreement)
    bank.sync(table(people(2)))

    for index in agreement.holders.apps:
        with agreement.holders.session("bank-b", index) as session, pytest.raises(RemoteProblem) as refused:
            session.post("/v1/documents", DocumentMessage(signed.document, signed.signatures))
        assert refused.value.type_suffix == "document-refused"
        # So no element is evaluated under it either.
        elements = oprf.blind([b"anything"]).elements
        asked = EvaluateRequest(epoch.epoch_id, "phone", 1, (1, 2) if index < 3 else (2, 3), elements)
        with agreement.holders.session("bank-a", index) as session, pytest.raises(RemoteProblem) as unknown:
            session.post("/v1/evaluate", asked, EvaluateResponse)
        assert unknown.value.type_suffix == "unknown-epoch"
    serve_documents(agreement, [*world.documents, signed])
    for contact in (lambda: bank.sync(table(people(3))), office.refresh_queue):
        with pytest.raises(UserError) as by_them:
            contact()
        assert by_them.value.exit_code == ExitCode.DOCUMENTS_REFUSED
    assert agreement.broker.count("record") == 2
    office.close()


def test_tags_forced_into_two_epochs_under_the_same_keys_are_disjoint() -> None:
    world = make_world()
    epoch_ids = [epoch.epoch_id for epoch, _ in other_epochs(world).values()]
    rows = [("phone", f"+4477009{number:05}") for number in range(50)] + [("address.postal", "1 high street|n1 1aa")]
    tags: list[bytes] = []
    for epoch_id in {world.trust.epoch_id, *epoch_ids}:
        for kind, value in rows:
            y = world.evaluate(family_of(kind), identifier_input(epoch_id, kind, value))
            made = possession_entry(kind, y, b"") if world.trust.kinds[kind].possession else support_entry(kind, y)
            tags.append(made.tag)
    assert len(set(tags)) == len(tags) == 3 * len(rows)
