"""Asking the key holders: t_h of them answer each chunk, each proves its answer, and another set takes over at a fault.

Sees blinded elements and records' own names; never an identifier. A holder's answer counts only once its proof holds
against the share that the signed epoch document promises.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from crypto.errors import CryptoError
from crypto.shares import Evaluation, combine, verify_share
from policies.terms import RECORD_FAMILY
from runtime.exits import ExitCode, UserError
from wire.messages.evaluation import (
    CHUNK_LIMIT,
    EvaluateRequest,
    EvaluateResponse,
    RecordName,
    RecordSecretsRequest,
)
from wire.problems import RemoteProblem

IN_FLIGHT = 4
"""How many chunks are under way at once: enough to keep holders and client busy together."""

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

_SPENT = frozenset({"budget-spent", "rate-limited"})


class HolderLink(Protocol):
    """The way to one key holder. Both calls raise UserError where it cannot be reached, refuses or is not itself."""

    def evaluate(self, request: EvaluateRequest) -> EvaluateResponse:
        """Ask for a chunk of blinded elements."""
        ...

    def evaluate_records(self, request: RecordSecretsRequest) -> EvaluateResponse:
        """Ask for the secrets of own records."""
        ...


@dataclass(frozen=True)
class Fault:
    """Why a holder is asked no more in this run; `family` where it is for one key family alone."""

    holder: int
    family: str | None
    sentence: str
    exit_code: ExitCode


class BudgetSpent(UserError):
    """Too few holders have budget left in a key family: what waits is sent on another night."""

    def __init__(self, family: str, faults: Iterable[Fault]) -> None:
        quoted = " ".join(dict.fromkeys(fault.sentence for fault in faults))
        super().__init__(
            f"The budget for {family} is spent: {quoted} What waits is kept, and goes on at the next sync.",
            ExitCode.BUDGET_SPENT,
        )
        self.family = family


class TooFewHolders(UserError):
    """Fewer than t_h holders answer as they should."""

    def __init__(self, threshold: int, faults: Sequence[Fault]) -> None:
        quoted = " ".join(dict.fromkeys(fault.sentence for fault in faults))
        # The gravest cause decides: a lie over a refusal over silence.
        worst = max((fault.exit_code for fault in faults), default=ExitCode.UNREACHABLE)
        super().__init__(
            f"Too few key holders answer: {threshold} are needed. {quoted} Nothing is lost; run sync again.", worst
        )
        self.faults = tuple(faults)


class Quorum:
    """The holders of one epoch, as one institution asks them. Safe under threads."""

    def __init__(
        self,
        links: Mapping[int, HolderLink],
        *,
        epoch_id: bytes,
        commitments: Mapping[str, tuple[bytes, ...]],
        share_version: int,
        threshold: int,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        self.in_flight = in_flight
        self._links = dict(links)
        self._epoch_id = epoch_id
        self._commitments = commitments
        self._share_version = share_version
        self._threshold = threshold
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What went wrong with which holder so far, whether or not another could take over."""
        with self._lock:
            return tuple(self._faults)

    def evaluate(self, family: str, elements: bytes) -> bytes:
        """The unsplit key of `family` times each blinded element (at most 512 of 32 bytes), proofs verified.

        Raises BudgetSpent, or TooFewHolders naming each holder and what was wrong with it.
        """

        def ask(link: HolderLink, holder_set: tuple[int, ...]) -> EvaluateResponse:
            return link.evaluate(EvaluateRequest(self._epoch_id, family, self._share_version, holder_set, elements))

        return self._answer(family, elements, ask)

    def evaluate_records(self, names: Sequence[RecordName], elements: bytes) -> bytes:
        """The unsplit `record` key times `elements`, the hashed contexts of `names` (at most 512), proofs verified."""

        def ask(link: HolderLink, holder_set: tuple[int, ...]) -> EvaluateResponse:
            request = RecordSecretsRequest(self._epoch_id, self._share_version, holder_set, tuple(names))
            return link.evaluate_records(request)

        return self._answer(RECORD_FAMILY, elements, ask)

    def has_budget(self, family: str) -> bool:
        """Whether enough holders are left that have not said that the family's budget is spent."""
        return len(self._fit(family)) >= self._threshold

    def _answer(
        self, family: str, elements: bytes, ask: Callable[[HolderLink, tuple[int, ...]], EvaluateResponse]
    ) -> bytes:
        while True:
            holder_set = self._choose(family, elements)
            answers: list[bytes] = []
            for index in holder_set:
                answer = self._ask_one(family, elements, index, holder_set, ask)
                if answer is None:
                    break
                answers.append(answer)
            else:
                return combine(answers)

    def _ask_one(
        self,
        family: str,
        elements: bytes,
        index: int,
        holder_set: tuple[int, ...],
        ask: Callable[[HolderLink, tuple[int, ...]], EvaluateResponse],
    ) -> bytes | None:
        """One holder's verified answer; None where it failed, which is noted, so that the next set leaves it out."""
        try:
            response = ask(self._links[index], holder_set)
            evaluation = Evaluation(response.elements, response.proof)
            verify_share(self._commitments[family], index, holder_set, elements, evaluation)
        except RemoteProblem as problem:
            only = family if problem.type_suffix in _SPENT else None
            self._note(Fault(index, only, f"Key holder {index} refused: {problem.detail}", problem.exit_code))
        except UserError as error:
            self._note(Fault(index, None, f"Key holder {index}: {error.message}", error.exit_code))
        except CryptoError as error:
            sentence = f"Key holder {index} gave a wrong answer for {family}: {error}."
            self._note(Fault(index, None, sentence, ExitCode.VERIFICATION_FAILED))
        else:
            return evaluation.elements
        return None

    def _note(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def _fit(self, family: str) -> list[int]:
        with self._lock:
            unfit = {fault.holder for fault in self._faults if fault.family in (None, family)}
        return sorted(set(self._links) - unfit)

    def _choose(self, family: str, elements: bytes) -> tuple[int, ...]:
        """The set that answers these elements: it turns with their hash, so that the charges spread evenly over the
        holders, and a chunk that is asked again goes to the same ones.
        """
        fit = self._fit(family)
        if len(fit) < self._threshold:
            raise self._too_few(family)
        start = int.from_bytes(hashlib.sha256(elements).digest()[:8], "big") % len(fit)
        return tuple(sorted(fit[(start + step) % len(fit)] for step in range(self._threshold)))

    def _too_few(self, family: str) -> UserError:
        faults = [fault for fault in self.faults if fault.family in (None, family)]
        if any(fault.family == family for fault in faults):
            return BudgetSpent(family, faults)
        return TooFewHolders(self._threshold, faults)


def evaluate_chunks(quorum: Quorum, chunks: Sequence[tuple[str, bytes]]) -> Iterator[bytes | None]:
    """The answers to (family, elements), in order, a few under way at once; None where the family's budget is spent.

    Raises TooFewHolders; chunks that were asked before it are in the journal.
    """

    def evaluate(chunk: tuple[str, bytes]) -> bytes | None:
        try:
            return quorum.evaluate(*chunk)
        except BudgetSpent:
            return None

    yield from _in_flight(evaluate, chunks, quorum.in_flight)


def evaluate_record_names(quorum: Quorum, names: Sequence[RecordName], elements: bytes) -> bytes:
    """The `record` family's answers for any number of records, 32 bytes each, in order.

    Raises BudgetSpent where the day's limit is reached, or TooFewHolders.
    """
    pieces = [
        (names[start : start + CHUNK_LIMIT], elements[32 * start : 32 * (start + CHUNK_LIMIT)])
        for start in range(0, len(names), CHUNK_LIMIT)
    ]
    return b"".join(_in_flight(lambda piece: quorum.evaluate_records(*piece), pieces, quorum.in_flight))


def _in_flight(ask: Callable[[Asked], Answer], pieces: Sequence[Asked], most: int) -> Iterator[Answer]:
    if len(pieces) < 2 or most < 2:
        yield from map(ask, pieces)
        return
    pool = ThreadPoolExecutor(most, thread_name_prefix="evaluation")
    try:
        yield from pool.map(ask, pieces)
    finally:
        # After a failure nothing that has not begun is asked any more.
        pool.shutdown(wait=True, cancel_futures=True)
