"""Opening requests: the evidence is checked whole, the decision recorded durably, and only then answered.

Protocol section 6. The opening rule is policies.opening_rule's, the evidence policies.evidence's, what the agreement
allows policies.decisions'; here are the holder's own lists, how far it followed the log, its budget and its record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from keyholder.accepted import SpendNonce
from keyholder.admission import Admission, known_epoch, require_running
from keyholder.evaluation import evaluate_contexts
from keyholder.holder import Holder
from keyholder.log_following import LogBehind, LogFollower, followed_age
from keyholder.opening_record import Circumstance, decided_records, make_link
from keyholder.rulings import DecidedAgainst, require
from keyholder.shares import FamilyShare
from keyholder.store import documents, log_views, openings, withdrawals
from policies.decisions.question import Fact
from policies.decisions.record import DecisionRecord
from policies.errors import EvidenceRefused
from policies.evidence import Decision, Evidence, RefusedRecord, check_evidence, decide
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.log_keys import LogKeys
from policies.log.witness import SplitViewFound
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
    follower: LogFollower
    caller: Caller
    request: OpeningRequest
    request_hash: bytes
    spend_nonce: SpendNonce


@dataclass(frozen=True)
class _Outcome:
    """The decision, and what the daily budget takes from it: those stay shut for today.

    `fresh`: the records (institution and handle) that the recipient has opened for the first time today.
    """

    decision: Decision
    over_budget: tuple[int, ...]
    fresh: tuple[tuple[str, bytes], ...]
    opened_before: int


def answer_opening(
    holder: Holder,
    follower: LogFollower,
    caller: Caller,
    request: OpeningRequest,
    request_hash: bytes,
    spend_nonce: SpendNonce,
) -> OpeningResponse:
    """Decide, record, answer. `request_hash`: SHA-256 (32 bytes) of the request's content. Raises Problem.

    A request that is refused whole is recorded too, with the code of the problem.
    """
    asked = _Asked(holder, follower, caller, request, request_hash, spend_nonce)
    try:
        admission, share, evidence = _look_at(asked)
        _follow_log(asked)
        if holder.state().revision != admission.state.revision:
            # A document was taken in, from the log perhaps: it may change what the evidence is worth.
            admission, share, evidence = _look_at(asked)
        outcome = run_in_transaction(holder.engine, lambda connection: _decide(connection, asked, admission, evidence))
    except Problem as problem:
        if problem.type_suffix not in _NOT_RECORDED:
            _record_refusal(asked, problem)
        raise
    accepted = outcome.decision.accepted
    refusals = _refusals(outcome, admission)
    _measure(len(accepted), len(refusals))
    if not accepted:
        return OpeningResponse((), b"", b"", refusals)
    contexts = [evidence.verified[position].context for position in accepted]
    evaluation = evaluate_contexts(share, request.holder_set, contexts)
    return OpeningResponse(accepted, evaluation.elements, evaluation.proof, refusals)


def _look_at(asked: _Asked) -> tuple[Admission, FamilyShare, Evidence]:
    """Admit the request by the documents held now, and check its evidence against them."""
    request = asked.request
    admission = known_epoch(asked.holder, request.epoch_id)
    admission.recipient(asked.caller)
    require_running(admission)
    share = admission.share(RECORD_FAMILY, request.share_version, request.holder_set)
    try:
        return admission, share, check_evidence(request, admission.trust, admission.now)
    except EvidenceRefused as refused:
        raise Problem(409, str(refused.code), "evidence refused", refused.detail) from None


def _follow_log(asked: _Asked) -> None:
    """See to it that everything that was logged up to an hour ago, and under the checkpoint shown, is applied here."""
    try:
        asked.follower.require(asked.request.epoch_id, asked.request.checkpoint)
    except SplitViewFound as found:
        raise Problem(409, "split-view", "two histories", found.reason) from None
    except LogBehind as behind:
        raise Problem(409, "log-behind", "log not followed", behind.reason) from None


def _decide(connection: Connection, asked: _Asked, admission: Admission, evidence: Evidence) -> _Outcome:
    """Decide by what holds at this moment, and record it. Decisions come one after the other."""
    asked.spend_nonce(connection)
    head = openings.lock_openings(connection)
    if documents.revision(connection) != admission.state.revision:
        raise Problem(503, "documents-changed", "documents changed", "A document was just accepted: ask again.")
    suspended_here = documents.suspended_parties(connection)
    decision = decide(evidence, asked.request.open, _circumstances(connection, admission, evidence, suspended_here))
    outcome = _within_budget(connection, asked, admission, evidence, decision)
    record = require(
        admission,
        asked.caller,
        "open-records",
        _facts(connection, asked, admission, outcome),
        suspended_here=asked.caller.party_id in suspended_here,
    )
    openings.add_opened(connection, *_day(asked, admission), outcome.fresh)
    described = decided_records(evidence, outcome.decision)
    over_budget = frozenset(outcome.over_budget)
    for one in described:
        if one["position"] in over_budget:
            one |= {"decision": "shut", "reason": BUDGET_SPENT}
    circumstance = _circumstance(asked, admission.trust, admission.now, record)
    openings.add_opening(connection, make_link(head, circumstance, described, "", asked.holder.signing_key))
    return outcome


def _facts(connection: Connection, asked: _Asked, admission: Admission, outcome: _Outcome) -> dict[str, Fact]:
    """What the rules ask about an opening. Statements that are not logged have cost their records already."""
    log = LogKeys.of(admission.trust)
    followed = log_views.followed_log(connection, log.origin)
    return {
        "purpose": asked.request.purpose,
        "records": len(outcome.fresh),
        "opened_today": outcome.opened_before,
        "logged": True,
        "checkpoint_age": log.policy.age(CosignedCheckpoint(asked.request.checkpoint), admission.now),
        "followed_age": followed_age(followed, admission.now),
    }


def _circumstances(
    connection: Connection, admission: Admission, evidence: Evidence, suspended_here: frozenset[str]
) -> Circumstances:
    trust = admission.trust
    names = [(record.context.institution_id, record.context.handle) for record in evidence.verified.values()]
    return Circumstances(
        rule=trust.rule,
        kinds=trust.kinds,
        groups=trust.groups,
        suspended=suspended_here | trust.suspended,
        withdrawn=withdrawals.withdrawn_among(connection, trust.epoch_id, names),
        now=admission.now,
    )


def _within_budget(
    connection: Connection, asked: _Asked, admission: Admission, evidence: Evidence, decision: Decision
) -> _Outcome:
    """Find what would be opened for the first time today; what exceeds the recipient's day stays shut."""
    day = _day(asked, admission)
    names = {
        position: (evidence.verified[position].context.institution_id, evidence.verified[position].context.handle)
        for position in decision.accepted
    }
    again = openings.opened_among(connection, *day, list(names.values()))
    before = openings.opened_on(connection, *day)
    left = admission.trust.agreement.terms.openings_per_day - before
    fresh = [position for position, name in names.items() if name not in again]
    over_budget = frozenset(fresh[max(left, 0) :])
    kept = tuple(position for position in decision.accepted if position not in over_budget)
    opened = tuple(names[position] for position in fresh if position not in over_budget)
    return _Outcome(replace(decision, accepted=kept), tuple(sorted(over_budget)), opened, before)


def _day(asked: _Asked, admission: Admission) -> tuple[bytes, str, str]:
    """Whose budget, and of which day."""
    return admission.trust.epoch_id, asked.caller.party_id, admission.day


def _record_refusal(asked: _Asked, problem: Problem) -> None:
    """Record that a request was refused whole, with the decision of the rules where it came to that."""
    trust = asked.holder.state().epoch(asked.request.epoch_id)
    record = problem.record if isinstance(problem, DecidedAgainst) else None
    circumstance = _circumstance(asked, trust, asked.holder.now, record)

    def work(connection: Connection) -> None:
        asked.spend_nonce(connection)
        head = openings.lock_openings(connection)
        link = make_link(head, circumstance, (), problem.type_suffix, asked.holder.signing_key)
        openings.add_opening(connection, link)

    run_in_transaction(asked.holder.engine, work)
    _measure(0, len(asked.request.open))


def _circumstance(asked: _Asked, trust: Trust | None, now: int, record: DecisionRecord | None) -> Circumstance:
    """`trust` is None for an epoch that was never accepted here: then no roster is named (version 0).

    It comes to a decision (`record`) only once the checkpoint was verified.
    """
    return Circumstance(
        holder=asked.holder.index,
        decided_at=now,
        recipient_id=asked.caller.party_id,
        request_hash=asked.request_hash,
        epoch_id=asked.request.epoch_id,
        policy_hash=(trust or asked.holder.documents.standing().pinned).agreement.hash,
        roster_version=trust.roster.version if trust is not None and trust.is_ready else 0,
        purpose=asked.request.purpose,
        checkpoint=None if record is None else CosignedCheckpoint(asked.request.checkpoint).checkpoint,
        decision=record,
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
