"""The holder's ruling on every signed request, by the agreement's rules (policies.decisions) and its own suspensions.

What needs facts that only the work itself brings to light (budgets, evidence) is ruled on there, by `require`; the
rest before its view, by `make_authorise`. Knows no route.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from keyholder.admission import Admission, suspended
from keyholder.holder import Holder
from keyholder.standing import Standing
from keyholder.store import documents
from policies.agreement.document import Agreement
from policies.decisions.decide import decide
from policies.decisions.question import Fact, Question
from policies.decisions.record import DecisionRecord
from policies.decisions.refusal import refusal, standing
from policies.trust import Trust
from runtime.database import read_transaction
from wire.access import Caller
from wire.problems import Problem
from wire.rulings import Authorise, Ruling

RULED_ON_IN_THE_WORK: Final = frozenset({"evaluate-identifiers", "evaluate-record-secrets", "open-records"})
"""Actions on which the view's own work rules, with `require`."""


class DecidedAgainst(Problem):
    """A request that the rules refuse; `record` is the decision."""

    def __init__(self, problem: Problem, record: DecisionRecord) -> None:
        super().__init__(problem.status, problem.type_suffix, problem.title, problem.detail, **problem.extra)
        self.record = record


def make_authorise(holder: Holder) -> Authorise:
    """The function that rules on a request before its view."""

    def authorise(caller: Caller, action: str, arguments: Mapping[str, Any]) -> Ruling:
        if action in RULED_ON_IN_THE_WORK:
            return Ruling(None)
        current = holder.latest.standing
        with read_transaction(holder.engine) as connection:
            here = caller.party_id in documents.suspended_parties(connection)
        record = _decide(caller, action, current.newest, _agreement_for(current, caller), holder.now, {}, here)
        return Ruling(record, None if record.allowed else _problem(record, here))

    return authorise


def require(
    admission: Admission, caller: Caller, action: str, facts: Mapping[str, Fact], *, suspended_here: bool
) -> DecisionRecord:
    """The decision that allows an action in an epoch; raises DecidedAgainst for one that does not.

    `suspended_here`: whether this holder has suspended the caller for itself.
    """
    trust = admission.trust
    record = _decide(caller, action, trust, trust.agreement, admission.now, facts, suspended_here)
    if not record.allowed:
        raise DecidedAgainst(_problem(record, suspended_here), record)
    return record


def _decide(
    caller: Caller,
    action: str,
    trust: Trust,
    agreement: Agreement,
    now: int,
    facts: Mapping[str, Fact],
    suspended_here: bool,
) -> DecisionRecord:
    stands = standing(caller.party_id, trust.suspended, trust.departed)
    if suspended_here:
        stands["suspended"] = True
    return decide(Question(action, caller.party_id, caller.role, now, {**stands, **facts}), agreement)


def _agreement_for(current: Standing, caller: Caller) -> Agreement:
    """The version that the newest epoch runs under; for whom it does not name yet, the newest."""
    running = current.newest.agreement
    return running if caller.party_id in running.keys else current.agreement


def _problem(record: DecisionRecord, suspended_here: bool) -> Problem:
    """A suspension of this holder's own says whom to ask about it."""
    return suspended() if suspended_here else refusal(record)
