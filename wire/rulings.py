"""What a service asks before it answers a signed request: a ruling by the party's own rules, which wire does not know.

The decision behind a ruling is opaque here; the party that gave it reads it again with `current_decision`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import g

from wire.access import Caller
from wire.problems import Problem


@dataclass(frozen=True)
class Ruling:
    """The answer to a request's question: the decision, for whoever records it, and the problem if it is refused."""

    decision: object
    refusal: Problem | None = None


Authorise = Callable[[Caller, str, Mapping[str, Any]], Ruling]
"""`authorise(caller, action, arguments)`: `arguments` are what the view is called with, by name; the message that its
body or query held is under "message". Called after authentication, role and form, and before the view."""


def current_ruling() -> Ruling | None:
    """The ruling on the request being answered; None before it was given, and where nobody rules."""
    found: Ruling | None = g.get("ruling")
    return found


def current_decision() -> object:
    """The decision on the request being answered; raises LookupError where none was taken."""
    ruling = current_ruling()
    if ruling is None:
        raise LookupError("no decision was taken on this request")
    return ruling.decision
