"""An agreement as a web page for people: one file, no script, nothing loaded from elsewhere; printable.

What it says comes from words.py and matrix.py. Knows no signature.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files

from policies.agreement.document import Agreement
from policies.agreement.matrix import matrix
from policies.agreement.words import SECTIONS, sentences
from policies.rendering import grouped


def render_page(agreement: Agreement) -> str:
    """The whole page as HTML."""
    style = files("policies").joinpath("agreements/page.css").read_text("utf-8")
    title = escape(agreement.title)
    said = sentences(agreement)
    sections = "\n".join(
        _section(section, "\n".join(_item(one.text, one.path, one.value) for one in said if one.section == section))
        for section in SECTIONS
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
<p class="kind">Sharing agreement {escape(agreement.agreement_id)}, version {agreement.version}</p>
<h1>{title}</h1>
<p>Under each sentence stands the rule that it says, as the parties sign it.</p>
{sections}
<section aria-labelledby="matrix">
<h2 id="matrix">Who may do what with which data</h2>
{_table(agreement)}
</section>
<section aria-labelledby="hash">
<h2 id="hash">Hash</h2>
<p>Compare it with every other party by another way than this page came.</p>
<pre>{escape(grouped(agreement.hash))}</pre>
</section>
</main>
</body>
</html>
"""


def _section(name: str, items: str) -> str:
    anchor = "".join(letter if letter.isalnum() else "-" for letter in name.lower())
    return (
        f'<section aria-labelledby="{anchor}">\n<h2 id="{anchor}">{escape(name)}</h2>\n<ul>\n{items}\n</ul>\n</section>'
    )


def _item(text: str, path: str, value: str) -> str:
    rule = f"<details><summary>{escape(path)}</summary><code>{escape(value)}</code></details>"
    return f"<li>{escape(text)}\n{rule}</li>"


def _table(agreement: Agreement) -> str:
    rows = "\n".join(
        f'<tr><th scope="row">{escape(row.who)}</th><td>{escape(row.text)}</td><td>{escape(row.data)}</td>'
        f"<td>{escape(row.condition)}</td><td><code>{escape(row.path)}</code></td></tr>"
        for row in matrix(agreement)
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Who", "May", "Data", "On condition", "Rule"))
    # Focusable, so that a keyboard can scroll it where it is wider than the window.
    return (
        '<div class="wide" role="region" aria-label="Table" tabindex="0">\n<table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
    )
