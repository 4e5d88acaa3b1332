"""Who may call what, and as which action: every view says so itself, and a view that does not say is not served.

Knows roles and actions by name; who has which role is decided by the resolver that a service is given, and what an
action needs beside the role by the rules of the party that serves.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from flask import Flask
from werkzeug.routing import Rule

View = TypeVar("View", bound=Callable[..., Any])

ROLES = frozenset({"institution", "recipient", "holder", "broker", "auditor"})
PUBLIC: Literal["public"] = "public"
_ATTRIBUTE = "_crosslight_access"
_IMPLIED_METHODS = frozenset({"HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Access:
    """What a view declares: the action, the roles that may call it (None: anybody), and whether it only reads."""

    action: str
    roles: frozenset[str] | None
    read_only: bool | None = None

    def reads(self, method: str) -> bool:
        """Tell whether the nonce is spent for the view, before it runs, rather than by it, in its transaction."""
        return self.read_only if self.read_only is not None else method == "GET"


@dataclass(frozen=True)
class Caller:
    """The party whose signature a request bears: its id, its role here, its public key (32 bytes)."""

    party_id: str
    role: str
    public_key: bytes


class UndeclaredAccess(Exception):
    """A route is served whose view is neither @signed nor @public: a fault of the program, found at its start."""


class Route(NamedTuple):
    """One route: its method, its rule, the roles that may call it (or "public"), and the action that it is."""

    method: str
    rule: str
    roles: frozenset[str] | Literal["public"]
    action: str


def signed(*roles: str, action: str, read_only: bool | None = None) -> Callable[[View], View]:
    """Declare that a view takes requests signed by a party of one of these roles, and which action they are.

    A view that changes something must spend the request's nonce in its own transaction (`spend_request_nonce`); one
    that only reads (GET, or `read_only`) has it spent before it runs.
    """
    if not roles or not ROLES.issuperset(roles):
        raise ValueError(f"@signed needs roles among {sorted(ROLES)}, not {roles}")
    return _declare(Access(action, frozenset(roles), read_only))


def public(*, action: str) -> Callable[[View], View]:
    """Declare that a view answers anybody, unsigned requests too, and which action they are."""
    return _declare(Access(action, None))


def _declare(access: Access) -> Callable[[View], View]:
    def declare(view: View) -> View:
        if hasattr(view, _ATTRIBUTE):
            raise ValueError("a view declares its access once")
        setattr(view, _ATTRIBUTE, access)
        # Where flask-smorest collects what it documents.
        documented = deepcopy(getattr(view, "_apidoc", {}))
        documented["signed"] = access.roles is not None
        view._apidoc = documented  # type: ignore[attr-defined]
        return view

    return declare


def access_of(app: Flask, rule: Rule, method: str) -> Access | None:
    """Return what the view behind a route declares for a method, or None if it declares nothing."""
    view: Any = app.view_functions.get(rule.endpoint)
    view_class = getattr(view, "view_class", None)
    if view_class is not None:
        view = getattr(view_class, method.lower(), None)
    found: Access | None = getattr(view, _ATTRIBUTE, None)
    return found


def route_access(app: Flask) -> list[Route]:
    """Return every route, sorted; the role x endpoint matrix is made of it.

    Raises UndeclaredAccess if a view declares nothing.
    """
    found: list[Route] = []
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - _IMPLIED_METHODS):
            access = access_of(app, rule, method)
            if access is None:
                raise UndeclaredAccess(f"{method} {rule.rule} is neither @signed nor @public")
            roles: frozenset[str] | Literal["public"] = PUBLIC if access.roles is None else access.roles
            found.append(Route(method, rule.rule, roles, access.action))
    return sorted(found, key=lambda route: (route.rule, route.method))
