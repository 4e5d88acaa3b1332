"""What the agreement lets this institution send: its own answer to every record, before anything leaves the machine.

The same decide() as everybody's, asked once for each distinct combination of kinds, fields, red flags and life. Knows
no value of any row.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from clients.institution.seal import Prepared
from policies.decisions.decide import decide
from policies.decisions.question import Question
from policies.decisions.record import DecisionRecord
from policies.decisions.refusal import require, standing
from policies.decisions.rules import current_rules
from policies.terms import Terms
from policies.trust import Trust
from runtime.exits import ExitCode, UserError

RULE = "rule."
"""Before the rules' ids in the reason for which a row is left out."""

Combination = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], int]


@dataclass
class SendingRules:
    """One institution before its agreement, at a time (Unix seconds); remembers what it answered and how often."""

    trust: Trust
    institution_id: str
    now: int
    answers: dict[Combination, DecisionRecord] = field(default_factory=dict, repr=False)
    counts: Counter[Combination] = field(default_factory=Counter)

    def require_sending(self) -> None:
        """Raise UserError where nothing may be sent at all: no member, mode, time, suspended, departed.

        That answer is kept with the others, for no row.
        """
        party = self.trust.agreement.member_party(self.institution_id)
        gate = None if party is None else self.trust.agreement.gate_of(party.role)
        # An empty record that would pass the gate: what is left to refuse it is how the institution stands.
        combination: Combination = ((), (), gate.any_of[:1] if gate is not None else (), 0)
        answer = self._ask(combination)
        if not answer.allowed:
            self.answers[combination] = answer
        require(answer)

    def refusal_of(self, prepared: Prepared, lifetime: int) -> str | None:
        """Why a record of `lifetime` seconds may not be sent, as a reason for leaving its row out; None if it may."""
        combination = (
            tuple(sorted({each.kind for each in prepared.identifiers})),
            tuple(sorted(prepared.fields)),
            tuple(sorted(prepared.indicators)),
            lifetime,
        )
        if combination not in self.answers:
            self.answers[combination] = self._ask(combination)
        self.counts[combination] += 1
        answer = self.answers[combination]
        return None if answer.allowed else RULE + " ".join(answer.rules)

    def _ask(self, combination: Combination) -> DecisionRecord:
        kinds, fields, indicators, lifetime = combination
        facts = standing(self.institution_id, self.trust.suspended, self.trust.departed)
        question = Question(
            "send-records",
            self.institution_id,
            "institution",
            self.now,
            {**facts, "kinds": kinds, "fields": fields, "indicators": indicators, "lifetime": lifetime},
        )
        return decide(question, self.trust.agreement)


def own_terms(trust: Trust, institution_id: str) -> Terms:
    """The agreement's terms with the fields and red flags that this institution's role may seal; raises UserError."""
    party = trust.agreement.member_party(institution_id)
    if party is None:
        raise UserError(
            f"The agreement {trust.agreement.agreement_id} does not name {institution_id} as a member.",
            ExitCode.DOCUMENTS_REFUSED,
        )
    agreement = trust.agreement
    return replace(
        agreement.terms, fields=agreement.fields_of(party.role), indicators=agreement.indicators_of(party.role)
    )


def reason_in_words(code: str) -> str:
    """The rules' own sentences for a reason that `SendingRules.refusal_of` gave; the code itself for any other."""
    if not code.startswith(RULE):
        return code
    rules = current_rules().rules
    found = [rules[rule_id].sentence for rule_id in code.removeprefix(RULE).split() if rule_id in rules]
    return " ".join(found).removesuffix(".") or "no rule of the agreement allows it"
