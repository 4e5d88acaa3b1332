"""Telephone numbers: E.164, read by libphonenumber's rules.

A number must be possible in its country's plan (its length and beginning), not be in service: plans change faster
than libraries, and both sides write an unlisted number alike.
"""

from __future__ import annotations

from collections.abc import Mapping

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from clients.identifiers.countries import country_code
from clients.identifiers.kind import UNKNOWN_COUNTRY, Hints, Kind, Part, Unusable

_INTERNATIONAL = ("+", "00")
_LEAST_DIGITS = 6
_MOST_DIGITS = 15


def normalise(parts: Mapping[str, str], hints: Hints) -> str:
    """The number in E.164, an extension left out, e.g. "+4915112345678".

    A national number is "ZZ|" and its digits where the mapping says that the region is not known.
    """
    text = parts["number"]
    # What comes with a country code needs no country beside it, not even one that is known.
    region = None if text.startswith("+") else _region(parts, hints)
    if region == UNKNOWN_COUNTRY and not text.startswith(_INTERNATIONAL):
        return _of_unknown_country(text)
    if text.startswith("00") and region in (None, UNKNOWN_COUNTRY):
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE and not text.startswith(_INTERNATIONAL):
            raise Unusable("no-region", "number") from None
        raise Unusable("format", "number") from None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        raise Unusable("format", "number")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _of_unknown_country(text: str) -> str:
    """ "ZZ|" and the digits without leading zeros: what two files that name no country can still have in common."""
    digits = "".join(character for character in text if character.isdecimal()).lstrip("0")
    if not _LEAST_DIGITS <= len(digits) <= _MOST_DIGITS:
        raise Unusable("format", "number")
    return f"{UNKNOWN_COUNTRY}|{digits}"


def _region(parts: Mapping[str, str], hints: Hints) -> str | None:
    if "country" not in parts:
        return hints.region
    code = country_code(parts["country"])
    if code is None:
        raise Unusable("country", "country")
    return code if code == UNKNOWN_COUNTRY or code in phonenumbers.SUPPORTED_REGIONS else hints.region


def split(value: str) -> dict[str, str]:
    """The number, which carries its country, or the digits of a number of unknown country."""
    country, bar, digits = value.partition("|")
    return {"number": digits, "country": country} if bar else {"number": value}


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
