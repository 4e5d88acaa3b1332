"""The broker's ruling on every signed request, and what is kept of it: a leaf, or an activity if it tells of a match.

Asks policies.decisions with the facts that an action has; the record goes in with the transaction of the request's
effect, or of its refusal. Knows no route; holds no identifier, tag or handle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from broker.log import activity
from broker.log.append import append
from broker.store.logins import note_login
from crypto.statements import SubmissionStatement
from policies.decisions.actions import ACTIONS
from policies.decisions.question import Fact
from policies.decisions.record import DecisionRecord
from policies.decisions.refusal import rule_on, standing
from policies.log.leaves import decision_leaf, login_leaf
from policies.trust import Trust
from runtime.clock import Clock, unix
from wire.access import Caller
from wire.messages.submission import OpenSubmission
from wire.rulings import Authorise, Ruling, current_decision


def make_authorise(trust: Callable[[], Trust], clock: Clock) -> Authorise:
    """The function that rules on a request by the agreement in force and how the caller stands."""

    def authorise(caller: Caller, action: str, arguments: Mapping[str, Any]) -> Ruling:
        current = trust()
        facts = {**standing(caller.party_id, current.suspended, current.departed), **_facts(action, arguments)}
        return rule_on(caller, action, current.agreement, unix(clock), facts)

    return authorise


def _facts(action: str, arguments: Mapping[str, Any]) -> dict[str, Fact]:
    """What an action's rules ask beyond the caller's standing; raises InvalidStatement for a statement that is none."""
    message = arguments.get("message")
    if action == "submit-records" and isinstance(message, OpenSubmission):
        return {"records": SubmissionStatement.decode(message.statement).count}
    return {}


def keep_decision(connection: Connection) -> None:
    """Keep the decision on the request being answered, and the day's first visit of its party, in its transaction."""
    record = current_decision()
    if not isinstance(record, DecisionRecord):
        raise TypeError("a request may have no effect before it was decided on")
    question = record.question
    day = datetime.fromtimestamp(question.at, UTC).date().isoformat()
    if note_login(connection, question.party_id, day):
        append(connection, login_leaf(question.party_id, question.role, day, question.at))
    action = ACTIONS[question.action]
    if not action.recorded:
        return
    if action.depends_on_match:
        activity.note(connection, record.to_document(), question.at)
    else:
        append(connection, decision_leaf(record.to_document(), question.at))
