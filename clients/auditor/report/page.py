"""A report as one web page: no script, nothing loaded from elsewhere, printable, the signed report within it.

Made from the signed document alone, byte for byte the same every time.
"""

from __future__ import annotations

from html import escape
from typing import Final

import rfc8785

from clients.auditor.report.sections import Section, sections, title
from policies.documents import SignedDocument

_SHORT: Final = 12
"""Letters of a cell that stays on one line."""

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; margin: 0; }
main { max-width: 52rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 1.5rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; border-top: 1px solid #d5dae0; padding-top: 1rem; }
p, li { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #e3e7ec; vertical-align: top; }
td { overflow-wrap: anywhere; }
.short { white-space: nowrap; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .75rem; background: #f4f6f8; padding: 1rem; }
a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 3px solid #0b5cad; outline-offset: 2px; }
@media print { pre { display: none; } main { padding: 0; } }
@media (prefers-color-scheme: dark) {
  body { color: #e6e9ec; background: #14171a; } pre { background: #1d2226; }
  h2, th, td { border-color: #343b42; }
}
"""


def render_page(signed: SignedDocument) -> str:
    """The whole page as HTML."""
    heading = escape(title(signed.document))
    body = "\n".join(_section(section) for section in sections(signed.document))
    content = escape(rfc8785.dumps(signed.to_json()).decode())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{heading}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{heading}</h1>
{body}
<details>
<summary>The signed report</summary>
<pre id="signed-report">{content}</pre>
</details>
</main>
</body>
</html>
"""


def _section(section: Section) -> str:
    anchor = section.heading.lower().replace(" ", "-").replace("'", "")
    parts = [f'<section aria-labelledby="{anchor}">', f'<h2 id="{anchor}">{escape(section.heading)}</h2>']
    parts += [f"<p>{escape(paragraph)}</p>" for paragraph in section.paragraphs]
    if section.items:
        parts += ["<ul>", *(f"<li>{escape(item)}</li>" for item in section.items), "</ul>"]
    if len(section.table) == 1:
        parts.append("<p>None.</p>")
    elif section.table:
        header, *rows = section.table
        cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
        lines = ["".join(_cell(cell) for cell in row) for row in rows]
        parts += [
            f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(section.heading)}: table">',
            "<table>",
            f"<thead><tr>{cells}</tr></thead>",
            "<tbody>",
            *(f"<tr>{line}</tr>" for line in lines),
            "</tbody>",
            "</table>",
            "</div>",
        ]
    return "\n".join([*parts, "</section>"])


def _cell(text: str) -> str:
    """A cell; a word or a day is not broken."""
    short = ' class="short"' if len(text) <= _SHORT else ""
    return f"<td{short}>{escape(text)}</td>"
