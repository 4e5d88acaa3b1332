"""By what a party knows its agreement's log: origin, the log's own key, the roster's witness policy.

All of it comes out of signed documents (policies.trust); the broker is asked for none of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.log.checkpoint import log_key, origin_of
from policies.log.signed_note import VerifierKey
from policies.log.witness_policy import WitnessPolicy
from policies.trust import Trust


@dataclass(frozen=True)
class LogKeys:
    """The log of one agreement."""

    origin: str
    key: VerifierKey
    policy: WitnessPolicy

    @classmethod
    def of(cls, trust: Trust) -> LogKeys:
        """What a trust says about the log; raises DocumentRefused without a roster, LogRefused for a bad policy."""
        first = trust.agreements[0]
        origin = origin_of(first.agreement_id, first.parties.broker)
        return cls(origin, log_key(origin, trust.broker_key), WitnessPolicy.parse(trust.roster.witness_policy))

    @property
    def witnesses(self) -> tuple[VerifierKey, ...]:
        """The keys of all witnesses."""
        return tuple(self.policy.witnesses.values())
