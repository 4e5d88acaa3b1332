"""A second implementation of the sealing, pycryptodome's, that checks the first. The only module that imports it.

It is installed on Linux alone (its package folder and crypto/ are one on file systems that ignore case) and nothing
but a check depends on it: where it is missing, `available` says so and programs go on.
"""

from __future__ import annotations

import importlib
import secrets
from typing import Any

from crypto import sealing
from crypto.errors import InvalidSealed

_EPOCH_ID = bytes(range(32))
_INSTITUTION_ID = "self-check"
_RECIPIENT_ID = "recipient"


def available() -> bool:
    """Whether the second implementation is installed, in a version that has X-Wing."""
    return _modules() is not None


def version() -> str | None:
    """The version of the second implementation, None where it is missing."""
    return str(importlib.import_module("Crypto").__version__) if available() else None


def seal(public_key: bytes, plaintext: bytes, info: bytes, *, coins: bytes | None = None) -> tuple[bytes, bytes]:
    """(enc, ciphertext) of `plaintext`, as RFC 9180 base mode gives them.

    `coins` are the 64 bytes of X-Wing's EncapsulateDerand, for worked examples only; random if None.
    """
    hpke, hybrid = _required()
    key = hybrid.HybridKey(param_set=hybrid.MLKEM768_X25519, pk=public_key)
    if coins is not None:
        encapsulate = key._encaps
        key._encaps = lambda _randomness=None: encapsulate(coins)
    context = hpke.new(receiver_key=key, aead_id=hpke.AEAD.CHACHA20_POLY1305, info=info)
    return bytes(context.enc), bytes(context.seal(plaintext))


def unseal(seed: bytes, enc: bytes, ciphertext: bytes, info: bytes) -> bytes:
    """What was sealed to the key of `seed`; raises InvalidSealed."""
    hpke, hybrid = _required()
    key = hybrid.HybridKey(param_set=hybrid.MLKEM768_X25519, seed=seed)
    try:
        context = hpke.new(receiver_key=key, aead_id=hpke.AEAD.CHACHA20_POLY1305, enc=enc, info=info)
        return bytes(context.unseal(ciphertext))
    except ValueError:
        raise InvalidSealed("the second implementation does not open it") from None


def public_key(seed: bytes) -> bytes:
    """The 1216-byte public key of a seed, as the second implementation derives it."""
    _, hybrid = _required()
    key = hybrid.HybridKey(param_set=hybrid.MLKEM768_X25519, seed=seed)
    return bytes(key._pk)


def self_check() -> None:
    """Each implementation opens what the other seals, with fresh keys; raises InvalidSealed where they differ."""
    seed, secret, idempotency_key = secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(16)
    key = sealing.recipient_public_key(seed)
    if public_key(seed) != key:
        raise InvalidSealed("the two HPKE implementations derive different public keys from one seed")
    first = sealing.seal_batch_secret(
        key,
        secret,
        epoch_id=_EPOCH_ID,
        institution_id=_INSTITUTION_ID,
        idempotency_key=idempotency_key,
        recipient_id=_RECIPIENT_ID,
    )
    info = sealing.seal_info(_EPOCH_ID, _INSTITUTION_ID, idempotency_key, _RECIPIENT_ID, first.key_id)
    enc, ciphertext = seal(key, secret, info)
    second = sealing.SealedSecret(_RECIPIENT_ID, first.key_id, enc, ciphertext)
    opened_by_first = sealing.open_batch_secret(seed, second, info)
    opened_by_second = unseal(seed, first.enc, first.ciphertext, info)
    if opened_by_first != secret or opened_by_second != secret:
        raise InvalidSealed("the two HPKE implementations do not open what the other sealed")


def _required() -> tuple[Any, Any]:
    modules = _modules()
    if modules is None:
        raise InvalidSealed("the second HPKE implementation (pycryptodome >= 4.4) is not installed")
    return modules


def _modules() -> tuple[Any, Any] | None:
    # The one place where this library's types come in: it has none for HPKE.
    try:
        hpke = importlib.import_module("Crypto.Protocol.HPKE")
        hybrid = importlib.import_module("Crypto.PublicKey.Hybrid")
    except ImportError:
        return None
    return hpke, hybrid
