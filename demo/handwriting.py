"""How each institution writes its customers down: its columns, and its own way with names, dates and numbers.

Knows a person and a random source; knows no other institution.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from demo.made_up import Person

Writer = Callable[[Person, random.Random], str]

_DIGRAPHS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"})
_WITHOUT_MARKS = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ı": "i"})
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NOTES = (
    "cash deposits by third parties",
    "shares a telephone with other customers",
    "wages leave within minutes",
    "account opened in company of a third person",
    "many hotel bookings",
    "",
)


@dataclass(frozen=True)
class Handwriting:
    """One institution: its name, the delimiter of its file, and what writes each of its columns."""

    name: str
    delimiter: str
    columns: Mapping[str, Writer]


def _grouped(text: str, size: int = 4) -> str:
    return " ".join(text[start : start + size] for start in range(0, len(text), size))


def _national_phone(person: Person, draw: random.Random) -> str:
    digits = "0" + person.phone[3:]
    return draw.choice((f"{digits[:5]} {digits[5:]}", digits, f"({digits[:5]}) {digits[5:8]}-{digits[8:]}"))


def _international_phone(person: Person, draw: random.Random) -> str:
    digits = person.phone[3:]
    area, rest = digits[:4], digits[4:]
    return draw.choice((person.phone, f"+44 {area} {rest}", f"0044 {digits}", f"+44 (0){area}-{rest}"))


def _title(person: Person, draw: random.Random) -> str:
    return draw.choice(("", "", "", "Dr. ", "Ms ", "Mr "))


def _given_names(person: Person, draw: random.Random) -> str:
    return f"{person.given} {person.middle}".strip()


def _full_name(person: Person, draw: random.Random) -> str:
    return f"{_title(person, draw)}{person.given} {person.family}"


def _family_first(person: Person, draw: random.Random) -> str:
    return f"{person.family.upper()}, {_given_names(person, draw)}"


def _wallet(person: Person, draw: random.Random) -> str:
    """The wallet in either case."""
    return draw.choice((person.wallet, f"0x{person.wallet[2:].upper()}"))


def _plate(person: Person, draw: random.Random) -> str:
    return draw.choice((person.plate, f"{person.plate[:4]} {person.plate[4:]}", person.plate.lower()))


def _without_marks(text: str) -> str:
    """The text as an older program keeps it, without diacritics."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_WITHOUT_MARKS))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _note(person: Person, draw: random.Random) -> str:
    return draw.choice(_NOTES)


INSTITUTIONS = (
    Handwriting(
        "northbank",
        ",",
        {
            "given_name": _given_names,
            "family_name": lambda person, draw: person.family,
            "date_of_birth": lambda person, draw: person.born.isoformat(),
            "street": lambda person, draw: person.street,
            "postcode": lambda person, draw: person.postcode,
            "city": lambda person, draw: person.city,
            "phone": _national_phone,
            "email": lambda person, draw: person.email,
            "iban": lambda person, draw: _grouped(person.iban),
            "national_id": lambda person, draw: _grouped(person.national_id, 2),
            "passport": lambda person, draw: person.passport,
            "note": _note,
        },
    ),
    Handwriting(
        "rheinkredit",
        ";",
        {
            "given_name": lambda person, draw: person.given.translate(_DIGRAPHS),
            "family_name": lambda person, draw: person.family.translate(_DIGRAPHS).upper(),
            "date_of_birth": lambda person, draw: f"{person.born:%d.%m.%Y}",
            "street": lambda person, draw: person.street.replace("Street", "St.").replace("Road", "Rd"),
            "postcode": lambda person, draw: person.postcode.replace(" ", ""),
            "city": lambda person, draw: person.city.upper(),
            "phone": _international_phone,
            "email": lambda person, draw: person.email.upper(),
            "iban": lambda person, draw: person.iban,
            "passport": lambda person, draw: _grouped(person.passport, 3),
            "note": _note,
        },
    ),
    Handwriting(
        "coin-harbour",
        ",",
        {
            "full_name": _family_first,
            "date_of_birth": lambda person, draw: f"{person.born:%d/%m/%Y}",
            "phone": _international_phone,
            "email": lambda person, draw: f" {person.email} ",
            "iban": lambda person, draw: person.iban.lower(),
            "passport": lambda person, draw: person.passport,
            "wallet": _wallet,
            "handle": lambda person, draw: f"@{person.handle}",
        },
    ),
    Handwriting(
        "county-police",
        ",",
        {
            "full_name": lambda person, draw: _without_marks(_full_name(person, draw)),
            "date_of_birth": lambda person, draw: (
                f"{person.born.day} {_MONTHS[person.born.month - 1]} {person.born.year}"
            ),
            "street": lambda person, draw: person.street,
            "postcode": lambda person, draw: person.postcode,
            "phone": _national_phone,
            "national_id": lambda person, draw: person.national_id,
            "plate": _plate,
            "wallet": lambda person, draw: person.wallet,
            "handle": lambda person, draw: person.handle.upper(),
            "note": _note,
        },
    ),
)
"""The four institutions of the demonstration."""
