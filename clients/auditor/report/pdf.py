"""A report as a PDF, with the signed report attached as report.json. The same words as the page's.

The standard fonts of PDF know Western European letters: others are question marks here, and stand in the attachment.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import rfc8785
from fpdf import FPDF
from fpdf.enums import WrapMode, XPos, YPos
from fpdf.fonts import FontFace

from clients.auditor.report.sections import Section, sections, title
from policies.documents import SignedDocument

ATTACHMENT: Final = "report.json"
_FONT: Final = "Helvetica"
_MARGIN: Final = 18


def render_pdf(signed: SignedDocument) -> bytes:
    """The PDF's bytes: the same every time, by one version of the library."""
    document = signed.document
    made_at = datetime.fromtimestamp(document["made_at"], UTC)
    pdf = FPDF(format="A4")
    pdf.set_creation_date(made_at)
    pdf.set_title(_plain(title(document)))
    pdf.set_lang("en")
    pdf.set_margins(_MARGIN, _MARGIN)
    pdf.set_auto_page_break(True, margin=_MARGIN)
    pdf.add_page()
    pdf.set_font(_FONT, style="B", size=18)
    _text(pdf, title(document), 9)
    for section in sections(document):
        _section(pdf, section)
    # Not compressed, so that it can be read out of the file by anybody.
    content = rfc8785.dumps(signed.to_json())
    pdf.embed_file(bytes=content, basename=ATTACHMENT, modification_date=made_at, compress=False)
    return bytes(pdf.output())


def _section(pdf: FPDF, section: Section) -> None:
    pdf.ln(4)
    pdf.set_font(_FONT, style="B", size=13)
    _text(pdf, section.heading, 7)
    pdf.set_font(_FONT, size=10)
    for paragraph in section.paragraphs:
        _text(pdf, paragraph, 5)
        pdf.ln(1)
    for item in section.items:
        _text(pdf, f"- {item}", 5)
    if len(section.table) == 1:
        _text(pdf, "None.", 5)
    elif section.table:
        with pdf.table(
            borders_layout="HORIZONTAL_LINES",
            text_align="LEFT",
            v_align="TOP",
            headings_style=FontFace(emphasis="BOLD"),
            line_height=5,
        ) as table:
            for row in section.table:
                table.row([_plain(cell) for cell in row])


def _text(pdf: FPDF, text: str, height: float) -> None:
    wrapping = WrapMode.CHAR if _is_long(text) else WrapMode.WORD
    pdf.multi_cell(0, height, _plain(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT, wrapmode=wrapping)


def _is_long(text: str) -> bool:
    """Whether a word of the text is wider than a line."""
    return any(len(word) > 80 for word in text.split())


def _plain(text: str) -> str:
    return text.encode("latin-1", "replace").decode("latin-1")
