"""What broker and key holders answer beside the log: activity opened, records of openings, what was set aside.

Checks each answer and keeps it for the console; a service that is away is noted as not asked, which is no finding.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from clients.auditor.checks import activity, openings, withdrawals
from clients.auditor.checks.activity import Event
from clients.auditor.checks.openings import Opening
from clients.auditor.ledger import Ledger
from clients.auditor.ledger_schema import Finding
from clients.auditor.links import Links
from policies.agreement.document import Agreement
from policies.parties import holder_party_id
from policies.trust import Trust
from runtime.exits import ExitCode, UserError
from wire.messages.log import SetAsideCounts
from wire.packed import pack

EVENTS: Final = "events"
CAPS: Final = "caps"
SILENT: Final = "silent"


@dataclass(frozen=True)
class Answers:
    """What was kept of the services' answers: events, openings, caps as JSON; who did not answer, in sentences."""

    events: tuple[Mapping[str, Any], ...]
    openings: tuple[Mapping[str, Any], ...]
    caps: Mapping[str, Any] | None
    silent: tuple[str, ...]


def ask_services(
    ledger: Ledger, links: Links, trust: Trust, agreements: Mapping[bytes, Agreement], now: int
) -> list[Finding]:
    """Ask, check and keep; return what does not hold."""
    silent: list[str] = []
    hours, events = _activity(ledger, links, now, silent)
    recorded, records = _openings(links, trust, agreements, silent)
    until = activity.logged_until(ledger)
    reported = list(openings.check_reported(records, events, trust.agreement.t_h, until))
    taken_back = _withdrawals(ledger, links, trust, silent)
    ledger.set_findings(withdrawals.SUBJECT, taken_back)
    ledger.set_findings(activity.SUBJECT, hours)
    ledger.set_findings(openings.SUBJECT, [*recorded, *reported])
    caps = _caps(links, silent)
    if caps is not None:
        ledger.keep_answers(CAPS, [(trust.epoch.number, json.dumps(_caps_json(caps)))])
    ledger.keep_answers(EVENTS, [(e.hour * 1024 + e.place, json.dumps(asdict(e))) for e in events])
    for index in links.holders:
        kept = [(one.number, json.dumps(_opening_json(one))) for one in records if one.holder == index]
        ledger.keep_answers(f"openings-{index}", kept)
    ledger.keep_answers(SILENT, [(0, json.dumps(silent))])
    return [*hours, *recorded, *reported, *taken_back]


def kept_answers(ledger: Ledger, holders: int) -> Answers:
    """What was kept."""
    caps = ledger.answers(CAPS)
    silent = ledger.answers(SILENT)
    kept = [json.loads(body) for index in range(1, holders + 1) for _, body in ledger.answers(f"openings-{index}")]
    return Answers(
        tuple(json.loads(body) for _, body in ledger.answers(EVENTS)),
        tuple(sorted(kept, key=lambda one: (-int(one["decided_at"]), one["holder"]))),
        json.loads(caps[-1][1]) if caps else None,
        tuple(json.loads(silent[0][1])) if silent else (),
    )


def _activity(ledger: Ledger, links: Links, now: int, silent: list[str]) -> tuple[list[Finding], list[Event]]:
    findings = list(activity.check_hours(ledger, now))
    first = next((json.loads(row.body).get("hour", 0) for row in ledger.leaves("activity")), 0)
    events: list[Event] = []
    try:
        for found in activity.check_opened(ledger, links.broker.activity(first)):
            if isinstance(found, Event):
                events.append(found)
            else:
                findings.append(found)
    except UserError as error:
        _note(error, "The broker did not open the hours' activity", silent)
    return findings, events


def _openings(
    links: Links, trust: Trust, agreements: Mapping[bytes, Agreement], silent: list[str]
) -> tuple[list[Finding], list[Opening]]:
    findings: list[Finding] = []
    openings_of_all: list[Opening] = []
    for index, holder in links.holders.items():
        try:
            records, broken = openings.read_record(index, trust.holder_key(index), holder.openings(0))
        except UserError as error:
            _note(error, f"{holder_party_id(index)} did not show its record of openings", silent)
            continue
        findings += [*broken, *openings.check_decisions(records, agreements)]
        openings_of_all += records
    return findings, openings_of_all


def _withdrawals(ledger: Ledger, links: Links, trust: Trust, silent: list[str]) -> list[Finding]:
    try:
        return list(withdrawals.check_withdrawals(ledger, trust, links.broker.withdrawal))
    except UserError as error:
        _note(error, "The broker did not show the withdrawals that the log names", silent)
        return []


def _caps(links: Links, silent: list[str]) -> SetAsideCounts | None:
    try:
        return links.broker.caps()
    except UserError as error:
        _note(error, "The broker did not say what is set aside", silent)
        return None


def _note(error: UserError, what: str, silent: list[str]) -> None:
    """A service that is away was not asked; one that is not itself ends the check."""
    if error.exit_code == ExitCode.VERIFICATION_FAILED:
        raise error
    silent.append(f"{what}: {error.message}")


def _caps_json(caps: SetAsideCounts) -> Mapping[str, object]:
    return {
        "epoch_id": pack(caps.epoch_id),
        "set_aside": [asdict(one) for one in caps.set_aside],
        "excess": [asdict(one) for one in caps.excess],
    }


def _opening_json(one: Opening) -> Mapping[str, object]:
    decision = None if one.decision is None else one.decision.to_document()
    return {**asdict(replace(one, decision=None)), "decision": decision}
