"""The public result of a key generation, checked before it enters an epoch document.

Whoever assembles, signs or accepts an epoch can verify that every key holder signed for the commitments. No secrets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from crypto.errors import CryptoError
from crypto.keyfiles import KeyRing
from crypto.keygen import Session, session_id, verify_certificate
from crypto.shares import check_share, share_name
from policies.agreement.document import Agreement
from policies.documents import FILE_LIMIT
from policies.epoch import Epoch
from policies.errors import DocumentRefused
from policies.trust import SHARE_VERSION
from wire.messages.keygen import GeneratedKey
from wire.messages.message import InvalidMessage, decode_message


def read_generated_key(path: Path) -> GeneratedKey:
    """The result in a file that `crosslight holder keygen` wrote; raises DocumentRefused naming the file."""
    try:
        with path.open("rb") as file:
            return decode_message(GeneratedKey, file.read(FILE_LIMIT))
    except OSError as error:
        raise DocumentRefused(f"{path} cannot be read: {error.strerror}.") from None
    except InvalidMessage as error:
        raise DocumentRefused(f"{path} is no result of a key generation: {error}.") from None


def verified_families(
    generated: Iterable[GeneratedKey], agreement: Agreement, number: int
) -> dict[str, tuple[bytes, ...]]:
    """The commitments per key family, each certified by every key holder for epoch `number`; raises DocumentRefused."""
    families: dict[str, tuple[bytes, ...]] = {}
    for key in generated:
        if (key.agreement_id, key.number) != (agreement.agreement_id, number):
            raise DocumentRefused(f"The key of {key.family} was generated for {key.agreement_id}, epoch {key.number}.")
        if families.get(key.family, key.commitments) != key.commitments:
            raise DocumentRefused(f"There are two generated keys for the family {key.family}.")
        families[key.family] = _certified(key, agreement)
    return families


def check_certificates(epoch: Epoch, generated: Iterable[GeneratedKey], agreement: Agreement) -> None:
    """Refuse an epoch with a family whose commitments are not those certified by every key holder."""
    certified = verified_families(generated, agreement, epoch.number)
    for family, commitments in epoch.families.items():
        if family not in certified:
            raise DocumentRefused(f"The certificate of the key family {family} is not among those given.")
        if certified[family] != commitments:
            raise DocumentRefused(f"The key family {family} has other commitments than its key holders certified.")


def check_own_shares(epoch: Epoch, index: int, ring: KeyRing) -> None:
    """Refuse an epoch for whose families a key holder does not have the shares: it could never answer."""
    for family, commitments in epoch.families.items():
        name = share_name(commitments[0], SHARE_VERSION)
        if name not in ring:
            raise DocumentRefused(f"The key file holds no share of the key of {family}: generate it with the others.")
        try:
            check_share(ring[name], commitments, index)
        except CryptoError as error:
            raise DocumentRefused(f"The share of the key of {family} does not fit the epoch: {error}.") from None


def _certified(key: GeneratedKey, agreement: Agreement) -> tuple[bytes, ...]:
    keys: Mapping[int, bytes] = {holder.index: holder.dkg_key for holder in agreement.holders}
    name = session_id(key.agreement_id, key.number, key.family, key.attempt)
    try:
        session = Session.create(name, agreement.terms.t_h, [keys[index] for index in sorted(keys)])
        commitments = tuple(verify_certificate(session, key.certificate))
    except CryptoError as error:
        raise DocumentRefused(f"The certificate of the key of {key.family} does not hold: {error}.") from None
    if commitments != tuple(key.commitments):
        raise DocumentRefused(f"The key of {key.family} lists other commitments than its certificate.")
    return commitments
