"""An institution's home and its contact with the others: keys, documents, membership, open sessions.

At each contact the broker's documents are fetched and believed only as far as the pinned agreement bears them out.
Knows no row and no statement.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from clients.institution import rotation
from clients.institution.links import Caller, Links, Network, open_broker, open_links
from clients.institution.membership import Membership, membership
from clients.institution.settings import InstitutionSettings
from clients.log.store import CheckpointStore
from clients.log.witness_duty import LogView, WitnessDuty
from crypto.keyfiles import KeyRing, add_to_key_file, read_key_file
from crypto.local_encryption import generate_local_key
from crypto.signatures import SigningKey
from policies.documents import SignedDocument
from policies.home import PartyHome
from policies.trust import Trust
from runtime.clock import Clock, unix
from runtime.exits import ExitCode, UserError
from wire.problems import RemoteProblem
from wire.session import Unreachable

_LOCAL_KEYS = ("rows", "journal")


class AskBroker(Enum):
    """Whether the broker must be asked for documents, may be away (those held are used then), or is not asked."""

    REQUIRED = auto()
    WHERE_REACHED = auto()
    NOT = auto()


@dataclass(frozen=True)
class InstitutionHome:
    """The opened home of one institution: card and documents, secrets, and where the local state lies."""

    place: PartyHome
    institution_id: str
    state_folder: Path
    ring: KeyRing
    passphrase: str = field(repr=False)


@dataclass(frozen=True)
class Contact:
    """Verified documents, what they make of the institution, and sessions under the key that they name.

    `broker_fault` says why the broker could not be asked for documents, where that was allowed; `log` is the broker's
    log as this contact found it, None where the broker was not asked.
    """

    trust: Trust
    membership: Membership
    ring: KeyRing
    links: Links
    broker_fault: UserError | None = None
    log: LogView | None = None

    @property
    def signing_key(self) -> SigningKey:
        """The key that the newest roster names."""
        return SigningKey(self.ring[rotation.SIGNING])


def open_home(path: Path, settings: InstitutionSettings, passphrase: str) -> InstitutionHome:
    """Open the key file of the institution at `path`, and draw the local keys that an older one lacks.

    Raises UserError where it is no institution's home, InvalidKeyFile and WrongPassphrase where it does not open.
    """
    place = PartyHome(path)
    if not place.card.is_member:
        raise UserError(
            f"{path} is the home of a {place.card.role}; the institution's client works for a member.",
            ExitCode.DOCUMENTS_REFUSED,
        )
    ring = read_key_file(place.key_file, passphrase)
    missing = [name for name in _LOCAL_KEYS if name not in ring]
    if missing:
        ring = add_to_key_file(place.key_file, {name: generate_local_key() for name in missing}, passphrase)
    return InstitutionHome(place, place.card.party_id, settings.state, ring, passphrase)


@contextmanager
def contact(
    home: InstitutionHome, clock: Clock, network: Network, broker: AskBroker = AskBroker.REQUIRED
) -> Iterator[Contact]:
    """Fetch and verify documents, let a rotated key take its place, and open the sessions.

    The contact is a witness's too: the log is held against what was kept, and cosigned. Raises UserError where the
    documents or the broker are refused, the log shows two histories, or the institution has no place in them now.
    """
    trust, fault = home.place.library.trust(), None
    if broker is not AskBroker.NOT:
        try:
            trust = home.place.library.accept_all(_documents(home, trust, clock, network))
        except Unreachable as away:
            if broker is AskBroker.REQUIRED:
                raise
            fault = away
    place = membership(trust, home.institution_id, unix(clock))
    ring = rotation.settle(home.place, home.ring, place.public_key, home.passphrase)
    caller = Caller(home.institution_id, SigningKey(ring[rotation.SIGNING]), clock, network)
    with open_links(trust, caller) as links:
        view = None
        if broker is not AskBroker.NOT and fault is None:
            duty = WitnessDuty(home.institution_id, caller.signing_key, CheckpointStore(home.place.path), clock)
            view = duty.contact(trust, links.log, links.broker, links.holders)
        yield Contact(trust, place, ring, links, fault, view)


def _documents(home: InstitutionHome, trust: Trust, clock: Clock, network: Network) -> list[SignedDocument]:
    """The broker's documents, asked for under the key that it knows: a newer roster may name the next one already."""
    member = trust.member(home.institution_id) if trust.is_ready else None
    refused: RemoteProblem | None = None
    for key in rotation.candidates(home.ring, member.signing_key if member else None):
        with open_broker(trust, Caller(home.institution_id, key, clock, network)) as broker:
            try:
                return broker.documents()
            except RemoteProblem as problem:
                if problem.status != 401:
                    raise
                refused = refused or problem
    if refused is None:
        raise UserError("There is no signing key to ask the broker with.", ExitCode.KEYS)
    raise refused
