"""Passports: the issuing country and the number.

Passport numbers have no check digit outside the machine-readable zone, so only their form is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

from clients.identifiers.countries import country_of
from clients.identifiers.kind import Hints, Kind, Part
from clients.identifiers.kinds.document_number import clean_number, split_number


def normalise(parts: Mapping[str, str], hints: Hints) -> str:
    """ "CC|NUMBER", e.g. "DE|C01X00T47"; "ZZ|NUMBER" where the mapping says that the country is not known."""
    return f"{country_of(parts.get('country'), hints, 'country')}|{clean_number(parts['number'], 'number')}"


KIND = Kind(
    name="passport",
    version=1,
    parts=(
        Part("number", "the passport's number"),
        Part("country", "the country that issued it (else the mapping's default)", context=True),
    ),
    forms=(("number",),),
    normalise=normalise,
    split=split_number,
)
