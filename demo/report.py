"""The demonstration's result for people: what was planted, found and missed, and what the broker could see of it.

Renders a finished outcome; asks nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from demo.outcome import Outcome
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.signed_note import encode_base64
from policies.rendering import grouped


def render(outcome: Outcome, cpu_seconds: Mapping[str, float]) -> str:
    """The whole report as text."""
    console = Console(width=100, highlight=False)
    with console.capture() as captured:
        console.print(_pairs(outcome))
        console.print(_broker(outcome))
        console.print(_agreement(outcome))
        console.print(_costs(outcome, cpu_seconds))
    return captured.get().rstrip()


def _pairs(outcome: Outcome) -> Table:
    score = outcome.score
    table = Table(title="Pairs of records that belong to one person", title_justify="left")
    table.add_column("what")
    table.add_column("pairs", justify="right")
    table.add_column("", overflow="fold")
    planted = (str(len(score.planted)), "known truth") if outcome.truth_is_known else ("", "no truth.csv was given")
    table.add_row("planted", *planted)
    table.add_row("found", str(len(score.found)), f"{outcome.alerts} alerts, {outcome.opened} records opened")
    if outcome.truth_is_known:
        table.add_row("right", str(len(score.hits)), f"precision {score.precision:.3f}, recall {score.recall:.3f}")
        table.add_row("false", str(len(score.wrong)), "")
        for reason, count in Counter(outcome.missed.values()).most_common():
            table.add_row("missed", str(count), reason)
    table.add_row("", "", f"{outcome.rejected} values could not be normalised; {outcome.placeholders} placeholders")
    return table


def _broker(outcome: Outcome) -> Table:
    table = Table(title="What the broker's database holds about one of these people", title_justify="left")
    table.add_column("field")
    table.add_column("bytes", overflow="fold")
    held = outcome.example
    if held is not None:
        table.add_row("institution, handle", f"{held.institution_id}, {held.handle.hex()}")
        for entry in held.entries:
            table.add_row(f"tag of a {entry.kind}", entry.tag.hex())
        table.add_row("envelope", f"{held.envelope_start.hex()}... ({held.envelope_length} bytes, locked)")
    search = outcome.search
    verdict = (
        f"found {len(search.found)} of {search.sought} identifiers of these people in {search.values} stored values"
    )
    table.add_row("search", Text(verdict, style="bold"))
    return table


def _agreement(outcome: Outcome) -> Table:
    cosigned = CosignedCheckpoint(outcome.checkpoint)
    checkpoint = cosigned.checkpoint
    witnesses = [line.name.rpartition("/")[2] for line in cosigned.note.signatures if line.name != checkpoint.origin]
    table = Table(title="What all parties signed, and the log of what was done under it", title_justify="left")
    table.add_column("what")
    table.add_column("", overflow="fold")
    table.add_row("agreement", grouped(outcome.agreement.hash))
    table.add_row("co-signed by", ", ".join(sorted(outcome.agreement.signatures)))
    table.add_row("log", checkpoint.origin)
    table.add_row("leaves, root", f"{checkpoint.size}, {encode_base64(checkpoint.root)}")
    table.add_row("cosigned by", ", ".join(sorted(set(witnesses))))
    audit = outcome.audit
    table.add_row(
        "audited", f"{audit.leaves} leaves verified, {audit.decisions} decisions replayed, {audit.differ} differ"
    )
    for sentence in audit.findings or ("Nothing was found that does not hold.",):
        table.add_row("", sentence)
    return table


def _costs(outcome: Outcome, cpu_seconds: Mapping[str, float]) -> Table:
    table = Table(title="What it cost", title_justify="left")
    table.add_column("party")
    table.add_column("CPU s", justify="right")
    for party, seconds in cpu_seconds.items():
        table.add_row(party, f"{seconds:.1f}")
    table.add_row("all, on the clock", f"{outcome.seconds:.0f}")
    return table
