"""What the agreement's rules say to what a recipient is about to do, and the record of each answer.

One question a deed; the same decide() as everybody's. A refusal is a sentence with the rules that made it. Knows no
alert's content.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from policies.agreement.document import Agreement
from policies.agreement.model import RecipientParty
from policies.decisions.decide import decide
from policies.decisions.question import Fact, Question
from policies.decisions.record import DecisionRecord
from policies.decisions.refusal import require, standing
from policies.trust import Trust
from runtime.exits import ExitCode, UserError


@dataclass(frozen=True)
class Desk:
    """The recipient before its agreement, at a time (Unix seconds)."""

    trust: Trust
    recipient_id: str
    now: int

    @property
    def agreement(self) -> Agreement:
        """The agreement under which the epoch runs."""
        return self.trust.agreement

    @property
    def party(self) -> RecipientParty:
        """The recipient as the agreement names it; raises UserError where it does not."""
        found = self.agreement.recipient_party(self.recipient_id)
        if found is None:
            raise UserError(
                f"The agreement {self.agreement.agreement_id} does not name {self.recipient_id} as a recipient.",
                ExitCode.DOCUMENTS_REFUSED,
            )
        return found

    def purpose(self, asked: str | None) -> str:
        """The purpose that was asked for; the only one, where there is one and none was named; raises UserError."""
        if asked is not None:
            return asked
        purposes = self.party.purposes
        if len(purposes) != 1:
            raise UserError(
                f"Name the purpose: the agreement gives {self.recipient_id} {', '.join(purposes) or 'none'}.",
                ExitCode.INPUT_REFUSED,
            )
        return purposes[0]

    def ask(self, action: str, **facts: Fact) -> DecisionRecord:
        """The rules' answer to an action, with how the recipient stands among the facts."""
        return decide(self._question(action, facts), self.agreement)

    def require(self, action: str, **facts: Fact) -> DecisionRecord:
        """As `ask`; raises UserError with the rules' sentences where the action is refused."""
        return require(self.ask(action, **facts))

    def may_read(self, role: str, fields: Iterable[str], indicators: Iterable[str], opened_at: int) -> DecisionRecord:
        """Whether an opened record of an institution of `role` may be shown, with these fields and red flags."""
        return self.ask(
            "read-opened-record",
            of_role=role,
            fields=tuple(sorted(set(fields))),
            indicators=tuple(sorted(set(indicators))),
            opened_age=max(0, self.now - opened_at),
        )

    def _question(self, action: str, facts: dict[str, Fact]) -> Question:
        stands = standing(self.recipient_id, self.trust.suspended, self.trust.departed)
        return Question(action, self.recipient_id, "recipient", self.now, {**stands, **facts})
