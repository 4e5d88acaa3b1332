"""Every kind of identifier by name; a kind's module, and the library behind it, is loaded when it is first used."""

from __future__ import annotations

import importlib
from functools import cache

from clients.identifiers.kind import Kind

_MODULES = {
    "phone": "phone",
    "email": "email",
    "bank-account": "bank_account",
    "national-id": "national_id",
    "passport": "passport",
    "crypto-address": "crypto_address",
    "vehicle-plate": "vehicle_plate",
    "web-handle": "web_handle",
    "person.name-birthdate": "person",
    "address.postal": "address",
}

KIND_NAMES = tuple(_MODULES)


@cache
def kind_of(name: str) -> Kind:
    """The kind of that name; raises KeyError where there is none."""
    module = importlib.import_module(f"clients.identifiers.kinds.{_MODULES[name]}")
    kind: Kind = module.KIND
    return kind


def normalisation_versions() -> dict[str, int]:
    """The normalisation version of every kind, for terms and epoch documents."""
    return {name: kind_of(name).version for name in KIND_NAMES}
