"""What was decided here, kept and told: every answer of the rules, allowed or refused, and the hour's activity.

A deed is asked about, the answer is kept before anything is done, and what the activity covers waits for the next
contact. Knows no alert's content.
"""

from __future__ import annotations

from typing import Any

from clients.charity.links import BrokerLink
from clients.charity.rules import Desk
from clients.charity.store import CharityStore
from policies.decisions.question import Fact
from policies.decisions.record import DecisionRecord
from policies.decisions.refusal import require
from policies.log.activity import event_text


class DecisionBook:
    """The decisions in a charity's store."""

    def __init__(self, store: CharityStore) -> None:
        self._store = store

    def require(self, desk: Desk, action: str, **facts: Fact) -> DecisionRecord:
        """Ask the rules, keep their answer, and raise NotAllowed where it is no."""
        record = desk.ask(action, **facts)
        self._store.add_decision(record.to_document())
        return require(record)

    def tell(self, event: str, record: DecisionRecord, opened: int) -> None:
        """Let the broker be told, at the next contact, of what was done under a decision: no record, no alert."""
        self._store.add_event(
            event_text(
                event,
                record.question.at,
                recipient_id=record.question.party_id,
                purpose=record.question.facts["purpose"],
                rules=list(record.rules),
                opened=opened,
            )
        )

    def report(self, broker: BrokerLink) -> None:
        """Tell the broker what it has not been told."""
        events: dict[str, Any] = self._store.events()
        if events:
            broker.report(list(events.values()))
            self._store.drop_events(events)
