"""`crosslight auditor report | verify-report`: write a signed report, and verify one with the log's key alone.

Reads options and files, calls one function, prints. Contacts nobody.
"""

from __future__ import annotations

from pathlib import Path

import click

from clients.auditor.auditor import open_auditor
from clients.auditor.report.document import make_report
from clients.auditor.report.files import write_report_files
from clients.auditor.report.verify import verify_report
from policies.document_commands import existing_file
from policies.log.signed_note import VerifierKey
from runtime.console import emit, json_option, passphrase_option, read_passphrase


@click.command("report")
@click.option(
    "--home",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    show_default="the current folder",
    help="The auditor's home folder: keys.age, card.json, documents/, auditor.toml, the copy of the log.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The files' name without its end: .json, .html and .pdf are written, none of them over another.",
)
@passphrase_option
@json_option
def write_report(home: Path, out: Path, passphrase_file: Path | None) -> None:
    """Write a signed report on what was verified last: as JSON, as a page and as a PDF.

    It says what was checked, over which checkpoint, with what result, and can be verified by anybody who has it and the
    log's public key. Verify and replay first; this command asks nobody.

    \b
    crosslight auditor report --home regulator --out report-2026-05
    """
    signed = make_report(open_auditor(home, read_passphrase(passphrase_file)))
    written = write_report_files(signed, out)
    emit(
        {"files": [str(path) for path in written], "hash": signed.hash.hex(), "result": signed.document["result"]},
        f"{signed.document['result']}\nWritten: {', '.join(str(path) for path in written)}",
    )


@click.command("verify-report")
@click.argument("file", type=existing_file)
@click.option("--log-key", "key_text", metavar="VKEY", required=True, help="The log's verifier key.")
@json_option
def check_report(file: Path, key_text: str) -> None:
    """Verify an auditor's report in any of its forms, with the log's public key and nothing else.

    Ends with 4 or 8 where it does not hold. The key is in the first line of `crosslight log policy`; take it from
    somebody whom you trust, not from the report.
    """
    sentences = verify_report(file, VerifierKey.parse(key_text))
    emit({"holds": True, "sentences": list(sentences)}, "\n".join(("The report holds.", *sentences)))
