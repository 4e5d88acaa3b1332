"""Bank accounts: an IBAN checked by schwifty, or a UK sort code with an account number.

A British IBAN holds sort code and account number, so that both ways of writing one account give one value; the bank's
code in the IBAN follows from the sort code and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

from clients.identifiers.cleaning import letters_and_digits
from clients.identifiers.kind import Hints, Kind, Part, Unusable

_CANONICAL_UK = re.compile(r"GB\|([0-9]{6})\|([0-9]{8})")
_CHECK_DIGITS = re.compile(r"[A-Z]{2}[0-9]{2}")


def normalise(parts: Mapping[str, str], hints: Hints) -> str:
    """ "GB|sort code|account" (6 and 8 digits) for accounts in the UK, else the IBAN without blanks."""
    if "iban" in parts:
        return _from_iban(parts["iban"])
    sort_code = letters_and_digits(parts["sort_code"])
    account = letters_and_digits(parts["account_number"])
    if not (sort_code.isdigit() and len(sort_code) == 6):
        raise Unusable("format", "sort_code")
    if not (account.isdigit() and 6 <= len(account) <= 8):
        raise Unusable("format", "account_number")
    # Some banks write six or seven digits; the clearing fills them up from the left.
    return f"GB|{sort_code}|{account.zfill(8)}"


def _from_iban(text: str) -> str:
    if _CANONICAL_UK.fullmatch(text):
        return text
    compact = letters_and_digits(text).removeprefix("IBAN")
    if not _CHECK_DIGITS.match(compact):
        raise Unusable("format", "iban")
    iban = IBAN(compact, allow_invalid=True)
    try:
        iban.validate()
    except SchwiftyException as error:
        wrong_digits = "checksum" in type(error).__name__.lower()
        raise Unusable("checksum" if wrong_digits else "format", "iban") from None
    if iban.country_code == "GB":
        return f"GB|{compact[8:14]}|{compact[14:22]}"
    return compact


def split(value: str) -> dict[str, str]:
    """The value itself, which is read where an IBAN is."""
    return {"iban": value}


KIND = Kind(
    name="bank-account",
    version=1,
    parts=(
        Part("iban", "the IBAN, with or without blanks"),
        Part("sort_code", "the UK sort code, six digits"),
        Part("account_number", "the UK account number, six to eight digits", filler=False),
    ),
    forms=(("iban",), ("sort_code", "account_number")),
    normalise=normalise,
    split=split,
)
