"""What national identity numbers and passport numbers share: "CC|NUMBER" with the number in A-Z and 0-9.

Knows no country's rules for a number; those are in national_id.py.
"""

from __future__ import annotations

from clients.identifiers.cleaning import letters_and_digits
from clients.identifiers.kind import Unusable

LEAST = 5
MOST = 20


def clean_number(text: str, part: str) -> str:
    """The number in A-Z and 0-9, 5 to 20 of them, a digit among them (a machine-readable zone's '<' are dropped)."""
    number = letters_and_digits(text)
    if not LEAST <= len(number) <= MOST or not any(character.isdigit() for character in number):
        raise Unusable("format", part)
    return number


def split_number(value: str) -> dict[str, str]:
    """Country and number of a canonical value."""
    country, _, number = value.partition("|")
    return {"country": country, "number": number}
