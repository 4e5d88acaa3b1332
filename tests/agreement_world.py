"""A whole agreement in memory for tests: every party's keys, the signed documents, and submissions made with them.

The keys of the families come from a dealer here, which no real agreement has, so that a test can evaluate alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import rfc8785

from crypto import envelopes, merkle, oprf, records, scalars, sealing, tags
from crypto.group import ORDER, multiply_base, multiply_each
from crypto.records import Context, Head, Record
from crypto.statements import SubmissionStatement
from policies.agreement.document import Agreement
from policies.agreement.model import Retention
from policies.agreement.templates import template
from policies.assembly import RecipientKey, build_epoch, build_roster
from policies.documents import Document, SignedDocument, sign_document
from policies.log.leaves import submission_leaf
from policies.log.log_keys import LogKeys
from policies.opening_rule import KindPolicy, OpeningRule
from policies.parties import MEMBER_ROLES, holder_party_id
from policies.party_keys import PartyKeys, new_epoch_key, new_party
from policies.terms import Terms, family_of, kinds_to_document, rule_to_document
from policies.trust import Trust
from tests.memory_log import MemoryLog
from wire.messages.opening import EvidenceEntry, EvidenceRecord, OpeningRequest, StatementEvidence

START = 1_767_225_600
DAY = 86_400
PURPOSE = "trafficking-intelligence"
"""The one purpose of the example's agreement."""
MEMBERS: tuple[tuple[str, str, str], ...] = (
    ("bank-a", "bank", "group-a"),
    ("bank-b", "bank", "group-b"),
    ("police-c", "police", "group-c"),
    ("desk-d", "report-desk", "group-d"),
)


AUDITOR = "regulator"


def example_document() -> Document:
    """What the example's terms say, as JSON: the shipped bank-to-charity rules, with two fields and no red flag."""
    rules = template("bank-to-charity")
    return {
        "padded_size": 1024,
        "t_h": 2,
        "kinds": kinds_to_document(rules.kinds),
        "opening_rule": rule_to_document(rules.opening_rule),
        "fields": ["record_id", "note"],
        "indicators": [],
        "record_lifetime": 90 * DAY,
        "openings_per_day": 10_000,
        "records_per_day": 1_000_000,
        "identifier_spaces": dict(rules.identifier_spaces),
    }


def example_terms(**changes: Any) -> Terms:
    """The example's terms, with top-level entries of `example_document` replaced."""
    document = {**example_document(), **changes}
    rule = document["opening_rule"]
    kinds = {kind: KindPolicy(**policy) for kind, policy in document["kinds"].items()}
    return Terms(
        **{
            **document,
            "kinds": kinds,
            "opening_rule": OpeningRule(rule["t"], rule["least_weight"], tuple(rule["alone"])),
            "fields": tuple(document["fields"]),
            "indicators": tuple(document["indicators"]),
        }
    )


def example_agreement(
    terms: Terms, parties: Iterable[PartyKeys], *, start: int, end: int, member_quorum: int = 2, witness_quorum: int = 0
) -> Agreement:
    """Version 1 of an agreement with these terms between these parties, every role with all fields and red flags."""
    cards = [party.card for party in parties]
    rules = template("bank-to-charity")
    draft = replace(
        rules,
        agreement_id="example-agreement",
        purposes=tuple(purpose for purpose in rules.purposes if purpose.code == PURPOSE),
        start=start,
        end=end,
        member_quorum=member_quorum,
        t_h=terms.t_h,
        epoch_days=90,
        kinds=terms.kinds,
        identifier_spaces=terms.identifier_spaces,
        opening_rule=terms.opening_rule,
        padded_size=terms.padded_size,
        fields=dict.fromkeys(MEMBER_ROLES, terms.fields),
        indicators=dict.fromkeys(MEMBER_ROLES, terms.indicators),
        gates=(),
        retention=Retention(terms.record_lifetime, 365 * DAY),
        field_requests=(),
        openings_per_day=terms.openings_per_day,
        records_per_day=terms.records_per_day,
        witnesses=replace(rules.witnesses, quorum=witness_quorum),
    )
    return draft.for_parties(cards).with_cards(cards)


@dataclass(frozen=True)
class Submission:
    """What one institution sent: its records, the signed statement, and what it erased afterwards."""

    statement: SubmissionStatement
    signature: bytes
    records: tuple[Record, ...]
    sealed: tuple[sealing.SealedSecret, ...]
    batch_secret: bytes = field(repr=False)

    @cached_property
    def paths(self) -> list[bytes]:
        """Each record's path."""
        return merkle.paths([record.leaf for record in self.records])


@dataclass(frozen=True)
class World:
    """An agreement with everybody's secrets."""

    parties: Mapping[str, PartyKeys]
    polynomials: Mapping[str, tuple[int, ...]]
    recipient_seeds: Mapping[str, bytes]
    agreement: SignedDocument
    epoch: SignedDocument
    roster: SignedDocument

    @cached_property
    def trust(self) -> Trust:
        """What everybody who pinned the agreement trusts."""
        return Trust.pin(self.agreement, self.agreement.hash).with_epoch(self.epoch).with_roster(self.roster)

    @property
    def documents(self) -> list[SignedDocument]:
        """The three documents."""
        return [self.agreement, self.epoch, self.roster]

    @property
    def holder_ids(self) -> list[str]:
        """The holders' party ids."""
        return [holder.party_id for holder in self.trust.agreement.holders]

    @property
    def member_ids(self) -> list[str]:
        """The members' ids."""
        return [member.institution_id for member in self.trust.agreement.members]

    def sign(self, document: Document | SignedDocument, *party_ids: str) -> SignedDocument:
        """`document` signed by these parties; by all holders and members where none is named."""
        signed = document if isinstance(document, SignedDocument) else SignedDocument(document, {})
        for party_id in party_ids or (*self.holder_ids, *self.member_ids):
            signed = sign_document(signed, party_id, self.parties[party_id].signing_key)
        return signed

    def share(self, family: str, index: int) -> bytes:
        """A holder's share of a family's key (32 bytes)."""
        return _scalar(sum(part * index**power for power, part in enumerate(self.polynomials[family])))

    def evaluate(self, family: str, oprf_input: bytes) -> bytes:
        """The OPRF's output (64 bytes) as the quorum would give it."""
        elements = multiply_each(_scalar(self.polynomials[family][0]), oprf.hash_inputs([oprf_input]))
        return oprf.outputs([oprf_input], elements)[0]

    def submit(
        self,
        institution_id: str,
        rows: Sequence[Mapping[str, str]],
        *,
        seq: int = 1,
        issued_at: int = START + DAY,
        lifetime: int = 30 * DAY,
        fields: Mapping[str, str] | None = None,
        indicators: Sequence[str] = (),
    ) -> Submission:
        """A submission of one record a row (kind to normalised value), made as protocol section 5 says."""
        idempotency_key, batch_secret = secrets.token_bytes(16), sealing.generate_batch_secret()
        sealed = tuple(
            sealing.seal_batch_secret(
                recipient.key,
                batch_secret,
                epoch_id=self.trust.epoch_id,
                institution_id=institution_id,
                idempotency_key=idempotency_key,
                recipient_id=recipient.recipient_id,
            )
            for recipient in self.trust.roster.recipients
        )
        reference = sealing.sealed_ref(idempotency_key, sealed)
        made = tuple(
            self._record(
                Context(self.trust.epoch_id, institution_id, secrets.token_bytes(16), issued_at, issued_at + lifetime),
                row,
                reference,
                batch_secret,
                {"fields": dict(fields or {}), "indicators": list(indicators)},
            )
            for row in rows
        )
        root = merkle.root([record.leaf for record in made])
        statement = SubmissionStatement(self.trust.epoch_id, institution_id, seq, idempotency_key, len(made), root)
        signature = self.parties[institution_id].signing_key.sign(statement.encode())
        return Submission(statement, signature, made, sealed, batch_secret)

    def _record(
        self,
        context: Context,
        row: Mapping[str, str],
        sealed_ref: bytes,
        batch_secret: bytes,
        sealed: Mapping[str, Any],
    ) -> Record:
        ctx = context.encode()
        role = next(m.role for m in self.trust.roster.members if m.institution_id == context.institution_id)
        values = {self._entry(kind, value, ctx, role): value for kind, value in row.items()}
        entries = tags.sort_entries(values)
        salts = tuple(secrets.token_bytes(16) for _ in entries)
        hashes = tuple(records.entry_hash(salt, entry.encode()) for salt, entry in zip(salts, entries, strict=True))
        head = Head(context, sealed_ref, hashes).encode()
        listed = [{"kind": entry.kind, "value": values[entry]} for entry in entries]
        payload = rfc8785.dumps({"entries": listed, **sealed})
        envelope = envelopes.seal_envelope(
            envelopes.recipient_secret(batch_secret, ctx),
            envelopes.overlap_secret(self.evaluate("record", ctx)),
            ctx,
            head,
            payload,
            self.trust.epoch.padded_size,
        )
        return Record(head, salts, tuple(entry.encode() for entry in entries), envelope)

    def _entry(self, kind: str, value: str, ctx: bytes, role: str) -> tags.Entry:
        y = self.evaluate(family_of(kind), tags.identifier_input(self.trust.epoch_id, kind, value))
        if not self.trust.kinds[kind].possession:
            return tags.support_entry(kind, y)
        return tags.report_desk_entry(kind, y) if role == "report-desk" else tags.possession_entry(kind, y, ctx)

    def log(self, submissions: Iterable[Submission] = (), *, logged_at: int = START + DAY) -> MemoryLog:
        """The broker's log with a leaf for each submission, in order; every other party is a witness."""
        witnesses = {name: party.signing_key for name, party in self.parties.items() if name != "broker"}
        log = MemoryLog(LogKeys.of(self.trust).origin, self.parties["broker"].signing_key, witnesses)
        log.append(*(submission_leaf(one.statement.encode(), logged_at) for one in submissions))
        return log

    @cached_property
    def kept_log(self) -> MemoryLog:
        """The one log that requests of this world show, as long as a broker has none: it only grows."""
        return self.log()

    def request(
        self,
        submissions: Iterable[Submission],
        *,
        wanted: Iterable[int] | None = None,
        holder_set: Sequence[int] = (1, 2),
        cosigned_at: int = START + DAY,
        purpose: str | None = None,
    ) -> OpeningRequest:
        """An opening request that shows every entry of every record of `submissions`; all to be opened by default.

        `kept_log` holds them under a checkpoint that every witness cosigned at `cosigned_at`.
        """
        given = list(submissions)
        log = self.kept_log
        leaves = [submission_leaf(one.statement.encode(), START + DAY) for one in given]
        places = [log.leaves.index(leaf) if leaf in log.leaves else log.append(leaf) for leaf in leaves]
        shown = tuple(
            EvidenceRecord(
                record.head,
                record.envelope_hash,
                path,
                number,
                tuple(
                    EvidenceEntry(index, salt, entry)
                    for index, (salt, entry) in enumerate(zip(record.salts, record.entries, strict=True))
                ),
            )
            for number, submission in enumerate(given)
            for record, path in zip(submission.records, submission.paths, strict=True)
        )
        return OpeningRequest(
            epoch_id=self.trust.epoch_id,
            roster_version=self.trust.roster.version,
            share_version=1,
            holder_set=tuple(holder_set),
            purpose=purpose or self.trust.agreement.purposes[0].code,
            checkpoint=log.cosign(cosigned_at),
            statements=tuple(
                StatementEvidence(one.statement.encode(), one.signature, START + DAY, place, b"".join(log.path(place)))
                for place, one in zip(places, given, strict=True)
            ),
            records=shown,
            open=tuple(range(len(shown)) if wanted is None else wanted),
        )


def make_world(
    terms: Terms | None = None,
    *,
    members: Sequence[tuple[str, str, str]] = MEMBERS,
    recipients: Sequence[str] = ("charity",),
    holders: int = 3,
    member_quorum: int = 2,
    number: int = 1,
    not_before: int = START,
    not_after: int = START + 90 * DAY,
    declared: int = 1000,
    addresses: Mapping[str, str] | None = None,
    witness_quorum: int = 0,
    amend: Callable[[Agreement], Agreement] = lambda agreement: agreement,
) -> World:
    """Draw everybody's keys and sign everything. The key holders are the log's witnesses.

    `amend` changes the agreement before anybody signs it.
    """
    terms = terms or example_terms()
    parties = _parties(terms, members, recipients, holders, declared, addresses or {})
    agreement = example_agreement(
        terms,
        parties.values(),
        start=not_before - 400 * DAY,
        end=not_after + 1000 * DAY,
        member_quorum=member_quorum,
        witness_quorum=witness_quorum,
    )
    agreement = amend(agreement)
    signed_agreement = _sign(agreement.to_document(), parties, parties)
    polynomials = {
        family: tuple(int.from_bytes(scalars.random_scalars(1), "little") for _ in range(terms.t_h))
        for family in sorted(terms.families | {"record"})
    }
    commitments = {
        family: [multiply_base(_scalar(part)) for part in polynomial] for family, polynomial in polynomials.items()
    }
    signers = [name for name, party in parties.items() if party.card.is_member or party.card.role == "holder"]
    epoch = build_epoch(agreement, number, not_before, not_after, commitments)
    signed_epoch = _sign(epoch.to_document(), parties, signers)
    trust = Trust.pin(signed_agreement, agreement.hash).with_epoch(signed_epoch)
    drawn = {recipient: new_epoch_key() for recipient in recipients}
    keys = [RecipientKey(name, epoch.epoch_id, key, not_after) for name, (_, key) in drawn.items()]
    roster = _sign(build_roster(trust, keys).to_document(), parties, signers)
    seeds = {name: seed for name, (seed, _) in drawn.items()}
    return World(parties, polynomials, seeds, signed_agreement, signed_epoch, roster)


def _parties(
    terms: Terms,
    members: Sequence[tuple[str, str, str]],
    recipients: Sequence[str],
    holders: int,
    declared: int,
    addresses: Mapping[str, str],
) -> dict[str, PartyKeys]:
    amounts = dict.fromkeys(terms.families, declared)
    parties = {name: new_party(role, name, group, declared=amounts) for name, role, group in members}
    for name in recipients:
        parties[name] = new_party("recipient", name, "group-d")
    for index in range(1, holders + 1):
        name = holder_party_id(index)
        address = addresses.get(name, f"https://{name}.example")
        parties[name] = new_party("holder", name, f"holder-group-{index}", address=address)
    parties[AUDITOR] = new_party("auditor", AUDITOR, AUDITOR)
    address = addresses.get("broker", "https://broker.example")
    parties["broker"] = new_party("broker", "broker", "broker-group", address=address)
    return parties


def _sign(document: Document, parties: Mapping[str, PartyKeys], signers: Iterable[str]) -> SignedDocument:
    signed = SignedDocument(document, {})
    for name in signers:
        signed = sign_document(signed, name, parties[name].signing_key)
    return signed


def _scalar(number: int) -> bytes:
    return (number % ORDER).to_bytes(32, "little")
