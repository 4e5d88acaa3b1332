"""The holder's shares of an epoch's keys: found in its key file by the epoch's commitments, and checked against them.

A share that is missing or wrong is found here, at the start, and not in an answer. Knows families and indexes; no
caller, no budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from crypto import oprf
from crypto.errors import CryptoError
from crypto.keyfiles import KeyRing
from crypto.shares import Evaluation, check_share, share_name, weighted_key, weighted_public_key
from policies.trust import SHARE_VERSION, Trust

# So many sets S are remembered with their weighted keys; of more, the rest is computed anew (three multiplications).
_REMEMBERED_SETS = 64


class FamilyShare:
    """This holder's share of one family's key, known to be the one that the commitments promise. Never shown."""

    __slots__ = ("_commitments", "_index", "_share", "_weighted")

    def __init__(self, share: bytes, commitments: tuple[bytes, ...], index: int) -> None:
        """`share` 32 bytes, `commitments` A_0.. of 32 bytes each; raises CryptoError where they do not fit."""
        check_share(share, commitments, index)
        self._share = share
        self._commitments = commitments
        self._index = index
        self._weighted = lru_cache(maxsize=_REMEMBERED_SETS)(self._weigh)

    def evaluate(self, holder_set: tuple[int, ...], elements: bytes) -> Evaluation:
        """lambda_{j,S} k_j times each element (32 bytes each), with one proof; raises InvalidElement by position.

        What `crypto.shares.evaluate_share` computes, with the weighted keys of S remembered.
        """
        key, public_key = self._weighted(holder_set)
        evaluated = oprf.blind_evaluate(key, elements)
        return Evaluation(evaluated, oprf.prove(key, public_key, elements, evaluated))

    def _weigh(self, holder_set: tuple[int, ...]) -> tuple[bytes, bytes]:
        return (
            weighted_key(self._share, self._index, holder_set),
            weighted_public_key(self._commitments, self._index, holder_set),
        )

    def __repr__(self) -> str:
        return f"FamilyShare(index={self._index})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a share is never pickled")


@dataclass(frozen=True)
class EpochShares:
    """The shares of one epoch by family, and a sentence for each family whose share cannot be used."""

    families: Mapping[str, FamilyShare]
    faults: tuple[str, ...]

    @property
    def fault(self) -> str | None:
        """Why this holder cannot serve the epoch, in one sentence; None where it can."""
        return " ".join(self.faults) or None


def find_shares(trust: Trust, key_ring: KeyRing, index: int) -> EpochShares:
    """Holder `index`'s shares for the epoch of `trust`, each checked: share times B is the public share."""
    families: dict[str, FamilyShare] = {}
    faults: list[str] = []
    for family in sorted(trust.epoch.families):
        commitments = trust.commitments(family, SHARE_VERSION)
        name = share_name(commitments[0], SHARE_VERSION)
        if name not in key_ring:
            faults.append(
                f"The key file, as read at the start, holds no share of the key family {family} in epoch "
                f"{trust.epoch.number}."
            )
            continue
        try:
            families[family] = FamilyShare(key_ring[name], commitments, index)
        except CryptoError as error:
            faults.append(f"The share of the key family {family} in epoch {trust.epoch.number} is wrong: {error}.")
    return EpochShares(families, tuple(faults))
