"""Which country a file's telephone numbers without a country code belong to, going by what else the file holds.

Knows numbers, IBANs and countries as texts; a guess from the majority, for people to correct.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import phonenumbers

from clients.identifiers.countries import country_code
from clients.identifiers.normaliser import normalise
from clients.identifiers.outcomes import Normalised

LEAST_VOTES = 3
LEAST_SHARE = 0.8


def phone_regions(phones: Iterable[str]) -> Counter[str]:
    """The countries of the numbers that are written with a country code."""
    found: Counter[str] = Counter()
    for phone in phones:
        outcome = normalise("phone", {"number": phone})
        if isinstance(outcome, Normalised):
            code = phonenumbers.parse(outcome.value).country_code
            if code is not None:
                # The main country of a code that several share: it reads the national numbers of the others alike.
                found[phonenumbers.region_code_for_country_code(code)] += 1
    found.pop("001", None)  # Codes that belong to no country
    return found


def iban_regions(ibans: Iterable[str]) -> Counter[str]:
    """The countries that IBANs begin with."""
    return _known(iban.strip()[:2].upper() for iban in ibans)


def country_regions(countries: Iterable[str]) -> Counter[str]:
    """The countries that are named."""
    return _known(countries)


def decided(votes: Counter[str]) -> str | None:
    """The country that at least three, and four fifths of all, speak for; None where there is none."""
    if not votes:
        return None
    region, count = votes.most_common(1)[0]
    return region if count >= max(LEAST_VOTES, LEAST_SHARE * votes.total()) else None


def _known(texts: Iterable[str]) -> Counter[str]:
    codes = (country_code(text) for text in texts)
    return Counter(code for code in codes if code in phonenumbers.SUPPORTED_REGIONS)
