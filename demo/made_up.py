"""Draws people who do not exist: names from short lists, identifiers from ranges that belong to nobody.

Knows nothing of institutions and files. Everything comes from one seeded source, so that a seed is a set of people.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

_GIVEN_NAMES = """
Anna Marie Zoë Chloé Inés Sofía Małgorzata Agnieszka Olena Ioana Elena Fatima Amina Thi Linh Mai Grace Blessing Joy
Adaeze Priya Lakshmi Nadia Leila Yasmin Maria Carmen Lucía Katarzyna Ewa Svetlana Irina Daria Emma Hannah Jürgen Björn
Günther Søren Łukasz Paweł Andrei Mihai Ivan Dmitri Omar Yusuf Tariq Samuel Michael David Daniel Thomas James Oliver
Jack Harry George Noah Leo Ahmed Ali Chen Wei Minh Tuan Emeka Chidi Kofi Kwame José Andrés
"""
_MIDDLE_NAMES = "Maria Anne Louise Jane Rose John Paul Peter Lee Alexander"
_FAMILY_NAMES = """
Müller Schröder Jäger Køhler Østergård Nowak Wiśniewski Kowalczyk Zając Popescu Ionescu Dumitru Shevchenko Kovalenko
Petrov Ivanova Nguyen Tran Pham Le Okafor Adeyemi Eze Balogun Mensah Owusu Sharma Patel Singh Khan Hussain Begum Ali
García Rodríguez Fernández López Muñoz Silva Santos Pereira Rossi Bianchi Ferrari Dubois Lefèvre Moreau O'Connor O'Brien
MacDonald Smith Jones Taylor Brown Williams Davies Evans Wilson Roberts Johnson Walker Wright Hall Thompson White Hughes
Edwards Green Lewis Wood Harris Martin Jackson Clarke Turner Hill Cooper Ward Morris Moore Li Wang Zhang Chen Yılmaz
Kaya Demir
"""
_STREET_NAMES = """
Mill Road,Station Road,Church Street,Park Avenue,Victoria Street,High Street,Albert Road,Queens Drive,Green Lane,
Harbour Terrace,Castle Close,Orchard Gardens,North Parade,Bridge Street,Kings Crescent,Meadow Way
"""
_GIVEN, _MIDDLE, _FAMILY = _GIVEN_NAMES.split(), _MIDDLE_NAMES.split(), _FAMILY_NAMES.split()
_STREETS = _STREET_NAMES.replace("\n", "").split(",")
_TOWNS = (
    ("Leeds", "LS"), ("Bristol", "BS"), ("Norwich", "NR"), ("Cardiff", "CF"), ("Dover", "CT"), ("Hull", "HU"),
    ("Derby", "DE"), ("Exeter", "EX"), ("Luton", "LU"), ("Preston", "PR"),
)  # fmt: skip
_YOUNGEST = date(2007, 1, 1)
_AGES_IN_DAYS = 60 * 365
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


@dataclass(frozen=True)
class Person:
    """A person as the truth knows them: every value in one plain form. Institutions write them each in their way."""

    number: int
    given: str
    middle: str
    family: str
    born: date
    street: str
    postcode: str
    city: str
    phone: str
    email: str
    iban: str
    national_id: str
    passport: str
    plate: str
    wallet: str
    handle: str


Drawn = TypeVar("Drawn")


class PeopleSource:
    """Draws people; no two share anything but by being told to."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self._drawn: set[object] = set()
        self._number = 0

    def person(self) -> Person:
        """A new person."""
        given, family, born = self._once(self._name_and_birth)
        return self._made(given, family, born, self._address())

    def namesake(self, other: Person) -> Person:
        """Another person of the same name, born on another day."""
        _, _, born = self._once(lambda: (other.given, other.family, self._born()))
        return self._made(other.given, other.family, born, self._address())

    def housemate(self, other: Person) -> Person:
        """Another person of the same family at the same address."""
        given, family, born = self._once(lambda: (self._random.choice(_GIVEN), other.family, self._born()))
        return self._made(given, family, born, (other.street, other.postcode, other.city))

    def new_phone(self) -> str:
        """A telephone number that nobody has: area code 01999 is not assigned."""
        return self._once(lambda: f"+441999{self._random.randrange(10**6):06d}")

    def new_email(self, person: Person) -> str:
        """An address that nobody has, in a domain reserved for examples (RFC 2606)."""
        name = _ascii_letters(person.given + person.family)
        domain = self._random.choice(("example.org", "example.com", "example.net"))
        return self._once(lambda: f"{name}{self._random.randrange(10**6)}@{domain}")

    def _made(self, given: str, family: str, born: date, address: tuple[str, str, str]) -> Person:
        self._number += 1
        draw = self._random
        named = _ascii_letters(given + family)
        street, postcode, city = address
        person = Person(
            number=self._number,
            given=given,
            middle=draw.choice(_MIDDLE) if draw.random() < 0.3 else "",
            family=family,
            born=born,
            street=street,
            postcode=postcode,
            city=city,
            phone=self.new_phone(),
            email="",
            iban=self._once(self._iban),
            # No National Insurance number begins with QQ.
            national_id=self._once(lambda: f"QQ{draw.randrange(10**6):06d}{draw.choice('ABCD')}"),
            passport=self._once(lambda: f"{draw.randrange(10**8, 10**9 - 1)}"),
            plate=self._once(self._plate),
            wallet=self._once(lambda: "0x" + draw.randbytes(20).hex()),
            handle=self._once(lambda: f"{named}.{draw.randrange(10**5)}"),
        )
        return Person(**{**vars(person), "email": self.new_email(person)})

    def _name_and_birth(self) -> tuple[str, str, date]:
        return self._random.choice(_GIVEN), self._random.choice(_FAMILY), self._born()

    def _born(self) -> date:
        return _YOUNGEST - timedelta(days=self._random.randrange(_AGES_IN_DAYS))

    def _address(self) -> tuple[str, str, str]:
        draw = self._random
        city, area = draw.choice(_TOWNS)
        inward = f"{draw.randrange(10)}{draw.choice('ABDEFGHJ')}{draw.choice('ABDEFGHJ')}"
        return f"{draw.randrange(1, 250)} {draw.choice(_STREETS)}", f"{area}{draw.randrange(1, 30)} {inward}", city

    def _plate(self) -> str:
        draw = self._random
        letters = draw.choices(_LETTERS, k=5)
        return f"{''.join(letters[:2])}{draw.randrange(51, 76)}{''.join(letters[2:])}"

    def _iban(self) -> str:
        """A British IBAN of a bank that there is not, with the right check digits (ISO 13616)."""
        account = f"CRLT99{self._random.randrange(10**4):04d}{self._random.randrange(10**7, 10**8)}"
        digits = "".join(str(int(character, 36)) for character in account + "GB00")
        return f"GB{98 - int(digits) % 97:02d}{account}"

    def _once(self, draw: Callable[[], Drawn]) -> Drawn:
        while (drawn := draw()) in self._drawn:
            pass
        self._drawn.add(drawn)
        return drawn


def _ascii_letters(text: str) -> str:
    return "".join(character for character in text.lower() if character.isascii() and character.isalpha())
