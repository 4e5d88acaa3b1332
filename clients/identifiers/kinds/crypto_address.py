"""Addresses of crypto-assets: Bitcoin (base58, Bech32, Bech32m), Ethereum and its like, Tron.

Bitcoin's and Tron's checks are made. Ethereum's (ERC-55, letter case) is not: it needs Keccak-256, which no library
that runs on every platform here has, and case says nothing of the address. The chain need not be told.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from stdnum import bitcoin
from stdnum.exceptions import ValidationError

from clients.identifiers.kind import Hints, Kind, Part, Unusable

_ETHEREUM = re.compile(r"(?:0[xX])?([0-9a-fA-F]{40})", re.ASCII)
_BASE58 = re.compile(r"[13T][1-9A-HJ-NP-Za-km-z]{24,34}")
_BECH32 = re.compile(r"bc1([02-9ac-hj-np-z]{8,87})")
_SCHEME = re.compile(r"(?:bitcoin|ethereum|tron):(?://)?", re.IGNORECASE)
# The leading byte of an address: Bitcoin's two kinds, and Tron's.
_VERSIONS = {"1": 0x00, "3": 0x05, "T": 0x41}
_BECH32M = 0x2BC830A3


def normalise(parts: Mapping[str, str], hints: Hints) -> str:
    """The address; hexadecimal and Bech32 in lower case, base58 as it is."""
    text = _SCHEME.sub("", parts["address"].replace(" ", ""), count=1).partition("?")[0]
    found = _ETHEREUM.fullmatch(text)
    if found:
        return "0x" + found[1].lower()
    if _BASE58.fullmatch(text):
        return _base58(text)
    lower = text.lower()
    if text in (lower, text.upper()) and _BECH32.fullmatch(lower):
        return _bech32(lower)
    raise Unusable("format", "address")


def _base58(text: str) -> str:
    decoded = bitcoin.b58decode(text)
    if len(decoded) != 25 or decoded[0] != _VERSIONS[text[0]]:
        raise Unusable("format", "address")
    if hashlib.sha256(hashlib.sha256(decoded[:-4]).digest()).digest()[:4] != decoded[-4:]:
        raise Unusable("checksum", "address")
    return text


def _bech32(text: str) -> str:
    """A segregated witness address: version 0 by Bech32 (BIP 173), later ones by Bech32m (BIP 350)."""
    data = [bitcoin._bech32_alphabet.index(character) for character in text[3:]]
    version, check = data[0], bitcoin.bech32_checksum([*bitcoin._expand_hrp("bc"), *data])
    if check != (1 if version == 0 else _BECH32M):
        raise Unusable("checksum", "address")
    try:
        program = bitcoin.b32decode(data[1:-6])
    except ValidationError:
        raise Unusable("format", "address") from None
    lengths = range(20, 33, 12) if version == 0 else range(2, 41)
    if version > 16 or len(program) not in lengths:
        raise Unusable("format", "address")
    return text


def split(value: str) -> dict[str, str]:
    """The address alone."""
    return {"address": value}


KIND = Kind(
    name="crypto-address",
    version=1,
    parts=(Part("address", "the address, with or without a scheme such as bitcoin:"),),
    forms=(("address",),),
    normalise=normalise,
    split=split,
)
