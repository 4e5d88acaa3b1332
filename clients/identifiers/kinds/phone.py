"""Telephone numbers: E.164, read by libphonenumber's rules.

A number must be possible in its country's plan (its length and beginning), not be in service: plans change faster
than libraries, and both sides write an unlisted number alike.
"""

from __future__ import annotations

from collections.abc import Mapping

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from clients.identifiers.countries import country_code
from clients.identifiers.kind import Hints, Kind, Part, Unusable


def normalise(parts: Mapping[str, str], hints: Hints) -> str:
    """The number in E.164, an extension left out, e.g. "+4915112345678"."""
    text = parts["number"]
    region = _region(parts, hints)
    if text.startswith("00") and region is None:
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE and region is None:
            raise Unusable("no-region", "number") from None
        raise Unusable("format", "number") from None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        raise Unusable("format", "number")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _region(parts: Mapping[str, str], hints: Hints) -> str | None:
    if "country" not in parts:
        return hints.region
    code = country_code(parts["country"])
    if code is None:
        raise Unusable("country", "country")
    return code if code in phonenumbers.SUPPORTED_REGIONS else hints.region


def split(value: str) -> dict[str, str]:
    """The number alone: it carries its country."""
    return {"number": value}


KIND = Kind(
    name="phone",
    version=1,
    parts=(
        Part("number", "the telephone number, national or international"),
        Part("country", "the country of a national number, where a row has one", context=True),
    ),
    forms=(("number",),),
    normalise=normalise,
    split=split,
)
