"""Documents for people: what one signs, in words, with the hash in groups that can be read out over the telephone.

Plain text of what was already read and checked; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from policies.agreement.document import Agreement
from policies.budgets import coverage
from policies.documents import SignedDocument, verify_signatures
from policies.epoch import Epoch
from policies.opening_rule import KindPolicy, OpeningRule
from policies.roster import Roster
from policies.terms import Terms


def grouped(digest: bytes) -> str:
    """A hash as hexadecimal in groups of four: eight groups a line are 32 bytes on two lines."""
    text = digest.hex()
    groups = [text[start : start + 4] for start in range(0, len(text), 4)]
    return "\n".join(" ".join(groups[start : start + 8]) for start in range(0, len(groups), 8))


def moment(seconds: int) -> str:
    """A time for people, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def render_agreement(agreement: Agreement, signed: SignedDocument) -> str:
    """An agreement in short: parties, terms, coverage, signatures, hash."""
    members = [f"  {member.institution_id} ({member.role}, group {member.group_id})" for member in agreement.members]
    recipients = [f"  {recipient.recipient_id} (group {recipient.group_id})" for recipient in agreement.recipients]
    holders = [f"  {holder.party_id} (group {holder.group_id}) at {holder.address}" for holder in agreement.holders]
    lines = [
        f"Version {agreement.version} of the agreement {agreement.agreement_id}: {agreement.title}",
        f"In force from {moment(agreement.start)} until {moment(agreement.end)}, once all have signed",
        f"Institutions, of whom {agreement.member_quorum} sign every epoch and roster:",
        *members,
        "Recipients:",
        *recipients,
        f"Key holders, of whom any {agreement.terms.t_h} evaluate together and all sign every epoch and roster:",
        *holders,
        f"Broker: {agreement.broker.address}",
        f"Auditors: {', '.join(agreement.auditor_keys) or 'none'}",
        *render_terms(agreement.terms),
        *_render_coverage(agreement),
        *_warnings(agreement),
        *render_signatures(signed, agreement.keys),
        "Hash, to be compared with every other party by another way than this file came:",
        grouped(agreement.hash),
    ]
    return "\n".join(lines)


def render_epoch(epoch: Epoch, signed: SignedDocument, keys: Mapping[str, bytes]) -> str:
    """An epoch: period, rule, kinds, families, signatures, hash. `keys` are those whose signatures are looked for."""
    families = ", ".join(sorted(epoch.families))
    lines = [
        f"Epoch {epoch.number} of the agreement {epoch.agreement_id}",
        f"From {moment(epoch.not_before)} until {moment(epoch.not_after)}",
        f"Key holders: {len(epoch.holders)}, of whom any {epoch.t_h} evaluate together",
        f"Key families, each with a key of its own: {families}",
        f"Padded size of a sealed payload: {epoch.padded_size} bytes",
        *_render_rule(epoch.opening_rule, epoch.kinds),
        *render_signatures(signed, keys),
        "Hash (epoch_id):",
        grouped(epoch.epoch_id),
    ]
    return "\n".join(lines)


def render_roster(
    roster: Roster, signed: SignedDocument, keys: Mapping[str, bytes], before: Roster | None = None
) -> str:
    """A roster: members, recipients, what changed since the version before, signatures, hash."""
    members = [f"  {member.institution_id} ({member.role}, group {member.group_id})" for member in roster.members]
    recipients = [
        f"  {recipient.recipient_id} (group {recipient.group_id}), key {recipient.key_id.hex()}, "
        f"until {moment(recipient.not_after)}"
        for recipient in roster.recipients
    ]
    lines = [
        f"Roster {roster.version} of epoch {roster.epoch_id.hex()}",
        "Institutions:",
        *members,
        "Recipients:",
        *(recipients or ["  none"]),
        *([] if before is None else [f"Since version {before.version}:", *_changes(before, roster)]),
        *render_signatures(signed, keys),
        "Hash:",
        grouped(roster.hash),
    ]
    return "\n".join(lines)


def render_terms(terms: Terms) -> list[str]:
    """The terms, a line each."""
    return [
        "Terms:",
        *(f"  {line}" for line in _render_rule(terms.opening_rule, terms.kinds)),
        f"  Sealed fields: {', '.join(terms.fields) or 'none'}",
        f"  Indicator codes: {', '.join(terms.indicators) or 'none'}",
        f"  A record lives {terms.record_lifetime / 86400:g} days",
        f"  Openings a recipient and day: {terms.openings_per_day}; record secrets an institution and day: "
        f"{terms.records_per_day}",
    ]


def render_signatures(signed: SignedDocument, keys: Mapping[str, bytes]) -> list[str]:
    """Whose signatures hold and whose are missing, of the parties in `keys`."""
    valid = verify_signatures(signed, keys)
    present = sorted(valid)
    missing = sorted(set(keys) - valid)
    return [
        f"Valid signatures: {', '.join(present) or 'none'}",
        f"Without a valid signature: {', '.join(missing) or 'none'}",
    ]


def _render_rule(rule: OpeningRule, kinds: Mapping[str, KindPolicy]) -> list[str]:
    heavy = ", ".join(f"{kind} {policy.weight}" for kind, policy in sorted(kinds.items()) if policy.possession)
    scores = ", ".join(f"{kind} {policy.weight}" for kind, policy in sorted(kinds.items()) if not policy.possession)
    others = "one other group proves" if rule.t == 2 else f"{rule.t - 1} other groups each prove"
    return [
        f"A record opens when {others} possession of identifiers in it that weigh {rule.least_weight} together,",
        "  each kind once, or of one identifier of a kind that suffices alone",
        f"Weights: {heavy or 'none'}",
        f"Kinds that suffice alone: {', '.join(sorted(rule.alone)) or 'none'}",
        f"Kinds that count in scores only: {scores or 'none'}",
    ]


def _render_coverage(agreement: Agreement) -> list[str]:
    rows = coverage(agreement.members, agreement.terms)
    return ["Coverage, what all institutions together may evaluate:", *(f"  {row.sentence()}" for row in rows)]


def _warnings(agreement: Agreement) -> Iterable[str]:
    groups: dict[str, str] = {}
    for holder in agreement.holders:
        if holder.group_id in groups:
            yield f"Warning: {groups[holder.group_id]} and {holder.party_id} are in one group: they count as one."
        groups[holder.group_id] = holder.party_id
    for recipient in agreement.recipients:
        if recipient.group_id in groups:
            yield f"Warning: {recipient.recipient_id} and {groups[recipient.group_id]} are in one group."
    if agreement.terms.opening_rule.t == 2:
        yield (
            "Warning: two groups suffice, so one dishonest institution together with a dishonest recipient can open "
            "what it guesses, within its budget."
        )
    if agreement.terms.t_h == 1:
        yield "Warning: one key holder alone evaluates, so one alone can guess identifiers."


def _changes(before: Roster, after: Roster) -> list[str]:
    changes = [f"  {party_id} has left" for party_id in sorted(set(before.keys) - set(after.keys))]
    changes += [f"  {party_id} has joined" for party_id in sorted(set(after.keys) - set(before.keys))]
    both = sorted(set(before.keys) & set(after.keys))
    rotated = [party_id for party_id in both if before.keys[party_id] != after.keys[party_id]]
    changes += [f"  {party_id} has a new signing key" for party_id in rotated]
    changes += [
        f"  {recipient.recipient_id} has a new key to seal to"
        for recipient in after.recipients
        if recipient.recipient_id in before.recipients_by_id
        and before.recipients_by_id[recipient.recipient_id].key_id != recipient.key_id
    ]
    changes += [
        f"  {member.institution_id} has other budgets"
        for member in after.members
        if member.institution_id in before.members_by_id
        and dict(before.members_by_id[member.institution_id].budgets) != dict(member.budgets)
    ]
    return changes or ["  nothing but the witnesses"]
