"""One vocabulary of actions: what the schema has, what the rules permit, what routes and commands are. All the same."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from policies.decisions.actions import ACTIONS, WITHOUT_ROUTE
from policies.decisions.command_actions import COMMAND_ACTIONS
from policies.decisions.rules import current_rules
from tests.agreement_world import make_world
from tests.brokers import build_broker
from tests.holders import serve_in_process
from tests.reference_page import commands
from wire.access import PUBLIC, Route, route_access

_GROUPS = {"using", "providing", "requesting", "always-open"}


@pytest.fixture(scope="module")
def routes() -> Iterator[dict[str, list[Route]]]:
    """Every route of the broker and of a key holder, by introspection of the applications."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world()
        broker = build_broker(f"sqlite:///{folder}/broker.sqlite", agreement=world)
        holders = serve_in_process(world, Path(folder))
        yield {"broker": route_access(broker.app), "holder": route_access(holders.apps[1])}


def test_the_schema_has_exactly_the_actions_of_the_system() -> None:
    declared = set(re.findall(r'^action "([^"]+)"', str(current_rules().schema), re.M))
    assert declared == set(ACTIONS) | _GROUPS
    assert set(current_rules().facts) == set(ACTIONS)


def test_every_route_is_an_action_that_its_program_decides(routes: dict[str, list[Route]]) -> None:
    for where, found in routes.items():
        for route in found:
            assert where in ACTIONS[route.action].where, route


def test_every_route_takes_exactly_the_roles_that_may_take_its_action(routes: dict[str, list[Route]]) -> None:
    for found in routes.values():
        for route in found:
            roles = frozenset({"anybody"}) if route.roles == PUBLIC else route.roles
            assert roles == ACTIONS[route.action].roles, route


def test_every_command_is_one_action_and_no_other_is_named() -> None:
    found = {name.removeprefix("crosslight ") for name, _, _ in commands()}
    assert found == set(COMMAND_ACTIONS)


def test_every_action_is_some_route_or_command(routes: dict[str, list[Route]]) -> None:
    used = {route.action for found in routes.values() for route in found} | set(COMMAND_ACTIONS.values())
    assert used == set(ACTIONS) - WITHOUT_ROUTE


def test_what_depends_on_a_match_is_read_by_nobody_who_submits() -> None:
    for action in ACTIONS.values():
        # Being asked for fields tells an institution of a hit: only where the agreement says that it may.
        if action.depends_on_match and action.name not in ("request-fields", "answer-field-request"):
            assert "institution" not in action.roles
