"""The charity's office over the real broker and key holders, served in this process (tests.institutions)."""

from __future__ import annotations

from contextlib import AbstractContextManager

from clients.charity.links import Links, open_links
from clients.charity.office import Office
from clients.charity.settings import CharitySettings
from crypto.keyfiles import KeyRing
from policies.documents import write_json_file
from policies.library import DocumentLibrary
from policies.party_keys import CARD_FILE, epoch_key_name
from policies.trust import Trust
from tests.institutions import Agreement


def office_of(agreement: Agreement, recipient_id: str = "charity") -> Office:
    """The charity's office, which reaches the services as they run in this process."""
    world = agreement.world
    agreement.holders.follow(agreement.broker.app)
    home = agreement.folder / recipient_id
    home.mkdir(exist_ok=True)
    write_json_file(home / CARD_FILE, world.parties[recipient_id].card.to_document())
    library = DocumentLibrary.of_home(home)
    library.pin(world.agreement, world.agreement.hash)
    for signed in (world.epoch, world.roster):
        library.accept(signed)
    ring = KeyRing(
        {
            **world.parties[recipient_id].secrets,
            epoch_key_name(world.trust.epoch_id): world.recipient_seeds[recipient_id],
        }
    )
    settings = CharitySettings(store=home / "charity.sqlite3", timeout=30.0)
    key = world.parties[recipient_id].signing_key

    def linker(trust: Trust) -> AbstractContextManager[Links]:
        return open_links(
            trust, recipient_id, key, settings, agreement.broker.clock, transport=agreement.gates.__getitem__
        )

    return Office(home, ring, settings=settings, clock=agreement.broker.clock, linker=linker)
