"""The two-letter code of a country that is given by a code or by its name in any of several languages.

Knows ISO 3166 through pycountry and its translations; nothing of identifiers.
"""

from __future__ import annotations

import gettext
from functools import cache, lru_cache

import pycountry

from clients.identifiers.cleaning import words
from clients.identifiers.kind import UNKNOWN_COUNTRY, Hints, Unusable

_LANGUAGES = (
    "ar", "bg", "cs", "da", "de", "el", "es", "et", "fi", "fr", "hr", "hu", "it", "ja", "lt", "lv", "nb", "nl", "pl",
    "pt", "pt_BR", "ro", "ru", "sk", "sl", "sq", "sr", "sv", "tr", "uk", "vi", "zh_CN",
)  # fmt: skip

# What people write, and ISO 3166 does not list.
_ALSO = {
    "uk": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "northern ireland": "GB",
    "great britain": "GB",
    "britain": "GB",
    "el": "GR",
    "holland": "NL",
    "usa": "US",
    "america": "US",
    "russia": "RU",
    "rossiya": "RU",
    "south korea": "KR",
    "north korea": "KP",
    "vietnam": "VN",
    "turkey": "TR",
    "ivory coast": "CI",
    "cape verde": "CV",
    "czech republic": "CZ",
    "kosovo": "XK",
    "xk": "XK",
    "xkx": "XK",
    "macedonia": "MK",
    "swaziland": "SZ",
    "burma": "MM",
    "laos": "LA",
    "syria": "SY",
    "iran": "IR",
    "moldova": "MD",
    "tanzania": "TZ",
    "bolivia": "BO",
    "venezuela": "VE",
    "brunei": "BN",
    "palestine": "PS",
    "taiwan": "TW",
    "d": "DE",  # The passport's and the road sign's code for Germany
    "zz": UNKNOWN_COUNTRY,
    "xxx": UNKNOWN_COUNTRY,
}


@lru_cache(maxsize=4096)
def country_code(text: str) -> str | None:
    """The code of a country given as GB, GBR, United Kingdom, Vereinigtes Königreich ...; None where unknown.

    "ZZ" stands for an unknown country and is its own code.
    """
    if len(text) == 2 and text.isascii() and text.isupper() and text in _codes():
        return text
    return _names().get(" ".join(words(text)))


def country_of(text: str | None, hints: Hints, part: str) -> str:
    """The code of a row's country, or the mapping's default where the row has none; raises Unusable."""
    if text:
        code = country_code(text)
        if code is None:
            raise Unusable("country", part)
        return code
    if hints.country is None:
        raise Unusable("no-country", part)
    return hints.country


@cache
def _codes() -> frozenset[str]:
    return frozenset(country.alpha_2 for country in pycountry.countries) | {UNKNOWN_COUNTRY, "XK"}


@cache
def _names() -> dict[str, str]:
    names: dict[str, str] = dict(_ALSO)
    entries = [
        (country.alpha_2, [name for name in (getattr(country, field, None) for field in _NAME_FIELDS) if name])
        for country in pycountry.countries
    ]
    for code, own in entries:
        for name in (code, *own):
            names.setdefault(" ".join(words(name)), code)
    for language in _LANGUAGES:
        translated = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, [language], fallback=True)
        for code, own in entries:
            for name in own[1:]:
                names.setdefault(" ".join(words(translated.gettext(name))), code)
    names.pop("", None)
    return names


_NAME_FIELDS = ("alpha_3", "name", "common_name", "official_name")
