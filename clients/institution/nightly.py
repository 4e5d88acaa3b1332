"""One whole sync, as the command runs it: the agreement's rules before every record, and the log's proofs afterwards.

Joins the night (sync.py) to what surrounds it. Knows no mapping and no command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clients.institution.agreement_rules import SendingRules
from clients.institution.changes import SourceRow
from clients.institution.contact import Contact
from clients.institution.kept_answers import keep_answers
from clients.institution.log_proofs import ProofCounts, prove_receipts
from clients.institution.night import Options, Parts, Placeholder, PreparedRow, Rejection, Report, Reporter, Source
from clients.institution.seal import Identifier
from clients.institution.state import State
from clients.institution.sync import Sync
from policies.log.log_keys import LogKeys
from runtime.clock import unix


@dataclass(frozen=True)
class LeftOut:
    """A row that the agreement does not let this institution send: counts of what was found in it, and the rules."""

    skipped: str | None
    rejected: Sequence[Rejection]
    placeholders: Sequence[Placeholder]
    identifiers: Sequence[Identifier] = field(default=(), repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    indicators: Sequence[str] = field(default=(), repr=False)


def run_night(
    contact: Contact, state: State, tools: Parts, source: Source, options: Options, reporter: Reporter
) -> Report:
    """Send what the agreement allows, keep its answers however the night ends, and fetch the proofs of receipts.

    Raises UserError before anything is sent where the agreement does not let this institution send at all.
    """
    rules = SendingRules(contact.trust, contact.membership.institution_id, unix(tools.clock))
    try:
        rules.require_sending()
        report = Sync(tools, _within(source, rules, contact.membership.record_lifetime), options, reporter).run()
    finally:
        keep_answers(state, rules)
    proofs = prove(contact, state, unix(tools.clock))
    report.proven, report.provisional = proofs.proven, proofs.provisional
    return report


def prove(contact: Contact, state: State, now: int) -> ProofCounts:
    """Fetch and keep the proofs of receipts that the accepted checkpoint covers; raises UserError."""
    assert contact.log is not None  # noqa: S101 - whoever sends has asked the broker
    links = contact.links
    return prove_receipts(state, links.broker, links.log, contact.log, LogKeys.of(contact.trust).policy, now)


def _within(source: Source, rules: SendingRules, lifetime: int) -> Source:
    """The same rows; those that the agreement does not let through come as rows that are left out."""

    def prepare(row: SourceRow) -> PreparedRow:
        prepared = source.prepare(row)
        refused = rules.refusal_of(prepared, lifetime) if prepared.skipped is None else None
        return prepared if refused is None else LeftOut(refused, prepared.rejected, prepared.placeholders)

    return Source(source.rows, prepare, source.fingerprint)
