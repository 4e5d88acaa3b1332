"""The console's app factory: pages over one auditor and its copy of the log, behind the gates of clients.local_page.

It shows what was verified; it changes nothing but the copy, and that only by verifying.
"""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Flask, render_template
from werkzeug.exceptions import HTTPException

from clients.auditor.auditor import Auditor
from clients.auditor.console.task import Task
from clients.auditor.console.views import AUDITOR, PAGES, TASK, console
from clients.auditor.words import day_and_time
from clients.local_page.access import Access, guard
from runtime.exits import UserError

COOKIE = "crosslight_console"
_LARGEST_FORM = 16 * 1024
_START = "Use the address that `crosslight auditor console` printed"
_WORDS = {
    400: ("That did not arrive whole", "Go back and try once more."),
    401: ("This page is locked", f"{_START}; it is new at each start."),
    403: ("That form was not the console's own", "Go back to the console and send it from there."),
    404: ("There is no such page", "The copy of the log may not reach that far yet."),
    405: ("That cannot be done here", "Go back to the overview."),
    421: ("This is not the console's address", f"{_START}."),
}


def create_app(auditor: Auditor, access: Access) -> Flask:
    """The console over `auditor`, for browsers that `access` lets in."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_FORM
    app.extensions[AUDITOR] = auditor
    app.extensions[TASK] = Task()
    guard(app, access, "console.overview")
    app.register_blueprint(console)
    app.register_error_handler(HTTPException, _show_http_error)
    app.register_error_handler(UserError, _show_user_error)
    app.jinja_env.filters.update(time=day_and_time, number=lambda number: f"{number:,}", day_start=_day_start)
    app.jinja_env.globals.update(auditor_id=auditor.auditor_id, pages=PAGES)
    return app


def _show_http_error(error: HTTPException) -> tuple[str, int]:
    status = error.code or 500
    title, advice = _WORDS.get(status, ("Something went wrong in the console", "Look at the terminal that it runs in."))
    return render_template("message.html", title=title, advice=advice), status


def _show_user_error(error: UserError) -> tuple[str, int]:
    """A service, a document or a key that failed: its one sentence."""
    return render_template("message.html", title="That could not be done", advice=error.message), 502


def _day_start(day: str) -> int | None:
    """The first second of a day (YYYY-MM-DD, UTC); None for what is no day."""
    try:
        return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None
