"""Dates of birth as people and programs write them, read into one form; what can be read in two ways is refused.

Knows no clock: plausibility is a fixed span of years. Raises Unusable with the reason, never a guess.
"""

from __future__ import annotations

import re
from datetime import date

from anyascii import anyascii

from clients.identifiers.kind import DateOrder, Unusable

EARLIEST_YEAR = 1870
LATEST_YEAR = 2100

_TIME = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z| ?UTC|[+-]\d{2}:?\d{2})?)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/. ])(\d{{1,2}})\2(\d{{1,2}}){_TIME}", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/. ]) ?(\d{{1,2}})\2 ?(\d{{4}}){_TIME}", re.ASCII)
_DAY_MONTH_NAME = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th|er|\.|º)?[- ./]*(?:de |of )?([a-z]+)\.?,?[- ./]*(?:de |del )?(\d{4})"
)
_MONTH_NAME_DAY = re.compile(r"([a-z]+)\.?[- ./]*(\d{1,2})(?:st|nd|rd|th)?,?[- ./]+(\d{4})")

# English, German, French, Spanish, Italian, Dutch, Portuguese, Polish; without diacritics.
_MONTHS = (
    "jan january januar janvier enero gennaio januari janeiro stycznia styczen ene gen jaenner janner",
    "feb february februar fevrier febrero febbraio februari fevereiro lutego luty fev",
    "mar march marz maerz mars marzo maart marco marca marzec mrz mrt",
    "apr april avril abril aprile kwietnia kwiecien avr abr",
    "may mai mayo maggio mei maio maja maj mag",
    "jun june juni juin junio giugno junho czerwca czerwiec giu",
    "jul july juli juillet julio luglio julho lipca lipiec lug juil",
    "aug august aout agosto augustus sierpnia sierpien ago",
    "sep sept september septembre septiembre settembre setembro wrzesnia wrzesien set",
    "oct october oktober octobre octubre ottobre outubro pazdziernika pazdziernik okt ott out",
    "nov november novembre noviembre novembro listopada listopad",
    "dec december dezember decembre diciembre dicembre dezembro grudnia grudzien dez dic",
)
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names.split()}


def parse_date(text: str, order: DateOrder | None, part: str) -> date:
    """The date of a cleaned text. `order` says how to read 03/04/1990; `part` is named in what is raised.

    Read are year first (1990-02-28, 1990/2/28, 19900228, with a time of day that is left out), year last
    (28.02.1990, 28/02/1990, 28-2-1990; points are day-first everywhere) and months by name in eight languages.
    Two-digit years are refused. Raises Unusable.
    """
    found = _YEAR_FIRST.fullmatch(text)
    if found:
        return _date(found[1], found[3], found[4], part)
    found = _COMPACT.fullmatch(text)
    if found:
        return _date(found[1], found[2], found[3], part)
    found = _YEAR_LAST.fullmatch(text)
    if found:
        return _year_last(int(found[1]), int(found[3]), found[4], "day-first" if found[2] == "." else order, part)
    return _named_month(text, part)


def _year_last(first: int, second: int, year: str, order: DateOrder | None, part: str) -> date:
    if order is None:
        if first <= 12 and second <= 12 and first != second:
            raise Unusable("date-ambiguous", part)
        order = "month-first" if second > 12 else "day-first"
    day, month = (first, second) if order == "day-first" else (second, first)
    if month > 12 >= day:
        raise Unusable("date-order", part)
    return _date(year, str(month), str(day), part)


def _named_month(text: str, part: str) -> date:
    lower = anyascii(text).lower()
    found = _DAY_MONTH_NAME.fullmatch(lower)
    if found and found[2] in _MONTH_OF:
        return _date(found[3], str(_MONTH_OF[found[2]]), found[1], part)
    found = _MONTH_NAME_DAY.fullmatch(lower)
    if found and found[1] in _MONTH_OF:
        return _date(found[3], str(_MONTH_OF[found[1]]), found[2], part)
    raise Unusable("date", part)


def _date(year: str, month: str, day: str, part: str) -> date:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise Unusable("date", part) from None


def check_birthdate(born: date, part: str) -> None:
    """Refuse a year in which no living person was born; raises Unusable."""
    if not EARLIEST_YEAR <= born.year <= LATEST_YEAR:
        raise Unusable("date-implausible", part)
