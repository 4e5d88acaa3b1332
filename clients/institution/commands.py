"""The `crosslight institution` commands that stay on this machine, and the place where all of them are gathered.

Commands that contact others (sync_commands.py) are loaded only when they are called, so that a preview cannot reach a
network even by accident.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from clients.institution.agreement_rules import SendingRules, own_terms
from clients.institution.mapping import RowMapping, check_terms
from clients.institution.mapping_file import load_mapping
from clients.institution.preview import preview
from clients.institution.preview_report import Standing, preview_data, preview_text
from clients.institution.proposal_text import proposal_text
from clients.institution.propose import Wishes, propose, restricted
from clients.institution.rows import read_rows
from clients.institution.settings import read_settings
from clients.institution.source import open_source
from policies.budgets import coverage
from policies.library import DocumentLibrary
from policies.party_keys import CARD_FILE, read_card_file
from policies.terms import Terms
from policies.trust import Trust
from runtime.clock import SystemClock, unix
from runtime.console import emit, json_option, progress, progress_option
from runtime.exits import ExitCode, UserError

_CONTACT = "clients.institution.sync_commands"
_CONTACT_COMMANDS = {
    "sync": "Send what is new, changed or gone since the last sync.",
    "status": "Show what is live at the broker, and what waits here.",
    "withdraw": "Take records back for good, at the broker and at every key holder.",
    "receipts": "Prove, by the log, what the broker signed for; export receipts and proofs.",
    "rotate-key": "Replace the institution's signing key.",
}


class _Commands(click.Group):
    """The commands of this module, and those of sync_commands.py, which are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The order in which an institution uses them."""
        return [*self.commands, *_CONTACT_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by name; None where there is none."""
        if cmd_name not in _CONTACT_COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(_CONTACT)
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list without importing what it names."""
        own = [(name, command.get_short_help_str(90)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl([*own, *_CONTACT_COMMANDS.items()])


@click.group(cls=_Commands, name="institution")
def institution() -> None:
    """An institution's client: say what your columns mean, see what would be sent, send it.

    \b
    crosslight institution init customers.csv --home HOME    proposes HOME/mapping.toml
    crosslight institution preview --home HOME               shows what would be sent
    crosslight institution sync --home HOME                  sends it, every night anew
    """


_home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The institution's home folder.",
)


@institution.command("init")
@click.argument("source")
@_home_option
@click.option("--query", help="The SELECT to read, where SOURCE is a database.")
@click.option("--region", help="Two-letter country of telephone numbers without a country code, e.g. GB.")
@click.option("--country", help="Two-letter country of documents, plates and addresses where a row names none.")
@json_option
def init(source: str, home: Path, query: str | None, region: str | None, country: str | None) -> None:
    """Propose HOME/mapping.toml from the header and a sample of SOURCE, with the reason for each line.

    SOURCE is a CSV or Parquet file, an SQLAlchemy URL, or env:NAME for a URL in the environment variable NAME (so
    that no password stands on the command line; one in a URL is never written down). An existing mapping is never
    overwritten. Read the proposal before you use it: it guesses.
    """
    path = read_settings(home).mapping
    if path.exists():
        raise UserError(f"{path} is there already and is never overwritten: move it away first.", ExitCode.USAGE)
    proposal = propose(source, query, path.resolve().parent, Wishes(region, country))
    library = DocumentLibrary.of_home(home)
    if library.is_pinned:
        proposal = restricted(proposal, library.trust().agreement.terms)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = proposal_text(proposal)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    emit(
        {"mapping": str(path), "kinds": list(proposal.kinds), "unused": list(proposal.unused)},
        lambda: (
            f"{text}\nWritten to {path}. Read it, correct it, then run:\n  crosslight institution preview --home {home}"
        ),
    )


@institution.command("preview")
@_home_option
@click.option("--limit", type=click.IntRange(min=0), default=10, show_default=True, help="How many rows to show.")
@click.option("--show-values", is_flag=True, help="Show canonical and rejected values, which are personal data.")
@json_option
@progress_option
def preview_command(home: Path, limit: int, show_values: bool) -> None:
    """Show row by row what would be blinded, sealed or rejected, and count all rows. Nothing leaves this machine.

    Where the signed documents are in HOME, the kinds are checked against the agreement and the counts are held
    against this epoch's budget and the published coverage.
    """
    mapping = load_mapping(read_settings(home).mapping)
    terms, rules, standing = _agreed(home, mapping)
    source = open_source(mapping.source)
    with progress(None, "rows") as running:
        found = preview(
            read_rows(mapping, source),
            mapping,
            terms,
            limit=limit,
            show_values=show_values,
            progress=running,
            rules=rules,
        )
    if found.rows == 0:
        raise UserError(f"{source.name} has a header but 0 rows.")
    described = f"{source.name} ({source.description})"
    emit(preview_data(found, described, standing), lambda: preview_text(found, described, standing))


def _agreed(home: Path, mapping: RowMapping) -> tuple[Terms | None, SendingRules | None, Standing]:
    """What the pinned agreement lets this institution send, and what the newest roster says; nothing without a pin."""
    library = DocumentLibrary.of_home(home)
    if not library.is_pinned:
        return None, None, Standing(None)
    trust, card = library.trust(), home / CARD_FILE
    if not card.exists():
        check_terms(mapping, trust.agreement.terms)
        return trust.agreement.terms, None, _standing(home, trust, trust.agreement.terms)
    party_id = read_card_file(card).party_id
    terms = own_terms(trust, party_id)
    check_terms(mapping, terms)
    return terms, SendingRules(trust, party_id, unix(SystemClock())), _standing(home, trust, terms)


def _standing(home: Path, trust: Trust, terms: Terms) -> Standing:
    if not trust.is_ready or not (home / CARD_FILE).exists():
        return Standing(None)
    member = trust.member(read_card_file(home / CARD_FILE).party_id)
    budgets = {} if member is None else member.budgets
    return Standing(budgets, tuple(coverage(trust.roster.members, terms)))
