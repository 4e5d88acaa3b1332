"""The three files of a report: JSON as signed, page and PDF. Written whole, never over one that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import rfc8785

from clients.auditor.report.page import render_page
from clients.auditor.report.pdf import render_pdf
from policies.document_commands import refuse_existing
from policies.documents import SignedDocument, write_file

FORMS: Final = ("json", "html", "pdf")


def write_report_files(signed: SignedDocument, base: Path) -> list[Path]:
    """Write base.json, base.html and base.pdf; raises DocumentRefused where one is there already."""
    paths = [base.with_name(f"{base.name}.{form}") for form in FORMS]
    for path in paths:
        refuse_existing(path)
    write_file(paths[0], rfc8785.dumps(signed.to_json()).decode())
    write_file(paths[1], render_page(signed))
    paths[2].write_bytes(render_pdf(signed))
    return paths
