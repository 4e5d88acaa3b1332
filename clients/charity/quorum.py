"""Asking the key holders to open records: t_h of them answer, each proves its answer, another set takes over.

A holder's answer counts only once its proof holds against the share that the signed epoch document promises. A holder
that refuses is quoted with its reason; what one set does not open is asked of another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from clients.charity.evidence import Plan
from clients.charity.links import HolderLink
from crypto import group, oprf, shares
from crypto.errors import CryptoError
from policies.terms import RECORD_FAMILY
from policies.trust import Trust
from runtime.exits import ExitCode, UserError
from wire.messages.opening import OpeningResponse
from wire.problems import RemoteProblem


@dataclass(frozen=True)
class HolderFault:
    """Why a holder is asked no more: it was away, refused whole, or gave a wrong answer."""

    holder: int
    sentence: str
    exit_code: ExitCode


@dataclass
class Answers:
    """What became of one plan, by position: outputs `y_r` (64 bytes, hidden), and who refused which record and why."""

    outputs: dict[int, bytes] = field(default_factory=dict, repr=False)
    refusals: dict[int, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))


class Quorum:
    """The key holders of one epoch as a recipient asks them. Remembers which of them failed."""

    def __init__(self, links: Mapping[int, HolderLink], trust: Trust) -> None:
        self._links = dict(links)
        self._threshold = trust.epoch.t_h
        self._commitments = trust.commitments(RECORD_FAMILY)
        self.faults: dict[int, HolderFault] = {}

    @property
    def can_open(self) -> bool:
        """Whether enough holders are left that have not failed."""
        return len(self._fit) >= self._threshold

    @property
    def _fit(self) -> list[int]:
        return sorted(set(self._links) - set(self.faults))

    def open(self, plan: Plan) -> Answers:
        """Ask set after set until each record is open, or fewer than t_h holders are left that have not refused it.

        Raises nothing for a holder that fails: `faults` and the answer's refusals say what happened.
        """
        inputs = {position: plan.records[position].context.encode() for position in plan.wanted}
        elements = (
            dict(zip(inputs, group.split(oprf.hash_inputs(list(inputs.values()))), strict=True)) if inputs else {}
        )
        answers = Answers()
        pending = set(inputs)
        while pending:
            by_holders: dict[tuple[int, ...], list[int]] = defaultdict(list)
            for position in sorted(pending):
                willing = tuple(holder for holder in self._fit if holder not in answers.refusals[position])
                by_holders[willing].append(position)
            askable = {holders: asked for holders, asked in by_holders.items() if len(holders) >= self._threshold}
            if not askable:
                break
            holders, asked = max(askable.items(), key=lambda item: len(item[1]))
            combined = self._ask_set(plan, holders[: self._threshold], asked, elements, answers)
            for position, element in combined.items():
                answers.outputs[position] = oprf.outputs([inputs[position]], element)[0]
            pending -= combined.keys()
        return answers

    def _ask_set(
        self,
        plan: Plan,
        holder_set: tuple[int, ...],
        asked: Sequence[int],
        elements: Mapping[int, bytes],
        answers: Answers,
    ) -> dict[int, bytes]:
        """The combined element of each position that every holder of the set accepted; empty where one failed."""
        request = replace(plan.request, holder_set=holder_set, open=tuple(asked))

        def ask(holder: int) -> OpeningResponse | HolderFault:
            try:
                response = self._links[holder].open(request)
                self._verify(holder, holder_set, asked, elements, response)
            except RemoteProblem as problem:
                return HolderFault(holder, f"Key holder {holder} refused: {problem.detail}", problem.exit_code)
            except UserError as error:
                return HolderFault(holder, f"Key holder {holder}: {error.message}", error.exit_code)
            except CryptoError as error:
                sentence = f"Key holder {holder} gave a wrong answer: {error}."
                return HolderFault(holder, sentence, ExitCode.VERIFICATION_FAILED)
            return response

        with ThreadPoolExecutor(len(holder_set)) as pool:
            found = dict(zip(holder_set, pool.map(ask, holder_set), strict=True))
        responses = {holder: each for holder, each in found.items() if isinstance(each, OpeningResponse)}
        self.faults.update({holder: each for holder, each in found.items() if isinstance(each, HolderFault)})
        for holder, response in responses.items():
            for refusal in response.refused:
                answers.refusals[refusal.record][holder] = f"Key holder {holder} refused: {refusal.detail}"
        if len(responses) < len(holder_set):
            return {}
        by_position = [dict(zip(each.accepted, group.split(each.elements), strict=True)) for each in responses.values()]
        common = set(asked).intersection(*by_position)
        return {position: shares.combine([one[position] for one in by_position]) for position in sorted(common)}

    def _verify(
        self,
        holder: int,
        holder_set: Sequence[int],
        asked: Sequence[int],
        elements: Mapping[int, bytes],
        response: OpeningResponse,
    ) -> None:
        """Each record asked for is accepted or refused, once; and one proof covers what was accepted."""
        answered = sorted((*response.accepted, *(refusal.record for refusal in response.refused)))
        if answered != sorted(asked):
            raise CryptoError("it answered for other records than it was asked for")
        if not response.accepted:
            return
        given = b"".join(elements[position] for position in response.accepted)
        evaluation = shares.Evaluation(response.elements, response.proof)
        shares.verify_share(self._commitments, holder, holder_set, given, evaluation)
