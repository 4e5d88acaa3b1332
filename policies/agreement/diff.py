"""What one version of an agreement says otherwise than another: place by place, each with a sentence for people.

Compares the documents that are signed, so that nothing can differ unseen. Knows no signature.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policies.agreement.document import Agreement
from policies.agreement.words import day, last_day, span

DAY: Final = 86_400

_IDS: Final = ("institution_id", "recipient_id", "auditor_id", "index", "code", "role")
"""Under one of these names an item of a list says which it is."""

_NAMES: Final[Mapping[str, str]] = {
    "title": "The title",
    "start": "The beginning",
    "end": "The last day",
    "member_quorum": "The institutions that sign epochs and rosters",
    "t_h": "The key holders that compute together",
    "epoch_days": "The longest epoch in days",
    "padded_size": "The bytes of a sealed payload",
    "openings_per_day": "The openings a recipient and day",
    "records_per_day": "The records an institution and day",
    "retention.records": "The life of a record at the broker",
    "retention.opened": "How long a recipient keeps what opened",
    "opening_rule.t": "The groups that an opening needs",
    "opening_rule.least_weight": "The least weight of an opening",
    "opening_rule.alone": "The kinds that suffice alone",
    "witnesses.parties": "The witnesses of the log",
    "witnesses.quorum": "The witnesses that must countersign",
    "parties.broker.address": "The broker's address",
    "parties.broker.key": "The broker's signing key",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `old` is None for what is new, `new` for what is gone."""

    path: str
    old: Any
    new: Any
    sentence: str


def diff(old: Agreement, new: Agreement) -> tuple[Change, ...]:
    """Every difference, in the order of the document; version and previous hash are not among them."""
    before, after = old.to_document(), new.to_document()
    for document in (before, after):
        document.pop("version")
        document.pop("previous", None)
    return tuple(_changes(before, after, ()))


def _changes(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[Change]:
    if old == new:
        return
    old, new = _keyed(old), _keyed(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _changes(old.get(key), new.get(key), (*path, str(key)))
    else:
        yield Change(".".join(path), old, new, _sentence(path, old, new))


def _keyed(value: Any) -> Any:
    """A list of items that say which they are, as a mapping from that; anything else as it is."""
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        return value
    for name in _IDS:
        if all(name in item for item in value) and len({item[name] for item in value}) == len(value):
            return {f"holder{item[name]}" if name == "index" else str(item[name]): item for item in value}
    return value


def _sentence(path: tuple[str, ...], old: Any, new: Any) -> str:
    name = _name(path)
    if path[0] == "parties" and len(path) == 3:
        party = path[2]
        if old is None:
            return f"{party} joins ({_list_name(path[1])})."
        if new is None:
            return f"{party} is no party any more ({_list_name(path[1])})."
    if path[-1] in ("signing_key", "key", "dkg_key"):
        what = "key for generating keys" if path[-1] == "dkg_key" else "signing key"
        return f"{_owner(path)} has a new {what}."
    if isinstance(old, list) and isinstance(new, list) and not any(isinstance(item, dict) for item in (*old, *new)):
        gone = [str(item) for item in old if item not in new]
        come = [str(item) for item in new if item not in old]
        parts = [f"without {', '.join(gone)}"] if gone else []
        parts += [f"with {', '.join(come)}"] if come else []
        return f"{name}: now {' and '.join(parts) or 'in another order'}."
    if new is None and isinstance(old, list):
        return f"{name}: none any more; before {', '.join(map(str, old)) or 'none either'}."
    if old is None:
        return f"{name} is new: {_shown(path, new)}."
    if new is None:
        return f"{name} is gone; it was {_shown(path, old)}."
    return f"{name}: {_shown(path, new)} instead of {_shown(path, old)}."


def _name(path: tuple[str, ...]) -> str:
    whole = ".".join(path)
    if whole in _NAMES:
        return _NAMES[whole]
    match path:
        case ("fields", role, *_):
            return f"The fields that a {role} may seal"
        case ("indicators", role, *_):
            return f"The red flags that a {role} may add"
        case ("gates", role, *_):
            return f"The gate of a {role}"
        case ("kinds", kind):
            return f"The kind {kind}"
        case ("kinds", kind, what):
            return f"The {what} of the kind {kind}"
        case ("purposes", code, *_):
            return f"The purpose {code}"
        case ("parties", _, party, *rest):
            return f"The {' '.join(rest).replace('_', ' ') or 'entry'} of {party}"
    return " ".join(path).replace("_", " ").capitalize()


def _owner(path: tuple[str, ...]) -> str:
    return "The broker" if path[1] == "broker" else path[2]


def _list_name(name: str) -> str:
    return {"members": "institution", "recipients": "recipient", "holders": "key holder", "auditors": "auditor"}.get(
        name, name
    )


def _shown(path: tuple[str, ...], value: Any) -> str:
    if path == ("start",):
        return day(value)
    if path == ("end",):
        return last_day(value)
    if path[0] == "retention":
        return span(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
