"""The one `crosslight` command: it gathers each party's commands and loads them only when they are asked for.

Knows where a command lives and the line that describes it, so that `--help` starts no service's libraries. Each
party's module exposes a click object under the name given here.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from dataclasses import dataclass

import click

from runtime.console import run_command


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is defined, and its line in `crosslight --help`."""

    module: str
    name: str
    summary: str


COMMANDS: dict[str, Place] = {
    "party": Place("policies.commands", "party", "Make a party's keys and its card."),
    "agreement": Place("policies.commands", "agreement", "Make, compare, co-sign and amend the agreement."),
    "epoch": Place("policies.commands", "epoch", "Make, show, sign, verify and accept an epoch document."),
    "roster": Place("policies.commands", "roster", "Make, show, sign, verify and accept a roster."),
    "holder": Place("keyholder.commands", "holder", "Run a key holder: generate keys, serve, suspend."),
    "broker": Place("broker.commands", "broker", "Run the broker: serve, match, look after its database."),
    "institution": Place(
        "clients.institution.commands", "institution", "An institution's client: preview, sync, withdraw."
    ),
    "charity": Place("clients.charity.commands", "charity", "The charity's client: alerts, opening, the desk."),
    "auditor": Place(
        "clients.auditor.commands", "auditor", "An auditor's client: verify the log, replay decisions, report."
    ),
    "demo": Place("demo.commands", "demo", "Run all parties on this machine, on made-up people or your own files."),
    "log": Place("policies.log.commands", "log", "Verify what the transparency log says, from files alone."),
    "doctor": Place("cli.doctor", "doctor", "Check this installation, or a folder of worked protocol bytes."),
}


class PartyCommands(click.Group):
    """A group whose members are imported when they are called, not when they are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None where there is none of that name."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        command = getattr(importlib.import_module(place.module), place.name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{place.module}.{place.name} is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from `COMMANDS` alone, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.summary) for name, place in COMMANDS.items()])


@click.command(cls=PartyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(importlib.metadata.version("crosslight"), prog_name="crosslight")
def crosslight() -> None:
    """Let institutions find out that they hold the same person, and let nobody read anything else.

    Every command has --help. Exit codes: 0 done, 1 a fault of the program, 2 wrong usage, 3 input refused, 4 settings
    or documents refused, 5 keys or passphrase, 6 a service cannot be reached, 7 a service refused, 8 verification
    failed, 9 done in part, 10 budget spent.
    """


def main() -> None:
    """The entry point of the installed command."""
    sys.exit(run_command(crosslight))


if __name__ == "__main__":
    main()
