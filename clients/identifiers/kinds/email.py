"""E-mail addresses: syntax by email-validator without DNS, lower case, the domain in its ASCII form.

Only what surely is the same mailbox is made equal: Gmail documents that it ignores points and what follows a plus,
and that googlemail.com is gmail.com. No other provider's habits are assumed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from email_validator import EmailNotValidError, validate_email

from clients.identifiers.kind import Hints, Kind, Part, Unusable

_GMAIL = frozenset({"gmail.com", "googlemail.com"})


def normalise(parts: Mapping[str, str], hints: Hints) -> str:
    """The address as local@domain, e.g. "müller@xn--bcher-kva.example" for Müller@BÜCHER.example."""
    text = parts["address"].removeprefix("mailto:").strip("<> ")
    try:
        # Addresses under .test belong to trials of this very client.
        checked = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise Unusable("format", "address") from None
    local = unicodedata.normalize("NFC", checked.local_part.lower())
    domain = (checked.ascii_domain or checked.domain).lower()
    if domain in _GMAIL:
        local, domain = local.partition("+")[0].replace(".", ""), "gmail.com"
        if not local:
            raise Unusable("format", "address")
    return f"{local}@{domain}"


def split(value: str) -> dict[str, str]:
    """The address alone."""
    return {"address": value}


KIND = Kind(
    name="email",
    version=1,
    parts=(Part("address", "the e-mail address"),),
    forms=(("address",),),
    normalise=normalise,
    split=split,
)
