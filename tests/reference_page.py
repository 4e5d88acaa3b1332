"""Writes the tables of docs/reference.md from the code, so that they cannot say anything else: `--write`.

    python -m tests.reference_page            says which tables differ
    python -m tests.reference_page --write    writes them

Tables stand between `<!-- NAME -->` and `<!-- /NAME -->`; everything around them is written by hand.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from flask import Flask

from broker.settings import BrokerSettings
from cli.main import COMMANDS, crosslight
from clients.charity.settings import CharitySettings
from clients.institution.settings import InstitutionSettings
from keyholder.settings import HolderSettings
from runtime.exits import MEANINGS
from runtime.logs import LOGGED_KEYS
from runtime.settings import describe
from tests.agreement_world import make_world
from tests.brokers import build_broker
from tests.holders import serve_in_process
from tests.project_files import PACKAGES, ROOT, modules, read
from wire.access import route_access

PAGE = ROOT / "docs/reference.md"
SETTINGS: dict[str, type[Any]] = {
    "broker": BrokerSettings,
    "holder": HolderSettings,
    "institution": InstitutionSettings,
    "charity": CharitySettings,
}
_METRIC_KINDS = ("counter", "gauge", "histogram")


def commands() -> Iterator[tuple[str, click.Command, str]]:
    """Every command that does something, with its full name and its line of help."""
    context = click.Context(crosslight)
    for name in COMMANDS:
        command = crosslight.get_command(context, name)
        assert command is not None
        yield from _commands_below(command, f"crosslight {name}", COMMANDS[name].summary)


def _commands_below(command: click.Command, name: str, line: str) -> Iterator[tuple[str, click.Command, str]]:
    if not isinstance(command, click.Group):
        yield name, command, line
        return
    context = click.Context(command)
    for child_name in command.list_commands(context):
        child = command.get_command(context, child_name)
        assert child is not None
        yield from _commands_below(child, f"{name} {child_name}", _first_line(child))


def _first_line(command: click.Command) -> str:
    """The first sentence of a command's help, whole."""
    paragraph = (command.help or "").split("\n\n")[0]
    return " ".join(paragraph.split())


def options_of(command: click.Command) -> list[str]:
    """The longest name of each of a command's own options."""
    shown = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    return ["/".join(_longest(names) for names in (each.opts, each.secondary_opts) if names) for each in shown]


def _longest(names: Iterable[str]) -> str:
    return max(names, key=len)


def command_table() -> str:
    """Every command, what it does, its options."""
    rows = [
        (f"`{' '.join([name, *_arguments(command)])}`", line, " ".join(f"`{option}`" for option in options_of(command)))
        for name, command, line in commands()
    ]
    return _table(("command", "what it does", "options"), rows)


def _arguments(command: click.Command) -> list[str]:
    context = click.Context(command)
    return [each.make_metavar(context) for each in command.params if isinstance(each, click.Argument)]


def exit_table() -> str:
    """Exit codes and what they mean."""
    return _table(("code", "meaning"), [(str(int(code)), meaning) for code, meaning in MEANINGS.items()])


def settings_table(cls: type[Any]) -> str:
    """One program's settings."""
    rows = [
        (
            f"`{each.name}`",
            f"`{each.variable}`",
            each.type,
            "needed" if each.default is None else f"`{each.default}`" if each.default else "",
            each.help,
        )
        for each in describe(cls)
    ]
    return _table(("setting", "variable", "type", "default", "what for"), rows)


def metrics() -> list[tuple[str, str, tuple[str, ...], str]]:
    """Every metric that the packages make: name as it is served, kind, labels, what it counts; read from the code."""
    found = []
    for path in modules():
        if path.parts[0] not in PACKAGES or path == Path("runtime/metrics.py"):
            continue
        found += _metrics_in(ast.parse(read(path) or ""))
    # The module that defines them makes those of every service itself.
    found += _metrics_in(ast.parse(read(Path("runtime/metrics.py")) or ""))
    return sorted(set(found))


def _metrics_in(tree: ast.AST) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in _METRIC_KINDS:
            continue
        name, documentation, *labels = (ast.literal_eval(argument) for argument in node.args)
        served = f"{name}_total" if node.func.id == "counter" else name
        yield served, node.func.id, tuple(labels[0]) if labels else (), documentation


def metric_table() -> str:
    """Every metric."""
    rows = [
        (f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), what) for name, kind, labels, what in metrics()
    ]
    return _table(("metric", "kind", "labels", "what it counts"), rows)


def log_keys() -> str:
    """Every key that a log line can hold."""
    return ", ".join(f"`{key}`" for key in sorted(LOGGED_KEYS)) + "\n"


def route_table(app: Flask) -> str:
    """Every route of a service and who may call it."""
    rows = [
        (method, f"`{_plain(rule)}`", "anybody" if roles == "public" else ", ".join(sorted(roles)), action)
        for method, rule, roles, action in route_access(app)
    ]
    return _table(("method", "path", "who", "action"), rows)


def _plain(rule: str) -> str:
    """A route's rule with its variables by their names alone."""
    return re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", rule)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def tables() -> dict[str, str]:
    """Every table by the name of its place in the page."""
    made = {"commands": command_table(), "exit codes": exit_table()}
    made |= {f"settings of the {name}": settings_table(cls) for name, cls in SETTINGS.items()}
    made |= {"metrics": metric_table(), "log keys": log_keys()}
    with tempfile.TemporaryDirectory() as folder:
        world = make_world()
        broker = build_broker(f"sqlite:///{folder}/broker.sqlite", agreement=world)
        holders = serve_in_process(world, Path(folder))
        made |= {"routes of the broker": route_table(broker.app), "routes of a holder": route_table(holders.apps[1])}
    return made


def place(name: str) -> re.Pattern[str]:
    """Where a table stands: its beginning, the table, its end."""
    return re.compile(rf"(<!-- {name} -->\n)(.*?)(<!-- /{name} -->)", re.S)


def differing(text: str) -> list[str]:
    """The names of the tables that the page shows otherwise, or not at all."""
    found = {name: (place(name).search(text), table) for name, table in tables().items()}
    return [name for name, (shown, table) in found.items() if shown is None or shown[2] != table]


def main() -> int:
    """Compare, or write."""
    parser = argparse.ArgumentParser(description="the tables of docs/reference.md")
    parser.add_argument("--write", action="store_true", help="write them into the page")
    if parser.parse_args().write:
        text = PAGE.read_text("utf-8")
        for name, table in tables().items():
            text = place(name).sub(lambda found, table=table: found[1] + table + found[3], text)
        PAGE.write_text(text, "utf-8")
    stale = differing(PAGE.read_text("utf-8"))
    for name in stale:
        print(f"{PAGE.name}: {name}: differs from the code", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
