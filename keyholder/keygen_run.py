"""One holder's part in generating one key: which message comes next, given those that have come in.

Files and requests both build on this. It knows signatures and rounds, and neither a folder nor a database: the caller
stores the progress that a step returns before it sends the step's messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from crypto import keygen, signatures
from crypto.errors import InvalidKeygenSession, InvalidSignature, KeygenFault
from crypto.keygen import KeygenResult, Progress
from policies.agreement.document import Agreement
from wire.messages.keygen import GeneratedKey, KeygenMessage

RECORD_FAMILY = "record"
ROUNDS = (1, 2)


@dataclass(frozen=True)
class Participant:
    """A holder as it takes part: the pinned keys of all holders in the order of their indexes, and its own secrets."""

    agreement_id: str
    threshold: int
    signing_keys: tuple[bytes, ...]
    static_keys: tuple[bytes, ...]
    index: int
    signing_key: signatures.SigningKey = field(repr=False)
    secret_key: bytes = field(repr=False)

    @classmethod
    def of(cls, agreement: Agreement, index: int, secrets: Mapping[str, bytes]) -> Participant:
        """Holder `index` of the agreement with its key file's `signing` and `dkg`.

        Raises InvalidKeygenSession where these are not the keys that are enrolled for it.
        """
        participant = cls(
            agreement.agreement_id,
            agreement.terms.t_h,
            tuple(holder.key for holder in agreement.holders),
            tuple(holder.dkg_key for holder in agreement.holders),
            index,
            signatures.SigningKey(secrets["signing"]),
            secrets["dkg"],
        )
        if not 1 <= index <= len(agreement.holders):
            raise InvalidKeygenSession(f"there is no key holder {index} in the agreement")
        if participant.signing_key.public_key != participant.signing_keys[index - 1]:
            raise InvalidKeygenSession(f"the signing key in the key file is not the one enrolled for holder {index}")
        if keygen.public_key(participant.secret_key) != participant.static_keys[index - 1]:
            raise InvalidKeygenSession(f"the dkg key in the key file is not the one enrolled for holder {index}")
        return participant


@dataclass(frozen=True)
class Step:
    """What a holder stores (`progress`, first), then sends, whom it waits for, and the result once there is one."""

    progress: Progress
    outgoing: tuple[KeygenMessage, ...]
    missing: tuple[tuple[int, int], ...]
    """Rounds and senders whose messages have not come yet."""
    result: KeygenResult | None = None


class KeygenRun:
    """One attempt at the key of one family for the epoch `number`; every holder runs its own."""

    def __init__(self, participant: Participant, family: str, *, number: int, attempt: int = 1) -> None:
        self._participant = participant
        self.family = family
        self.number = number
        self.attempt = attempt
        self._session_id = keygen.session_id(participant.agreement_id, number, family, attempt)
        self.session = keygen.Session.create(self._session_id, participant.threshold, participant.static_keys)

    def check(self, message: KeygenMessage) -> None:
        """Raise unless the message is of this run and signed by its sender's pinned key.

        InvalidKeygenSession for a message of another run; KeygenFault naming the sender for a wrong signature.
        """
        named = (message.agreement_id, message.number, message.family, message.attempt)
        if named != (self._participant.agreement_id, self.number, self.family, self.attempt):
            raise InvalidKeygenSession("the message belongs to another key generation")
        if message.round not in ROUNDS or not 1 <= message.sender <= self.session.participants:
            raise InvalidKeygenSession(f"there is no round {message.round} by participant {message.sender}")
        signed = keygen.signed_bytes(self._session_id, message.round, message.sender, message.body)
        try:
            signatures.verify(self._participant.signing_keys[message.sender - 1], signed, message.signature)
        except InvalidSignature as fault:
            raise KeygenFault(message.sender, f"a message in its name is not signed with its key: {fault}") from fault

    def advance(self, progress: Progress | None, messages: Iterable[KeygenMessage]) -> Step:
        """The next step from what is stored (None at the start) and every message that has come in.

        Doing it again with the same gives the same, so a holder may stop at any point. Raises KeygenFault naming the
        participant that broke the protocol; then this attempt is over for everybody.
        """
        me, secret_key = self._participant.index, self._participant.secret_key
        if progress is None:
            progress = keygen.begin(self.session, me, secret_key)
        bodies = self._sorted_bodies(messages)
        outgoing = [self._message(1, progress.message)]
        # Our own first message is the stored one, whatever somebody shows as ours.
        if bodies.setdefault((1, me), progress.message) != progress.message:
            raise InvalidKeygenSession("another round-one message of this holder is about: does it run twice?")
        firsts, missing = self._collect(1, bodies)
        if missing:
            return Step(progress, tuple(outgoing), missing)
        progress, certification = keygen.certify(self.session, me, secret_key, progress, firsts)
        outgoing.append(self._message(2, certification))
        bodies[2, me] = certification
        certifications, missing = self._collect(2, bodies)
        if missing:
            return Step(progress, tuple(outgoing), missing)
        result = keygen.finish(self.session, me, secret_key, progress, firsts, certifications)
        return Step(progress, tuple(outgoing), (), result)

    def generated_key(self, result: KeygenResult) -> GeneratedKey:
        """The public part of a result, the same at every holder."""
        agreement_id = self._participant.agreement_id
        return GeneratedKey(
            agreement_id, self.number, self.family, self.attempt, result.commitments, result.certificate
        )

    def _message(self, round_number: int, body: bytes) -> KeygenMessage:
        me = self._participant
        signature = me.signing_key.sign(keygen.signed_bytes(self._session_id, round_number, me.index, body))
        return KeygenMessage(
            me.agreement_id, self.number, self.family, self.attempt, round_number, me.index, body, signature
        )

    def _sorted_bodies(self, messages: Iterable[KeygenMessage]) -> dict[tuple[int, int], bytes]:
        """The checked messages' bodies by round and sender; two different ones of one sender are its fault."""
        bodies: dict[tuple[int, int], bytes] = {}
        for message in messages:
            self.check(message)
            if bodies.setdefault((message.round, message.sender), message.body) != message.body:
                raise KeygenFault(message.sender, f"it signed two different messages of round {message.round}")
        return bodies

    def _collect(
        self, round_number: int, bodies: Mapping[tuple[int, int], bytes]
    ) -> tuple[list[bytes], tuple[tuple[int, int], ...]]:
        """A round's bodies in the order of the participants, and which of them are missing."""
        wanted = [(round_number, sender) for sender in range(1, self.session.participants + 1)]
        return [bodies[key] for key in wanted if key in bodies], tuple(key for key in wanted if key not in bodies)


def families_of(agreement: Agreement) -> tuple[str, ...]:
    """Every key family that an epoch of these terms needs a key for, `record` among them."""
    return tuple(sorted(agreement.terms.families | {RECORD_FAMILY}))


def generate_in_one_place(
    participants: Sequence[Participant], family: str, *, number: int, attempt: int = 1
) -> tuple[GeneratedKey, list[KeygenResult]]:
    """Run all participants here, one step after the other: for demonstrations and tests.

    Whoever calls this has seen every share, and with them the key: it is for an operator of everything.
    """
    runs = [KeygenRun(participant, family, number=number, attempt=attempt) for participant in participants]
    steps = [run.advance(None, ()) for run in runs]
    for _ in ROUNDS:
        messages = [message for step in steps for message in step.outgoing]
        steps = [run.advance(step.progress, messages) for run, step in zip(runs, steps, strict=True)]
    results = [step.result for step in steps if step.result is not None]
    return runs[0].generated_key(results[0]), results
