"""Opening requests: the evidence is checked whole, the decision recorded durably, and only then answered.

Protocol section 6, but for what needs the transparency log. The rule is policies.opening_rule's, the evidence
policies.evidence's; here are the holder's own lists, its budget and its record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from keyholder.accepted import SpendNonce
from keyholder.admission import Admission, known_epoch, refuse_suspended, require_running
from keyholder.evaluation import evaluate_contexts
from keyholder.holder import Holder
from keyholder.opening_record import Circumstance, decided_records, make_link
from keyholder.store import documents, openings, withdrawals
from policies.errors import EvidenceRefused
from policies.evidence import Decision, Evidence, RefusedRecord, check_evidence, decide
from policies.opening_rule import Circumstances
from policies.terms import RECORD_FAMILY
from policies.trust import Trust
from runtime.database import run_in_transaction
from runtime.metrics import counter
from wire.access import Caller
from wire.messages.opening import OpeningRequest, OpeningResponse, Refusal
from wire.problems import Problem

BUDGET_SPENT = "budget-spent"
# A replay is no decision, and what the holder could not look at it has not decided.
_NOT_RECORDED = frozenset({"replay", "not-ready", "documents-changed"})


@dataclass(frozen=True)
class _Asked:
    """One recipient's request, as it came to this holder."""

    holder: Holder
    recipient_id: str
    request: OpeningRequest
    request_hash: bytes
    spend_nonce: SpendNonce


@dataclass(frozen=True)
class _Outcome:
    """The decision, and what the daily budget takes from it: those stay shut for today."""

    decision: Decision
    over_budget: tuple[int, ...]


def answer_opening(
    holder: Holder, caller: Caller, request: OpeningRequest, request_hash: bytes, spend_nonce: SpendNonce
) -> OpeningResponse:
    """Decide, record, answer. `request_hash`: SHA-256 (32 bytes) of the request's content. Raises Problem.

    A request that is refused whole is recorded too, with the code of the problem.
    """
    asked = _Asked(holder, caller.party_id, request, request_hash, spend_nonce)
    try:
        admission = known_epoch(holder, request.epoch_id)
        admission.recipient(caller)
        require_running(admission)
        share = admission.share(RECORD_FAMILY, request.share_version, request.holder_set)
        evidence = _check(asked, admission)
        outcome = run_in_transaction(holder.engine, lambda connection: _decide(connection, asked, admission, evidence))
    except Problem as problem:
        if problem.type_suffix not in _NOT_RECORDED:
            _record_refusal(asked, problem.type_suffix)
        raise
    accepted = outcome.decision.accepted
    refusals = _refusals(outcome, admission)
    _measure(len(accepted), len(refusals))
    if not accepted:
        return OpeningResponse((), b"", b"", refusals)
    contexts = [evidence.verified[position].context for position in accepted]
    evaluation = evaluate_contexts(share, request.holder_set, contexts)
    return OpeningResponse(accepted, evaluation.elements, evaluation.proof, refusals)


def _check(asked: _Asked, admission: Admission) -> Evidence:
    try:
        return check_evidence(asked.request, admission.trust, admission.now)
    except EvidenceRefused as refused:
        raise Problem(409, str(refused.code), "evidence refused", refused.detail) from None


def _decide(connection: Connection, asked: _Asked, admission: Admission, evidence: Evidence) -> _Outcome:
    """Decide by what holds at this moment, and record it. Decisions come one after the other."""
    asked.spend_nonce(connection)
    head = openings.lock_openings(connection)
    refuse_suspended(connection, asked.recipient_id)
    if documents.revision(connection) != admission.state.revision:
        raise Problem(503, "documents-changed", "documents changed", "A document was just accepted: ask again.")
    decision = decide(evidence, asked.request.open, _circumstances(connection, admission, evidence))
    outcome = _within_budget(connection, asked.recipient_id, admission, evidence, decision)
    described = decided_records(evidence, outcome.decision)
    over_budget = frozenset(outcome.over_budget)
    for record in described:
        if record["position"] in over_budget:
            record |= {"decision": "shut", "reason": BUDGET_SPENT}
    circumstance = _circumstance(asked, admission.trust, admission.now)
    openings.add_opening(connection, make_link(head, circumstance, described, "", asked.holder.signing_key))
    return outcome


def _circumstances(connection: Connection, admission: Admission, evidence: Evidence) -> Circumstances:
    trust = admission.trust
    names = [(record.context.institution_id, record.context.handle) for record in evidence.verified.values()]
    return Circumstances(
        rule=trust.rule,
        kinds=trust.kinds,
        groups=trust.groups,
        suspended=documents.suspended_parties(connection),
        withdrawn=withdrawals.withdrawn_among(connection, trust.epoch_id, names),
        now=admission.now,
    )


def _within_budget(
    connection: Connection, recipient_id: str, admission: Admission, evidence: Evidence, decision: Decision
) -> _Outcome:
    """Count what is opened for the first time today; what exceeds the recipient's day stays shut."""
    day = (admission.trust.epoch_id, recipient_id, admission.day)
    names = {
        position: (evidence.verified[position].context.institution_id, evidence.verified[position].context.handle)
        for position in decision.accepted
    }
    again = openings.opened_among(connection, *day, list(names.values()))
    left = admission.trust.agreement.terms.openings_per_day - openings.opened_on(connection, *day)
    fresh = [position for position, name in names.items() if name not in again]
    over_budget = frozenset(fresh[max(left, 0) :])
    openings.add_opened(connection, *day, [names[position] for position in fresh if position not in over_budget])
    kept = tuple(position for position in decision.accepted if position not in over_budget)
    return _Outcome(replace(decision, accepted=kept), tuple(sorted(over_budget)))


def _record_refusal(asked: _Asked, code: str) -> None:
    """Record that a request was refused whole."""
    trust = asked.holder.state().epoch(asked.request.epoch_id)
    circumstance = _circumstance(asked, trust, asked.holder.now)

    def work(connection: Connection) -> None:
        asked.spend_nonce(connection)
        head = openings.lock_openings(connection)
        openings.add_opening(connection, make_link(head, circumstance, (), code, asked.holder.signing_key))

    run_in_transaction(asked.holder.engine, work)
    _measure(0, len(asked.request.open))


def _circumstance(asked: _Asked, trust: Trust | None, now: int) -> Circumstance:
    """`trust` is None for an epoch that was never accepted here: then no roster is named (version 0)."""
    return Circumstance(
        holder=asked.holder.index,
        decided_at=now,
        recipient_id=asked.recipient_id,
        request_hash=asked.request_hash,
        epoch_id=asked.request.epoch_id,
        policy_hash=(trust or asked.holder.documents.standing().pinned).agreement.hash,
        roster_version=trust.roster.version if trust is not None and trust.is_ready else 0,
    )


def _refusals(outcome: _Outcome, admission: Admission) -> tuple[Refusal, ...]:
    limit = admission.trust.agreement.terms.openings_per_day
    detail = f"The recipient's openings of today ({limit}) are spent: ask again tomorrow."
    refused: Mapping[int, RefusedRecord] = outcome.decision.refused
    found: Sequence[Refusal] = [
        *(Refusal(position, str(record.reason), record.detail) for position, record in refused.items()),
        *(Refusal(position, BUDGET_SPENT, detail) for position in outcome.over_budget),
    ]
    return tuple(sorted(found, key=lambda refusal: refusal.record))


def _measure(opened: int, refused: int) -> None:
    records = counter("crosslight_holder_openings", "Records asked to be opened, by decision", ("decision",))
    records.labels("opened").inc(opened)
    records.labels("refused").inc(refused)
