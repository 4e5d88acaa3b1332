"""What a report says, as a document that the auditor signs: numbers and sentences, and what makes them verifiable.

The chain that a reader follows: the log's key, the checkpoint, the leaf of the agreement in it, the agreement, the
auditor's key in the agreement, the signature on the report. Knows no page and no file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from clients.auditor.asking import SILENT, kept_answers
from clients.auditor.auditor import Auditor, cosigners
from clients.auditor.checks.sequences import balances
from clients.auditor.evaluations import RULE, evaluated_days, outlier_sentence
from clients.auditor.ledger import Ledger
from clients.auditor.ledger_schema import Finding
from clients.auditor.report.ledger_hashes import LedgerHashes
from clients.auditor.words import counted
from policies.agreement.document import Agreement
from policies.documents import Document, SignedDocument, sign_document
from policies.log.checkpoint import CosignedCheckpoint
from policies.log.proof_file import ProofFile
from policies.log.tree import inclusion_path
from policies.trust import Trust
from runtime.exits import ExitCode, UserError
from wire.packed import pack

REPORT_TYPE: Final = "crosslight/v1 report"
MOST_SENTENCES: Final = 1000
"""Findings and outliers that are written out; the numbers count all."""


def make_report(auditor: Auditor) -> SignedDocument:
    """The signed report on what was verified last. Contacts nobody. Raises UserError where nothing was verified yet."""
    cosigned = auditor.checkpoint()
    if cosigned is None:
        raise UserError(
            "Nothing was verified yet: run `crosslight auditor log verify` and `crosslight auditor replay` first.",
            ExitCode.INPUT_REFUSED,
        )
    trust, ledger = auditor.trust(), auditor.ledger
    agreement, proof = _logged_agreement(trust, ledger, cosigned, auditor.auditor_id, auditor.signing_key.public_key)
    asked = bool(ledger.answers(SILENT))
    findings, outliers = ledger.findings(), [one for one in evaluated_days(ledger) if one.is_outlier]
    document: Document = {
        "type": REPORT_TYPE,
        "auditor_id": auditor.auditor_id,
        "made_at": auditor.now,
        "agreement": agreement.to_document(),
        "agreement_proof": proof.format(),
        "checkpoint": cosigned.text,
        "cosigned_by": sorted(cosigners(trust, cosigned)),
        "result": _result(findings, ledger),
        "checked": list(_checked(ledger, cosigned, trust, asked)),
        "leaves": ledger.counts(),
        "decisions": dict(zip(("logged", "replayed", "differ"), ledger.replayed(), strict=True)),
        "findings": {"count": len(findings), "listed": [_finding(one) for one in findings[:MOST_SENTENCES]]},
        "outliers": {
            "rule": RULE,
            "count": len(outliers),
            "listed": [outlier_sentence(one) for one in outliers[:MOST_SENTENCES]],
        },
        "records": [_balance(one) for one in _balances(ledger, trust, auditor.now)],
        "versions": [
            {"version": one.version, "hash": pack(one.hash), "title": one.title, "start": one.start, "end": one.end}
            for one in trust.agreements
        ],
        "asked": asked,
        "silent": list(kept_answers(ledger, len(agreement.holders)).silent),
    }
    return sign_document(document, auditor.auditor_id, auditor.signing_key)


def _logged_agreement(
    trust: Trust, ledger: Ledger, cosigned: CosignedCheckpoint, auditor_id: str, auditor_key: bytes
) -> tuple[Agreement, ProofFile]:
    """The newest version of the agreement that names the auditor and is in the log, with the proof that it is."""
    versions = {
        pack(agreement.hash): agreement
        for agreement in trust.agreements
        if agreement.auditor_keys.get(auditor_id) == auditor_key
    }
    size = cosigned.checkpoint.size
    logged = [row for row in ledger.leaves("agreement") if row.position < size]
    for row in reversed(logged):
        agreement = versions.get(str(json.loads(row.body).get("hash")))
        if agreement is not None:
            path = inclusion_path(LedgerHashes(ledger), row.position, size)
            return agreement, ProofFile(row.position, tuple(path), cosigned, row.body)
    raise UserError(
        "The log has no leaf of an agreement that names this auditor's key, so nobody could verify a report by the "
        "log's key alone.",
        ExitCode.VERIFICATION_FAILED,
    )


def _result(findings: list[Finding], ledger: Ledger) -> str:
    logged, replayed, _ = ledger.replayed()
    if findings:
        return f"Something does not hold: {counted(len(findings), 'finding')}."
    if replayed < logged:
        return f"Nothing was found that does not hold; {counted(logged - replayed, 'decision')} were not replayed yet."
    return "Everything that was checked holds."


def _checked(ledger: Ledger, cosigned: CosignedCheckpoint, trust: Trust, asked: bool) -> Iterator[str]:
    """What was checked: each fits after "whether". What did not hold is among the findings."""
    logged, replayed, _ = ledger.replayed()
    size = cosigned.checkpoint.size
    yield f"{counted(size, 'leaf', 'leaves')}, each of them hashed, lead to the checkpoint's root together"
    yield "the checkpoint is signed by the log, cosigned as the agreement asks, and continues those seen before"
    yield (
        f"{counted(len(trust.agreements), 'version')} of the agreement, the epochs, rosters, suspensions and "
        "departures bear the signatures that they need, and are what the leaves name"
    )
    yield f"{replayed:,} of {counted(logged, 'decision')}, taken again from their records, have the recorded answer"
    yield "submissions and withdrawals are numbered without a gap, and what had to end has ended"
    yield "the key holders' signed counts of evaluations continue one another by day"
    yield "every hour has its activity leaf"
    if asked:
        yield "the broker shows the withdrawals that the log names, and what it opened of the hours' activity"
        yield "the key holders' records of openings hold by their chain, the rules and the activities reported"


def _finding(one: Finding) -> dict[str, Any]:
    place = {} if one.position is None else {"leaf": one.position}
    return {"subject": one.subject, "sentence": one.sentence, **place}


def _balances(ledger: Ledger, trust: Trust, now: int) -> list[Any]:
    return sorted(balances(ledger, trust, now), key=lambda one: one.institution_id)


def _balance(one: Any) -> Mapping[str, Any]:
    return {
        "institution_id": one.institution_id,
        "submitted": one.submitted,
        "withdrawn": one.withdrawn,
        "expired": one.expired,
        "departed": one.departed,
        "overdue": max(0, one.overdue),
    }
