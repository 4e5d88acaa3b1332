"""Words for people: kinds of identifiers and the opening rule, as commands and desk say them."""

from __future__ import annotations

from policies.opening_rule import OpeningRule

KIND_NAMES = {
    "phone": "Phone number",
    "email": "Email address",
    "bank-account": "Bank account",
    "national-id": "National ID",
    "passport": "Passport",
    "crypto-address": "Crypto address",
    "vehicle-plate": "Vehicle plate",
    "web-handle": "Web handle",
    "person.name-birthdate": "Name and birth date",
    "address.postal": "Postal address",
}


def kind_name(kind: str) -> str:
    """A kind in words; a kind that has none is shown as it is."""
    return KIND_NAMES.get(kind, kind)


def within_sentence(name: str) -> str:
    """A name as it stands within a sentence: `passport`, but `National ID` keeps its capitals past the first."""
    return name[:1].lower() + name[1:]


def counted(number: int, thing: str) -> str:
    """`1 record`, `2 records`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def describe_rule(rule: OpeningRule) -> str:
    """The opening rule as one sentence."""
    who = "another group proves that it holds" if rule.t == 2 else f"{rule.t - 1} other groups prove that they hold"
    sentence = f"A record opens when {who} the same identifiers, with a weight of at least {rule.least_weight} together"
    if not rule.alone:
        return f"{sentence}."
    alone = ", ".join(sorted(within_sentence(kind_name(kind)) for kind in rule.alone))
    return f"{sentence}, or one of those that suffice alone: {alone}."
