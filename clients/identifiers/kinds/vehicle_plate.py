"""Number plates of vehicles: the country and the plate in A-Z and 0-9.

Blanks, hyphens and seals are left out, letters of other alphabets that look Latin become Latin (as on the road), and
umlauts lose their marks.
"""

from __future__ import annotations

from collections.abc import Mapping

from clients.identifiers.cleaning import letters_and_digits
from clients.identifiers.countries import country_of
from clients.identifiers.kind import Hints, Kind, Part, Unusable

_LEAST = 2
_MOST = 12


def normalise(parts: Mapping[str, str], hints: Hints) -> str:
    """ "CC|PLATE", e.g. "GB|AB12CDE"; "ZZ|PLATE" where the mapping says that the country is not known."""
    plate = letters_and_digits(parts["plate"])
    if not _LEAST <= len(plate) <= _MOST:
        raise Unusable("format", "plate")
    return f"{country_of(parts.get('country'), hints, 'country')}|{plate}"


def split(value: str) -> dict[str, str]:
    """Country and plate."""
    country, _, plate = value.partition("|")
    return {"country": country, "plate": plate}


KIND = Kind(
    name="vehicle-plate",
    version=1,
    parts=(
        Part("plate", "the plate as written"),
        Part("country", "the country that registered the vehicle (else the mapping's default)", context=True),
    ),
    forms=(("plate",),),
    normalise=normalise,
    split=split,
)
