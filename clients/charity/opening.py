"""From the quorum's answers to what records say: opens batch secrets and envelopes, names the signer of what fails.

Holds the recipient's epoch key and the quorum's outputs for as long as it runs, and stores nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clients.charity.agreement_check import Payload, UnfitPayload, read_payload
from clients.charity.alerts import HeldRecord, RecordKey, Trouble
from clients.charity.evidence import Plans
from clients.charity.quorum import HolderFault, Quorum
from clients.charity.rules import Desk
from crypto.envelopes import open_envelope, overlap_secret, recipient_secret
from crypto.errors import CryptoError
from crypto.sealing import SealedSecret, open_batch_secret, seal_info
from policies.decisions.record import DecisionRecord
from policies.decisions.refusal import sentence

TOO_FEW_HOLDERS = "Too few key holders answer."
"""The reason of a record that stays shut because holders failed, so that asking again may open it."""


@dataclass(frozen=True)
class RecipientKeys:
    """With what a recipient opens an epoch's envelopes: its id, its key's name (8 bytes) and private seed (32 bytes,
    hidden), and the size that the agreement pads payloads to.
    """

    recipient_id: str
    key_id: bytes
    seed: bytes = field(repr=False)
    padded_size: int


@dataclass
class Opened:
    """What came of asking: payloads, why the other records stay shut, whose bytes did not fit, which holders failed."""

    payloads: dict[RecordKey, Payload] = field(default_factory=dict, repr=False)
    shut: dict[RecordKey, list[str]] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    faults: list[HolderFault] = field(default_factory=list)


def open_plans(plans: Plans, quorum: Quorum, keys: RecipientKeys) -> Opened:
    """Ask the quorum for every plan and open what it gives; the rest is explained, record by record."""
    opened = Opened(shut={key: [reason] for key, reason in plans.shut.items()})
    secrets = _BatchSecrets(keys)
    for plan in plans.plans:
        answers = quorum.open(plan)
        for position in plan.wanted:
            record = plan.records[position]
            if position in answers.outputs:
                _open_record(record, answers.outputs[position], secrets, opened)
            else:
                quoted = [answers.refusals[position][holder] for holder in sorted(answers.refusals[position])]
                opened.shut[record.key] = [*quoted, *_too_few(quorum, quoted)]
    opened.faults = list(quorum.faults.values())
    return opened


def keep_readable(opened: Opened, pool: Mapping[RecordKey, HeldRecord], desk: Desk, opened_at: int) -> None:
    """Shut again what the agreement does not let its sender seal or this recipient read; the sender is named."""
    answers: dict[tuple[str, frozenset[str], tuple[str, ...]], DecisionRecord] = {}
    for key, payload in list(opened.payloads.items()):
        member = desk.trust.member(pool[key].context.institution_id)
        role = member.role if member is not None else ""
        asked = role, frozenset(payload.fields), payload.indicators
        if asked not in answers:
            answers[asked] = desk.may_read(role, payload.fields, payload.indicators, opened_at)
        if not answers[asked].allowed:
            reason = f"{key[0]} sealed what the agreement does not let it send: {sentence(answers[asked])}"
            opened.troubles.append(Trouble(key[0], reason, key))
            opened.shut[key] = [reason]
            del opened.payloads[key]


def _too_few(quorum: Quorum, quoted: Sequence[str]) -> list[str]:
    failed = [fault.sentence for fault in quorum.faults.values()]
    if quoted and not failed:
        return []
    return [TOO_FEW_HOLDERS, *failed]


def _open_record(record: HeldRecord, output: bytes, secrets: _BatchSecrets, opened: Opened) -> None:
    owner = record.context.institution_id
    ctx = record.context.encode()
    envelope = record.record.envelope
    try:
        batch_secret = secrets.of(record)
        recipient = recipient_secret(batch_secret, ctx)
        payload = open_envelope(
            recipient, overlap_secret(output), ctx, record.record.head, envelope, secrets.padded_size
        )
        opened.payloads[record.key] = read_payload(payload, record.entries)
    except (CryptoError, UnfitPayload) as error:
        reason = f"{owner} signed a record whose content {'does not open' if isinstance(error, CryptoError) else error}"
        detail = f": {error}." if isinstance(error, CryptoError) else "."
        opened.troubles.append(Trouble(owner, reason + detail, record.key))
        opened.shut[record.key] = [reason + detail]


class _BatchSecrets:
    """The batch secret of each submission, opened once."""

    def __init__(self, keys: RecipientKeys) -> None:
        self._keys = keys
        self._opened: dict[tuple[str, bytes, tuple[SealedSecret, ...]], bytes | CryptoError] = {}

    @property
    def padded_size(self) -> int:
        """The agreed size of payloads."""
        return self._keys.padded_size

    def of(self, record: HeldRecord) -> bytes:
        """The 32 bytes; raises CryptoError where nothing is sealed to this recipient, or it does not open."""
        name = record.context.institution_id, record.idempotency_key, record.sealed
        if name not in self._opened:
            self._opened[name] = self._open(record)
        found = self._opened[name]
        if isinstance(found, CryptoError):
            raise found
        return found

    def _open(self, record: HeldRecord) -> bytes | CryptoError:
        keys = self._keys
        mine = [each for each in record.sealed if (each.recipient_id, each.key_id) == (keys.recipient_id, keys.key_id)]
        if not mine:
            return CryptoError(f"nothing in its submission is sealed to {keys.recipient_id}'s key {keys.key_id.hex()}")
        context = record.context
        info = seal_info(
            context.epoch_id, context.institution_id, record.idempotency_key, keys.recipient_id, keys.key_id
        )
        try:
            return open_batch_secret(keys.seed, mine[0], info)
        except CryptoError as error:
            return error
