"""National identity numbers: validated by python-stdnum where a country has one number that everybody means.

Countries without such a number (Germany, France and the UK have several, none of them checked alike) are taken as
cleaned letters and digits.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from types import ModuleType

from stdnum.exceptions import InvalidChecksum, ValidationError

from clients.identifiers.cleaning import letters_and_digits
from clients.identifiers.countries import country_of
from clients.identifiers.kind import Hints, Kind, Part, Unusable
from clients.identifiers.kinds.document_number import clean_number, split_number

# The numbers that may stand for a person in each country; the first that validates is taken.
SCHEMES: dict[str, tuple[str, ...]] = {
    "AR": ("ar.dni",),
    "AT": ("at.vnr",),
    "BE": ("be.nn", "be.bis"),
    "BG": ("bg.egn", "bg.pnf"),
    "BR": ("br.cpf",),
    "CA": ("ca.sin",),
    "CH": ("ch.ssn",),
    "CL": ("cl.rut",),
    "CN": ("cn.ric",),
    "CU": ("cu.ni",),
    "CZ": ("cz.rc",),
    "DK": ("dk.cpr",),
    "DO": ("do.cedula",),
    "EC": ("ec.ci",),
    "EE": ("ee.ik",),
    "ES": ("es.dni", "es.nie"),
    "FI": ("fi.hetu",),
    "GR": ("gr.amka",),
    "HR": ("hr.oib",),
    "IE": ("ie.pps",),
    "IL": ("il.idnr",),
    "IN": ("in_.aadhaar", "in_.pan"),
    "IS": ("is_.kennitala",),
    "IT": ("it.codicefiscale",),
    "KR": ("kr.rrn",),
    "LT": ("lt.asmens",),
    "MX": ("mx.curp",),
    "MY": ("my.nric",),
    "NL": ("nl.bsn",),
    "NO": ("no.fodselsnummer",),
    "PL": ("pl.pesel",),
    "PT": ("pt.cc", "pt.nif"),
    "RO": ("ro.cnp",),
    "SE": ("se.personnummer",),
    "SI": ("si.emso",),
    "SK": ("sk.rc",),
    "TH": ("th.pin",),
    "TR": ("tr.tckimlik",),
    "UA": ("ua.rntrc",),
    "US": ("us.ssn", "us.itin"),
    "ZA": ("za.idnr",),
}


def normalise(parts: Mapping[str, str], hints: Hints) -> str:
    """ "CC|NUMBER" in A-Z and 0-9, e.g. "NL|111222333".

    Swedish numbers get their century (12 digits); Finnish ones keep the sign that says it.
    """
    country = country_of(parts.get("country"), hints, "country")
    schemes = _schemes(country)
    if not schemes:
        return f"{country}|{clean_number(parts['number'], 'number')}"
    reason = "format"
    for scheme in schemes:
        try:
            return f"{country}|{_validated(scheme, parts['number'])}"
        except InvalidChecksum:
            reason = "checksum"
        except ValidationError:
            continue
    raise Unusable(reason, "number")


@cache
def _schemes(country: str) -> tuple[ModuleType, ...]:
    return tuple(importlib.import_module(f"stdnum.{name}") for name in SCHEMES.get(country, ()))


def _validated(scheme: ModuleType, text: str) -> str:
    # The scheme sees what was typed (a sign may carry the century), then plain letters and digits, which are the same
    # number where an unusual mark stood between.
    try:
        number: str = scheme.validate(text)
    except ValidationError:
        number = scheme.validate(letters_and_digits(text))
    if scheme.__name__ == "stdnum.se.personnummer":
        return f"{scheme.get_birth_date(number):%Y%m%d}{number[-4:]}"
    if scheme.__name__ == "stdnum.fi.hetu":
        return number
    return letters_and_digits(number)


KIND = Kind(
    name="national-id",
    version=1,
    parts=(
        Part("number", "the identity number"),
        Part("country", "the country that gave it (else the mapping's default)", context=True),
    ),
    forms=(("number",),),
    normalise=normalise,
    split=split_number,
)
