"""Verifying a report with nothing but the report and the log's public key: JSON, page or PDF.

Follows the chain from the log's key to the auditor's signature; a page is made again from what was signed and compared
byte for byte. Asks nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any, Final

from clients.auditor.report.document import REPORT_TYPE
from clients.auditor.report.page import render_page
from clients.auditor.report.pdf import render_pdf
from clients.auditor.words import counted, day_and_time
from policies.agreement.document import Agreement
from policies.documents import SignedDocument, parse_document, verify_signatures
from policies.errors import DocumentRefused
from policies.log.errors import LogRefused
from policies.log.leaves import read_leaf
from policies.log.proof_file import ProofFile
from policies.log.signed_note import VerifierKey
from policies.log.witness_policy import WitnessPolicy, policy_of
from wire.packed import pack

LONGEST_REPORT: Final = 32 * 2**20
_IN_PAGE: Final = re.compile(r'<pre id="signed-report">(.*?)</pre>', re.S)
_IN_PDF: Final = re.compile(rb"stream\r?\n(\{\"document\":.*?\})\r?\nendstream", re.S)


def verify_report(path: Path, log_key: VerifierKey) -> tuple[str, ...]:
    """What the report proves, in sentences; raises DocumentRefused or LogRefused for one that does not hold."""
    content = _read(path)
    signed = _signed_in(content, str(path))
    sentences = verify_signed(signed, log_key)
    return (*sentences, _form(content, signed))


def verify_signed(signed: SignedDocument, log_key: VerifierKey) -> tuple[str, ...]:
    """The same for the signed document itself."""
    document = signed.document
    if document.get("type") != REPORT_TYPE:
        raise DocumentRefused("This document is no auditor's report.")
    agreement, proof = _agreement(document), _proof(document)
    if proof.checkpoint.text != document.get("checkpoint"):
        raise LogRefused("The report's proof is of another checkpoint than the report.")
    policy = WitnessPolicy.parse(policy_of(agreement, log_key.name))
    checkpoint = WitnessPolicy((log_key,), policy.witnesses, policy.groups, policy.quorum)
    leaf = proof.extra or b""
    found = proof.verify(checkpoint, leaf)
    logged = read_leaf(leaf)
    if logged.type != "agreement" or logged.body.get("hash") != pack(agreement.hash):
        raise LogRefused("The leaf that the report proves is not that of the agreement in the report.")
    auditor_id = str(document.get("auditor_id"))
    key = agreement.auditor_keys.get(auditor_id)
    if key is None or auditor_id not in verify_signatures(signed, {auditor_id: key}):
        raise DocumentRefused(f"The report does not bear the signature of {auditor_id}, an auditor of the agreement.")
    made_at = document.get("made_at")
    when = day_and_time(made_at) if isinstance(made_at, int) else "an unknown time"
    return (
        f"The log {found.origin} signed the checkpoint of {counted(found.size, 'leaf', 'leaves')}, and witnesses "
        "cosigned it as the agreement asks.",
        f"Version {agreement.version} of the agreement {agreement.agreement_id} is leaf {proof.index} of that log.",
        f"{auditor_id}, an auditor of that agreement, signed the report on {when}.",
        f"The report's result: {document.get('result')}",
    )


def _agreement(document: Mapping[str, Any]) -> Agreement:
    given = document.get("agreement")
    if not isinstance(given, dict):
        raise DocumentRefused("The report holds no agreement.")
    return Agreement.from_document(given)


def _proof(document: Mapping[str, Any]) -> ProofFile:
    text = document.get("agreement_proof")
    if not isinstance(text, str):
        raise DocumentRefused("The report holds no proof that its agreement is in the log.")
    return ProofFile.parse(text)


def _form(content: bytes, signed: SignedDocument) -> str:
    """What holds of the form in which the report came; raises DocumentRefused for a page that was changed."""
    if content.startswith(b"%PDF-"):
        if content == render_pdf(signed):
            return "The pages say what was signed."
        return (
            "The signed report is attached to these pages; that the pages say the same cannot be told here (they may "
            "be another version's): read the attached report.json, or the HTML."
        )
    if content.lstrip().startswith(b"<"):
        if content != render_page(signed).encode():
            raise DocumentRefused("The page was changed: it is not what the signed report in it gives.")
        return "The page says what was signed."
    return "It is the signed report itself."


def _signed_in(content: bytes, name: str) -> SignedDocument:
    if content.startswith(b"%PDF-"):
        in_pdf = _IN_PDF.search(content)
        if in_pdf is None:
            raise DocumentRefused(f"{name} holds no signed report.")
        return SignedDocument.from_json(parse_document(in_pdf[1], name))
    if content.lstrip().startswith(b"<"):
        in_page = _IN_PAGE.search(content.decode("utf-8", "replace"))
        if in_page is None:
            raise DocumentRefused(f"{name} holds no signed report.")
        return SignedDocument.from_json(parse_document(unescape(in_page[1]).encode(), name))
    return SignedDocument.from_json(parse_document(content, name))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_REPORT + 1)
    except OSError as error:
        raise DocumentRefused(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > LONGEST_REPORT:
        raise DocumentRefused(f"{path} is longer than any report ({LONGEST_REPORT} bytes).")
    return content
