"""The console's pages. A view reads the request, asks the auditor or its copy of the log, and renders."""

from __future__ import annotations

import itertools
import json
from typing import Any

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from clients.auditor.asking import kept_answers
from clients.auditor.auditor import Auditor
from clients.auditor.checks.sequences import balances
from clients.auditor.console.decision_page import present_decision, present_decisions, wanted_decisions
from clients.auditor.console.overview_page import present_overview
from clients.auditor.console.task import Task
from clients.auditor.evaluations import RULE, evaluated_days
from clients.auditor.words import counted
from policies.agreement.diff import diff
from policies.agreement.matrix import matrix
from policies.agreement.words import sentences

AUDITOR = "crosslight.auditor"
TASK = "crosslight.task"
PAGES = (
    ("console.overview", "Overview"),
    ("console.agreements", "Agreements"),
    ("console.decisions", "Decisions"),
    ("console.evaluations", "Evaluations"),
    ("console.records", "Records"),
    ("console.keys", "Keys"),
    ("console.activity", "Activity"),
    ("console.findings", "Findings"),
)
"""Endpoint and title of what the navigation leads to."""

PAGE = 50
DAY = 86_400

console = Blueprint("console", __name__)


def _auditor() -> Auditor:
    auditor: Auditor = current_app.extensions[AUDITOR]
    return auditor


def _task() -> Task:
    task: Task = current_app.extensions[TASK]
    return task


def _page() -> int:
    return max(1, request.args.get("page", 1, type=int))


def _pages(total: int) -> int:
    return max(1, -(-total // PAGE))


@console.get("/")
def overview() -> str:
    """How far the log is verified, under which checkpoint, with what result."""
    return render_template("overview.html", view=present_overview(_auditor()), task=_task())


@console.post("/verify")
def verify() -> BaseResponse:
    """Begin a verification of the log."""
    auditor = _auditor()

    def work(task: Task) -> str:
        with auditor.contact() as contact:
            task.total = max(0, contact.checkpoint.checkpoint.size - auditor.ledger.size)
            verified = auditor.verify(contact, task.advance)
        found = counted(len(verified.findings), "finding") if verified.findings else "nothing that does not hold"
        return f"{counted(verified.added, 'leaf', 'leaves')} more verified; {found}."

    _task().start("The log is being verified", work)
    return redirect(url_for("console.overview", _anchor="task"), 303)


@console.post("/replay")
def replay() -> BaseResponse:
    """Begin a replay of the decisions that were not replayed yet."""
    auditor = _auditor()

    def work(task: Task) -> str:
        decisions, done, _ = auditor.ledger.replayed()
        task.total = decisions - done
        findings = auditor.replay(task.advance)
        verb = "differs" if len(findings) == 1 else "differ"
        return f"{counted(decisions - done, 'decision')} replayed; {counted(len(findings), 'answer')} {verb} in all."

    _task().start("Decisions are being replayed", work)
    return redirect(url_for("console.overview", _anchor="task"), 303)


@console.get("/agreements")
def agreements() -> str:
    """Versions in force, their history with differences, and the matrix."""
    trust = _auditor().trust()
    versions = trust.agreements
    changes = {newer.version: diff(older, newer) for older, newer in itertools.pairwise(versions)}
    return render_template(
        "agreements.html",
        versions=versions[::-1],
        changes=changes,
        running=trust.agreement.hash,
        rows=matrix(trust.newest_agreement),
        trust=trust,
        now=_auditor().now,
        places=_document_leaves("agreement"),
    )


@console.get("/agreements/<int:version>")
def agreement(version: int) -> str:
    """One version in plain words, the exact rule behind each sentence."""
    versions = _auditor().trust().agreements
    if not 1 <= version <= len(versions):
        abort(404)
    chosen = versions[version - 1]
    return render_template(
        "agreement.html", agreement=chosen, sentences=sentences(chosen), document=_pretty(chosen.to_document())
    )


@console.get("/decisions")
def decisions() -> str:
    """Decisions by party, action, rule, answer and time."""
    wanted, given = wanted_decisions(request.args)
    view = present_decisions(_auditor().ledger, wanted, _page(), PAGE)
    return render_template("decisions.html", view=view, given=given, query=_query())


@console.get("/decisions/<int:position>")
def decision(position: int) -> str:
    """One decision: its record, the rules in words, the replayed answer."""
    view = present_decision(_auditor(), position)
    if view is None:
        abort(404)
    return render_template("decision.html", view=view)


@console.get("/evaluations")
def evaluations() -> str:
    """What holders evaluated beside what was submitted, outliers marked."""
    days = evaluated_days(_auditor().ledger)
    outliers = [one for one in days if one.is_outlier]
    shown = outliers if request.args.get("show") == "outliers" else days
    page = _page()
    return render_template(
        "evaluations.html",
        rule=RULE,
        days=shown[(page - 1) * PAGE : page * PAGE],
        total=len(days),
        outliers=len(outliers),
        show="outliers" if shown is outliers else "all",
        page=page,
        pages_of=_pages(len(shown)),
    )


@console.get("/records")
def records() -> str:
    """What became of records: sent, withdrawn, expired, overdue; what is set aside as too common."""
    auditor = _auditor()
    trust = auditor.trust()
    return render_template(
        "records.html",
        balances=balances(auditor.ledger, trust, auditor.now),
        answers=kept_answers(auditor.ledger, len(trust.agreement.holders)),
        kinds=trust.agreement.kinds,
    )


@console.get("/keys")
def keys() -> str:
    """Key epochs, rosters and key holders."""
    auditor = _auditor()
    return render_template(
        "keys.html",
        trust=auditor.trust(),
        epochs=_document_leaves("epoch"),
        rosters=_document_leaves("roster"),
    )


@console.get("/activity")
def activity() -> str:
    """What depends on a match: the hours' events, and the key holders' own records of openings."""
    auditor = _auditor()
    answers = kept_answers(auditor.ledger, len(auditor.trust().agreement.holders))
    page = _page()
    return render_template(
        "activity.html",
        events=answers.events[::-1][(page - 1) * PAGE : page * PAGE],
        openings=answers.openings[(page - 1) * PAGE : page * PAGE],
        answers=answers,
        hours=auditor.ledger.counts().get("activity", 0),
        page=page,
        pages_of=_pages(max(len(answers.events), len(answers.openings))),
    )


@console.get("/findings")
def findings() -> str:
    """What does not hold."""
    return render_template("findings.html", findings=_auditor().ledger.findings())


@console.get("/leaves")
def leaves() -> str:
    """Leaves of an event, a party and a day, the newest first."""
    event, party = request.args.get("type") or None, request.args.get("party") or None
    since = request.args.get("since", type=int)
    until = None if since is None else since + DAY
    page = _page()
    ledger = _auditor().ledger
    rows, total = ledger.page_of_leaves(event, party, since, until, (page - 1) * PAGE, PAGE)
    return render_template(
        "leaves.html",
        rows=rows,
        total=total,
        event=event,
        party=party,
        since=since,
        counts=ledger.counts(),
        page=page,
        pages_of=_pages(total),
        query=_query(),
    )


@console.get("/leaves/<int:position>")
def leaf(position: int) -> str:
    """One leaf as it was logged."""
    ledger = _auditor().ledger
    row = ledger.leaf(position)
    if row is None:
        abort(404)
    about = [one for one in ledger.findings() if one.position == position]
    return render_template("leaf.html", row=row, size=ledger.size, body=_readable(row.body), about=about)


def _document_leaves(event: str) -> list[dict[str, Any]]:
    """The leaves that name documents of a type: what they say, and where they stand."""
    rows = _auditor().ledger.leaves(event)
    return [{"position": row.position, "at": row.at, **json.loads(row.body)} for row in rows]


def _query() -> dict[str, str]:
    """The question of the page that is shown, for the links to its other pages."""
    return {name: value for name, value in request.args.items() if name != "page" and value}


def _readable(body: bytes) -> str:
    try:
        return _pretty(json.loads(body))
    except (ValueError, RecursionError):
        return repr(body)


def _pretty(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)
