"""A report as sections of text and tables, from which the page and the PDF are made: the same words in both.

Reads the signed document alone, so that whoever has it can make the same page again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clients.auditor.words import counted, day_and_time
from policies.log.checkpoint import CosignedCheckpoint


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, a list, and a table (its first row names the columns)."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()


def title(document: Mapping[str, Any]) -> str:
    """The report's title."""
    return f"Audit of the agreement {document['agreement']['agreement_id']}"


def sections(document: Mapping[str, Any]) -> list[Section]:
    """Everything that the report says, in order."""
    checkpoint = CosignedCheckpoint(document["checkpoint"]).checkpoint
    cosigned = ", ".join(document["cosigned_by"]) or "nobody, as the agreement asks"
    return [
        Section(
            "Result",
            (
                str(document["result"]),
                f"By {document['auditor_id']}, {day_and_time(document['made_at'])}.",
                f"Over the checkpoint of {counted(checkpoint.size, 'leaf', 'leaves')} of the log {checkpoint.origin}, "
                f"root {checkpoint.root.hex()}, cosigned by {cosigned}.",
            ),
        ),
        Section("What was checked", ("It was checked whether",), tuple(document["checked"])),
        _findings(document["findings"]),
        Section(
            "The log",
            table=(("event", "leaves"), *((event, f"{count:,}") for event, count in document["leaves"].items())),
        ),
        _decisions(document["decisions"]),
        Section(
            "Records",
            ("What each institution sent in this epoch, and what became of it, by the log.",),
            table=(
                ("institution", "submitted", "withdrawn", "expired", "ended by leaving", "overdue"),
                *(_record_row(one) for one in document["records"]),
            ),
        ),
        _outliers(document["outliers"]),
        Section(
            "The agreement's versions",
            table=(
                ("version", "title", "from", "until", "hash"),
                *(_version_row(one) for one in document["versions"]),
            ),
        ),
        Section(
            "Who did not answer",
            () if document["silent"] else (_answered(document["asked"]),),
            tuple(document["silent"]),
        ),
        Section(
            "How to verify this report",
            (
                "It needs this file and the log's public key: crosslight auditor verify-report FILE --log-key VKEY.",
                "The log's key signs the checkpoint; the checkpoint holds the agreement's leaf; the agreement names "
                "the auditor's key; that key signs the report. The signed report stands at the end, in full.",
            ),
        ),
    ]


def _answered(asked: bool) -> str:
    if not asked:
        return "Broker and key holders were not asked for what they keep beside the log."
    return "Broker and key holders answered all that they were asked."


def _findings(findings: Mapping[str, Any]) -> Section:
    listed = tuple(_finding_text(one) for one in findings["listed"])
    if not findings["count"]:
        return Section("Findings", ("None.",))
    more = findings["count"] - len(listed)
    return Section("Findings", (f"And {more:,} more.",) if more else (), listed)


def _finding_text(one: Mapping[str, Any]) -> str:
    return f"{one['sentence']} ({one['subject']})"


def _decisions(decisions: Mapping[str, Any]) -> Section:
    return Section(
        "Decisions",
        (
            f"{decisions['logged']:,} are logged, {decisions['replayed']:,} were replayed, {decisions['differ']:,} "
            "have another answer than their record.",
        ),
    )


def _outliers(outliers: Mapping[str, Any]) -> Section:
    more = outliers["count"] - len(outliers["listed"])
    told = (str(outliers["rule"]), *(("There are none.",) if not outliers["count"] else ()))
    return Section(
        "Evaluations that stand out", (*told, *((f"And {more:,} more.",) if more else ())), tuple(outliers["listed"])
    )


def _record_row(one: Mapping[str, Any]) -> tuple[str, ...]:
    names = ("submitted", "withdrawn", "expired", "departed", "overdue")
    return (str(one["institution_id"]), *(f"{one[name]:,}" for name in names))


def _version_row(one: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(one["version"]),
        str(one["title"]),
        day_and_time(one["start"])[:10],
        day_and_time(one["end"])[:10],
        str(one["hash"]),
    )
