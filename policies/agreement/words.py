"""An agreement in plain words: who may send what to whom, for what, for how long, when it opens. And as Markdown.

Each sentence names the exact rule behind it: its place in the document that is signed, and what stands there. Knows
no signature and decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from policies.agreement.document import Agreement
from policies.agreement.matrix import matrix
from policies.agreement.model import MemberParty, RecipientParty
from policies.budgets import coverage
from policies.rendering import grouped

DAY = 86_400

SECTIONS = (
    "What this is",
    "Why, and on what legal basis",
    "Who takes part",
    "What may be sent",
    "What keeps it unreadable",
    "When a record opens",
    "What may be asked afterwards",
    "How long, and how much",
    "Who watches",
    "How it changes and ends",
)

_MEMBER_MODES = {"provide": ("send records",), "request": ("ask for fields",), "watch": ("read the log",)}
_RECIPIENT_MODES = {**_MEMBER_MODES, "request": ("have records opened", "ask for fields")}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence for people, and the rule that it says: its place in the document and its value as JSON."""

    section: str
    text: str
    path: str
    value: str


def sentences(agreement: Agreement) -> tuple[Sentence, ...]:
    """Everything that the agreement says, in the order of `SECTIONS`."""
    document = agreement.to_document()
    writers = (_frame, _reasons, _parties, _sending, _secrecy, _opening, _asking, _limits, _watching, _changing)
    found = []
    for section, writer in zip(SECTIONS, writers, strict=True):
        for text, *path in writer(agreement):
            found.append(Sentence(section, text, _place(path), _value(document, path)))
    return tuple(found)


def render_markdown(agreement: Agreement) -> str:
    """The whole agreement as Markdown: sentences with their rules, the matrix, the hash."""
    lines = [f"# {agreement.title}", ""]
    for section in SECTIONS:
        lines += [f"## {section}", ""]
        for one in sentences(agreement):
            if one.section == section:
                lines += [f"- {one.text}", f"  <br>`{one.path}` = `{one.value}`"]
        lines.append("")
    lines += [
        "## Who may do what with which data",
        "",
        "| who | may | data | on condition | rule |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {row.who} | {row.text} | {row.data} | {row.condition} | `{row.path}` |" for row in matrix(agreement)]
    lines += ["", "## Hash", "", "Compare it with every other party by another way than this text came:", ""]
    lines += [f"    {line}" for line in grouped(agreement.hash).splitlines()]
    return "\n".join(lines) + "\n"


def day(seconds: int) -> str:
    """A moment as a day, with the time where it is not midnight (UTC)."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%d" if seconds % DAY == 0 else "%Y-%m-%d %H:%M UTC")


def last_day(seconds: int) -> str:
    """The last day before a moment that is a midnight; else the moment."""
    return day(seconds - DAY) if seconds % DAY == 0 else day(seconds)


def span(seconds: int) -> str:
    """A length of time: whole days where it is that, else hours, minutes and seconds."""
    days, rest = divmod(seconds, DAY)
    if rest:
        return str(timedelta(seconds=seconds))
    return "1 day" if days == 1 else f"{days} days"


def listed(items: Iterable[str], word: str = "and") -> str:
    """Items in a row: "a, b and c"."""
    names = list(items)
    if len(names) < 2:
        return "".join(names) or "nothing"
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


Written = Iterator[tuple[Any, ...]]
"""A text, and the steps of the path to its rule."""


def _frame(agreement: Agreement) -> Written:
    yield "It is one document for everybody; each party signs all of it, and no other paper changes it.", "type"
    yield f"This is version {agreement.version} of the agreement {agreement.agreement_id}.", "version"
    yield f"It is called: {agreement.title}.", "title"
    if agreement.previous is not None:
        yield "It takes the place of the version before, with the next epoch.", "previous"
    yield f"It begins on {day(agreement.start)}, and is in force once every party that it names has signed it.", "start"
    yield f"Its last day is {last_day(agreement.end)}.", "end"


def _reasons(agreement: Agreement) -> Written:
    for number, purpose in enumerate(agreement.purposes):
        yield f"Data may be used for this ({purpose.code}): {purpose.text}", "purposes", number
    yield "They may be used for nothing else.", "purposes"
    for number, basis in enumerate(agreement.legal_basis):
        yield f"Legal basis: {basis.text} ({basis.reference})", "legal_basis", number


def _parties(agreement: Agreement) -> Written:
    parties = agreement.parties
    for number, member in enumerate(parties.members):
        text = f"{_named(member)} takes part as {member.role}, in the group {member.group_id}, and may {_may(member)}."
        yield text, "parties", "members", number
    for number, recipient in enumerate(parties.recipients):
        purposes = listed(recipient.purposes)
        text = f"{_named(recipient)} is a recipient, in the group {recipient.group_id}, and may {_may(recipient)}, for "
        yield f"{text}{purposes}.", "parties", "recipients", number
    for number, holder in enumerate(parties.holders):
        name = _titled(holder.name, holder.party_id)
        text = f"{name}, in the group {holder.group_id}, holds a share of every key"
        yield f"{text}, at {holder.address}.", "parties", "holders", number
    broker = parties.broker
    text = f"{broker.name}, in the group {broker.group_id}, is the broker: it matches what it cannot read"
    yield f"{text}, at {broker.address}.", "parties", "broker"
    for number, auditor in enumerate(parties.auditors):
        name = _titled(auditor.name, auditor.auditor_id)
        yield f"{name} audits: it reads the log and every decision, and no record.", "parties", "auditors", number


def _sending(agreement: Agreement) -> Written:
    providers = [one for one in agreement.parties.members if "provide" in one.modes]
    roles = dict.fromkeys([*(one.role for one in providers), *agreement.fields, *agreement.indicators])
    for role in roles:
        names = [one.institution_id for one in providers if one.role == role]
        yield from _contents(agreement, role, f"As {role}, {listed(names)}" if names else f"Whoever joins as {role}")
    for kind, policy in agreement.kinds.items():
        proof = "proves that its sender holds it" if policy.possession else "proves nothing and weighs in scores alone"
        text = f"A record may hold identifiers of the kind {kind}; such an entry weighs {policy.weight} and {proof}. "
        text += f"More than {policy.cap} records of one group under one identifier are set aside as too common. "
        text += f"It is normalised by version {policy.normalisation} of the kind's rules."
        yield text, "kinds", kind


def _contents(agreement: Agreement, role: str, who: str) -> Written:
    fields, flags, gate = agreement.fields_of(role), agreement.indicators_of(role), agreement.gate_of(role)
    text = f"these fields into a record: {listed(fields)}" if fields else "no field into a record"
    yield f"{who} may seal {text}.", "fields", *_key(role, agreement.fields)
    text = f"these red flags: {listed(flags)}" if flags else "no red flag"
    yield f"{who} may add {text}.", "indicators", *_key(role, agreement.indicators)
    if gate is None:
        yield f"{who} may send a record without any red flag.", "gates"
    else:
        text = f"{who} may send a record only with at least one of these red flags: {listed(gate.any_of, 'or')}."
        yield text, "gates", agreement.gates.index(gate)


def _secrecy(agreement: Agreement) -> Written:
    holders = len(agreement.parties.holders)
    yield f"Of the {holders} key holders any {agreement.t_h} compute together; fewer can compute nothing.", "t_h"
    yield (
        f"A set of keys lasts at most {span(agreement.epoch_days * DAY)}; what did not open by then never does.",
        "epoch_days",
    )
    yield f"Every sealed payload has {agreement.padded_size:,} bytes, so that its size says nothing.", "padded_size"


def _opening(agreement: Agreement) -> Written:
    rule = agreement.opening_rule
    others = "at least one other group holds" if rule.t == 2 else f"at least {rule.t - 1} other groups hold"
    text = (
        f"A record opens only when {others} the same identifiers; the key holders go by proof of it, not by anybody's "
    )
    yield f"{text}word.", "opening_rule", "t"
    yield (
        f"What they share must weigh {rule.least_weight} together, each kind counted once.",
        "opening_rule",
        "least_weight",
    )
    text = "No identifier alone is enough."
    if rule.alone:
        text = f"One identifier alone is enough if it is of one of these kinds: {listed(rule.alone, 'or')}."
    yield text, "opening_rule", "alone"
    yield "Parties under one control share a group, and count as one.", "opening_rule", "t"
    asking = [one.recipient_id for one in agreement.parties.recipients if "request" in one.modes]
    text = f"It opens to {listed(asking)} and to nobody else." if asking else "It opens to nobody."
    yield text, "parties", "recipients"


def _asking(agreement: Agreement) -> Written:
    for number, one in enumerate(agreement.field_requests):
        people = "one person" if one.approvals == 1 else f"{one.approvals} people, not one alone,"
        told = "It may tell the institution that it was hit." if one.reveals else "It must not tell that it was hit."
        text = f"After an alert {one.asker} may ask each {one.of_role} for {listed(one.fields)}; {people} of the asked "
        verb = "approves" if one.approvals == 1 else "approve"
        yield f"{text}{verb} or refuse{'s' if one.approvals == 1 else ''}. {told}", "field_requests", number
    if not agreement.field_requests:
        yield "Nobody may ask for more than what opened.", "field_requests"


def _limits(agreement: Agreement) -> Written:
    kept = agreement.retention
    yield f"A record lives {span(kept.records)} at the broker, sealed, and is then gone.", "retention", "records"
    yield f"What a recipient opened it keeps for at most {span(kept.opened)}.", "retention", "opened"
    yield f"A recipient may have {agreement.openings_per_day:,} records opened a day.", "openings_per_day"
    yield f"An institution may send {agreement.records_per_day:,} records a day.", "records_per_day"
    for number, member in enumerate(agreement.parties.members):
        amounts = [f"{amount:,} of {family}" for family, amount in agreement.members[number].budgets.items() if amount]
        text = f"In one epoch {member.institution_id} may have evaluated, by what it declared: {listed(amounts)}."
        yield text, "parties", "members", number, "declared"
    if not agreement.identifier_spaces:
        yield "How much of all identifiers the parties could guess together is not worked out.", "identifier_spaces"
    for row in coverage(agreement.members, agreement.terms):
        yield f"All together may guess at most {row.sentence()}.", "identifier_spaces", row.kind


def _watching(agreement: Agreement) -> Written:
    witnesses = agreement.witnesses
    if witnesses.quorum:
        text = f"The broker keeps a log of what happens; {listed(witnesses.parties)} countersign it, so that it cannot "
        yield f"{text}show two histories.", "witnesses", "parties"
        text = f"Nothing opens unless {witnesses.quorum} of them have countersigned it within the last 24 hours."
        yield text, "witnesses", "quorum"
    else:
        yield "The broker keeps a log of what happens, and nobody need countersign it.", "witnesses"
    auditors = [one.auditor_id for one in agreement.parties.auditors]
    text = "Every decision is kept with the rules that made it, and anybody who has the agreement can make it again"
    yield f"{text}; {listed(auditors)} may ask for all of them." if auditors else f"{text}.", "parties", "auditors"


def _changing(agreement: Agreement) -> Written:
    quorum = agreement.member_quorum
    yield f"Epochs and rosters are signed by every key holder and {quorum} of the institutions.", "member_quorum"
    yield f"{quorum} institutions may suspend a party; what they impose, the party cannot lift.", "member_quorum"
    yield "A change is a new version that every party that it names has signed.", "version"
    yield "A party may leave at any time; its records are taken out at once, and the log shows it.", "agreement_id"


def _named(party: MemberParty | RecipientParty) -> str:
    return _titled(party.name, party.institution_id if isinstance(party, MemberParty) else party.recipient_id)


def _titled(name: str, party_id: str) -> str:
    return name if name == party_id else f"{name} ({party_id})"


def _may(party: MemberParty | RecipientParty) -> str:
    modes = _MEMBER_MODES if isinstance(party, MemberParty) else _RECIPIENT_MODES
    return listed(may for mode in party.modes for may in modes[mode])


def _key(role: str, table: Any) -> tuple[str, ...]:
    """The step to a role in a table; none where the table does not have it."""
    return (role,) if role in table else ()


def _place(path: Sequence[str | int]) -> str:
    return ".".join(str(step) for step in path)


def _value(document: Any, path: Sequence[str | int]) -> str:
    for step in path:
        document = document.get(step) if isinstance(document, dict) else document[step]
    return json.dumps(document, ensure_ascii=False, separators=(", ", ": "))
