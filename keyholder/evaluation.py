"""Evaluating for institutions: chunks of blinded elements, and record secrets whose input the holder builds itself.

First every check, then the multiplication, then the charge, durable before the answer leaves: an element that is
refused costs nothing, and nothing leaves unpaid. Logs and stores no element and no handle.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from crypto.oprf import hash_inputs
from crypto.records import Context
from crypto.shares import Evaluation, chunk_digest
from keyholder.accepted import SpendNonce
from keyholder.admission import Admission, refuse_record_family, running_epoch
from keyholder.holder import Holder
from keyholder.rulings import DecidedAgainst, require
from keyholder.shares import FamilyShare
from keyholder.store import evaluations, withdrawals
from keyholder.store.evaluations import Account, Charge
from policies.budgets import holder_budget
from policies.decisions.question import Fact
from policies.parties import Member
from policies.terms import RECORD_FAMILY
from runtime.database import read_transaction, run_in_transaction
from runtime.metrics import counter
from wire.access import Caller
from wire.messages.evaluation import EvaluateRequest, RecordSecretsRequest
from wire.problems import Problem

SKEW_SECONDS = 60
ISSUE_SECONDS = 86_400
"""How long after its issue a record's secret is evaluated for its institution (protocol section 3)."""


def evaluate_chunk(holder: Holder, caller: Caller, request: EvaluateRequest, spend_nonce: SpendNonce) -> Evaluation:
    """Answer a chunk of blinded elements, charged to the caller's budget of the family in this epoch.

    Raises Problem, and InvalidElement by position.
    """
    refuse_record_family(request.family)
    admission = running_epoch(holder, request.epoch_id)
    member = admission.member(caller)
    share = admission.share(request.family, request.share_version, request.holder_set)
    charge = _charge(admission, member, request.family, request.share_version, request.elements)
    limit = epoch_limit(admission, member, request.family)

    def settle(connection: Connection) -> None:
        spend_nonce(connection)
        if not evaluations.charge_epoch(connection, charge, limit, admission.now):
            raise _budget_spent(charge, limit)

    account = _account(admission, charge)
    facts: dict[str, Fact] = {"family": request.family, "charged": account.spent, "elements": _due(account, charge)}
    _rule_on(admission, caller, "evaluate-identifiers", account, facts, charge, limit)
    if _due(account, charge) > limit - account.spent:
        # The roster may give a member less than the agreement does.
        raise _budget_spent(charge, limit)
    evaluation = share.evaluate(request.holder_set, request.elements)
    run_in_transaction(holder.engine, settle)
    _measure(charge)
    return evaluation


def evaluate_records(
    holder: Holder, caller: Caller, request: RecordSecretsRequest, spend_nonce: SpendNonce
) -> Evaluation:
    """Answer for the caller's own new records, counted against the terms' records_per_day. Raises Problem."""
    admission = running_epoch(holder, request.epoch_id)
    member = admission.member(caller)
    share = admission.share(RECORD_FAMILY, request.share_version, request.holder_set)
    contexts = [
        Context(request.epoch_id, member.institution_id, name.handle, name.issued_at, name.expires_at)
        for name in request.records
    ]
    for position, context in enumerate(contexts):
        _check_times(admission, context, position)
    elements = hash_inputs([context.encode() for context in contexts])
    charge = _charge(admission, member, RECORD_FAMILY, request.share_version, elements)
    limit = admission.trust.agreement.terms.records_per_day

    def settle(connection: Connection) -> None:
        spend_nonce(connection)
        names = [(context.institution_id, context.handle) for context in contexts]
        if withdrawals.withdrawn_among(connection, request.epoch_id, names):
            raise Problem(409, "withdrawn", "withdrawn", "A record that is named has been withdrawn.")
        if not evaluations.charge_day(connection, charge, limit, admission.now):
            raise _rate_limited(limit)

    account = _account(admission, charge)
    facts: dict[str, Fact] = {
        "records": _due(account, charge),
        "records_today": account.spent_today,
        "lifetime": max(context.expires_at - context.issued_at for context in contexts),
    }
    _rule_on(admission, caller, "evaluate-record-secrets", account, facts, charge, limit)
    evaluation = share.evaluate(request.holder_set, elements)
    run_in_transaction(holder.engine, settle)
    _measure(charge)
    return evaluation


def evaluate_contexts(share: FamilyShare, holder_set: tuple[int, ...], contexts: list[Context]) -> Evaluation:
    """The record secrets of verified records, for an opening that has been decided."""
    return share.evaluate(holder_set, hash_inputs([context.encode() for context in contexts]))


def epoch_limit(admission: Admission, member: Member, family: str) -> int:
    """Q_j: how many elements of the family this holder evaluates for the member in the epoch (protocol section 10)."""
    epoch = admission.trust.epoch
    return holder_budget(member.budgets.get(family, 0), epoch.t_h, len(epoch.holders))


def _charge(admission: Admission, member: Member, family: str, share_version: int, elements: bytes) -> Charge:
    epoch_id = admission.trust.epoch_id
    digest = chunk_digest(epoch_id, family, share_version, elements)
    return Charge(epoch_id, member.institution_id, family, admission.day, digest, len(elements) // 32)


def _account(admission: Admission, charge: Charge) -> Account:
    """How things stand before the work; what is left is decided again when it is charged."""
    with read_transaction(admission.holder.engine) as connection:
        return evaluations.account(connection, charge)


def _due(account: Account, charge: Charge) -> int:
    """What a charge costs: nothing, where it was paid before."""
    return 0 if account.paid else charge.elements


def _rule_on(
    admission: Admission,
    caller: Caller,
    action: str,
    account: Account,
    facts: Mapping[str, Fact],
    charge: Charge,
    limit: int,
) -> None:
    """Raise DecidedAgainst unless the agreement's rules allow it; a spent budget is named with its limit."""
    try:
        require(admission, caller, action, facts, suspended_here=account.suspended)
    except DecidedAgainst as against:
        if against.status == 429:
            against.extra |= {"family": charge.family, "limit": limit}
        raise


def _check_times(admission: Admission, context: Context, position: int) -> None:
    epoch = admission.trust.epoch
    if not context.issued_at - SKEW_SECONDS <= admission.now < context.issued_at + ISSUE_SECONDS:
        reason = "was not issued within the last day"
    elif not context.issued_at < context.expires_at <= epoch.not_after:
        reason = "does not expire after its issue and by the end of the epoch"
    else:
        return
    raise Problem(403, "record-times", "times refused", f"Record {position} of the request {reason}.", record=position)


def _budget_spent(charge: Charge, limit: int) -> Problem:
    return Problem(
        429,
        "budget-spent",
        "budget spent",
        f"The chunk exceeds what this holder evaluates of the family {charge.family} in this epoch ({limit}).",
        family=charge.family,
        limit=limit,
    )


def _rate_limited(limit: int) -> Problem:
    return Problem(
        429,
        "rate-limited",
        "daily limit reached",
        f"The request exceeds what this holder evaluates of record secrets a day ({limit}): try tomorrow.",
        family=RECORD_FAMILY,
        limit=limit,
    )


def _measure(charge: Charge) -> None:
    counter("crosslight_holder_elements", "Elements evaluated", ("family",)).labels(charge.family).inc(charge.elements)
