"""Writes a proposed mapping as TOML, each line with its reason as a comment.

Knows the form of a mapping; nothing is proposed here.
"""

from __future__ import annotations

import json
import re

from clients.institution.propose import Proposal
from clients.institution.proposed_columns import Line
from clients.institution.source import SQL

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def proposal_text(proposal: Proposal) -> str:
    """The TOML text, which mapping_file.py reads."""
    sections = [
        _HEADING,
        _source(proposal),
        f"[row]\n# {proposal.id_reason}\nid = {_quoted(proposal.id_column)}",
        _defaults(proposal),
        _columns(proposal),
        _payload(proposal),
        _indicators(proposal),
        _filter(proposal),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


_HEADING = """\
# What the columns mean, and what may be sent: a proposal by `crosslight institution init`, to be read and corrected.
# Columns that are not named here are never read. The kinds and their parts are explained in docs/institution.md."""


def _source(proposal: Proposal) -> str:
    lines = ["[source]", f"# read as {proposal.description}"]
    if proposal.settings.type == SQL:
        if proposal.url_variable:
            lines += ["# the environment variable with the database's URL, so that no password stands here"]
            lines += [f"url_variable = {_quoted(proposal.url_variable)}"]
        else:
            lines.append(f"url = {_quoted(proposal.url or '')}")
        lines.append(f"query = {_quoted(proposal.settings.query or '')}")
    else:
        lines += [f"path = {_quoted(proposal.path or '')}", f"type = {_quoted(proposal.settings.type)}"]
        if proposal.settings.type == "csv":
            lines.append('# delimiter = ";" and encoding = "cp1252" are found in the file unless they are told')
    return "\n".join(lines)


def _defaults(proposal: Proposal) -> str:
    lines = ["[defaults]", "# used where a row itself does not say"]
    for key, (value, reason), example in (
        ("region", proposal.region, "GB"),
        ("country", proposal.country, "GB"),
        ("dates", proposal.dates, "day-first"),
    ):
        setting = f"{key} = {_quoted(value or example)}"
        lines += [f"# {reason}", setting if value else f"# {setting}"]
    return "\n".join(lines)


def _columns(proposal: Proposal) -> str:
    lines = ["[columns]"]
    for kind in proposal.kinds:
        same = [line for line in proposal.lines if line.kind == kind]
        for line in same:
            lines += [f"# {_text(next(iter(line.parts.values())))}: {'; '.join(line.reasons)}"]
        values = [_value(line) for line in same]
        lines.append(f"{_key(kind)} = {values[0] if len(values) == 1 else '[' + ', '.join(values) + ']'}")
    if proposal.unused:
        lines += ["", f"# not used: {', '.join(map(_text, proposal.unused))}"]
    return "\n".join(lines)


def _value(line: Line) -> str:
    if len(line.parts) == 1 and not line.constants and next(iter(line.parts)) in ("number", "address", "iban", "plate"):
        return _quoted(next(iter(line.parts.values())))
    parts = [f"{part} = {_quoted(column)}" for part, column in line.parts.items()]
    parts += [f"{part} = {{ value = {_quoted(value)} }}" for part, value in line.constants.items()]
    return f"{{ {', '.join(parts)} }}"


def _payload(proposal: Proposal) -> str:
    lines = [
        "[payload]",
        "# sealed with the record: readable by the charity, and only once enough institutions hold the person.",
        "# The agreement says which fields there may be; take out what it does not have.",
    ]
    lines += [f"{_key(name)} = {_quoted(column)}" for name, column in proposal.payload.items()]
    if not proposal.payload:
        return ""
    return "\n".join(lines)


def _indicators(proposal: Proposal) -> str:
    if not proposal.indicators:
        return ""
    columns = ", ".join(map(_quoted, proposal.indicators))
    return "\n".join(
        [
            "[indicators]",
            "# columns with codes of red flags, sealed like the payload; codes that the agreement lacks stay here",
            f"columns = [{columns}]",
            'separator = ";"',
        ]
    )


def _filter(proposal: Proposal) -> str:
    lines = ["[filter]", "# which rows may be sent at all"]
    if proposal.flag is None:
        lines += [
            "# NO COLUMN LOOKS LIKE A RED FLAG, so this sends EVERY row. If only flagged customers may be sent, name",
            '# the column and its values instead: column = "flagged" and any = ["yes"]',
            "all_rows = true",
        ]
    else:
        column, values = proposal.flag
        lines += [f"column = {_quoted(column)}", f"any = [{', '.join(map(_quoted, values))}]"]
    return "\n".join(lines)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are among TOML's, but for the one character that JSON leaves as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _text(text: str) -> str:
    """A column's name within a comment, which must stay on its line."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
