"""The desk's pages. A view reads the request, calls one function of the office, and renders."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from clients.charity.case_file import CaseFile
from clients.charity.desk.case_page import present_case
from clients.charity.desk.queue_page import FILTERS, erased_sentence, present_queue
from clients.charity.office import Office
from clients.charity.store import VERDICTS
from runtime.exits import ExitCode, UserError
from wire.problems import RemoteProblem

OFFICE = "crosslight.office"
LOCK = "crosslight.opening"

desk = Blueprint("desk", __name__)


def _office() -> Office:
    office: Office = current_app.extensions[OFFICE]
    return office


@desk.get("/")
def queue() -> str:
    """The queue of alerts."""
    office = _office()
    chosen = request.args.get("show", FILTERS[0].name)
    page = request.args.get("page", 1, type=int)
    problem = request.args.get("problem", "")
    items = office.queue()
    if not items and not problem:
        try:
            items = office.refresh_queue()
        except UserError as error:
            problem = error.message
    view = present_queue(items, chosen, page, office.now)
    return render_template("queue.html", view=view, problem=problem, erased=erased_sentence(office.erased))


@desk.post("/refresh")
def refresh() -> BaseResponse:
    """Ask the broker for its alerts."""
    try:
        _office().refresh_queue()
    except UserError as error:
        return redirect(url_for("desk.queue", problem=error.message), 303)
    return redirect(url_for("desk.queue"), 303)


@desk.get("/alerts/<alert_id>")
def alert(alert_id: str) -> str:
    """One alert: what matches, its records side by side, what stays shut, verdict and note."""
    office = _office()
    case, problem = _case(office, alert_id)
    page = request.args.get("page", 1, type=int)
    view = present_case(case, office.store.reviews(alert_id), page, office.now, office.purposes())
    mark = office.store.marks().get(alert_id, "")
    return render_template("alert.html", view=view, problem=problem, mark=mark)


@desk.post("/alerts/<alert_id>/open")
def open_alert(alert_id: str) -> BaseResponse:
    """Show the key holders the evidence and keep what they open."""
    _known(alert_id)
    with current_app.extensions[LOCK]:
        _office().open_alerts([alert_id], purpose=request.form.get("purpose") or None)
    return redirect(url_for("desk.alert", alert_id=alert_id, _anchor="records"), 303)


@desk.post("/alerts/<alert_id>/review")
def review_alert(alert_id: str) -> BaseResponse:
    """Write down a verdict and a note."""
    _known(alert_id)
    verdict = request.form.get("verdict", "")
    if verdict not in VERDICTS:
        abort(400)
    _office().review(alert_id, verdict, request.form.get("note", ""))
    return redirect(url_for("desk.alert", alert_id=alert_id, _anchor="verdict"), 303)


@desk.get("/alerts/<alert_id>/case.json")
def download_case(alert_id: str) -> Response:
    """The case file in the clear, for a referral."""
    office = _office()
    store = office.store
    case = store.case(alert_id)
    if case is None:
        abort(404)
    office.export([case], case.opening.purpose or None)
    document: dict[str, Any] = {**case.to_json(), "reviews": [asdict(each) for each in store.reviews(alert_id)]}
    content = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    disposition = f'attachment; filename="case-{alert_id}.json"'
    return Response(content, mimetype="application/json", headers={"Content-Disposition": disposition})


def _case(office: Office, alert_id: str) -> tuple[CaseFile, str]:
    """The alert as it is now; as it was last kept, with a sentence why, where the broker cannot say."""
    entry = _known(alert_id)
    kept = office.store.case(alert_id)
    if kept is not None and kept.changed_at >= entry.changed_at:
        return kept, ""
    try:
        return office.examine(alert_id), ""
    except UserError as error:
        if kept is not None:
            return kept, error.message
        if isinstance(error, RemoteProblem) and error.exit_code == ExitCode.SERVICE_REFUSED and error.status == 404:
            abort(404)
        raise


def _known(alert_id: str) -> Any:
    entry = _office().store.queue().get(alert_id)
    if entry is None:
        abort(404)
    return entry
