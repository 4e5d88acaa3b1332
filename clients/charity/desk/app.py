"""The desk's app factory: pages over one office, behind the gates of clients.local_page.

It holds what the office holds, the charity's secrets among them, so it listens on the loopback address alone.
"""

from __future__ import annotations

import threading

from flask import Flask, render_template
from werkzeug.exceptions import HTTPException

from clients.charity.desk.queue_page import FILTERS
from clients.charity.desk.views import LOCK, OFFICE, desk
from clients.charity.office import Office
from clients.local_page.access import Access, guard
from runtime.exits import UserError

COOKIE = "crosslight_desk"
_LARGEST_FORM = 64 * 1024
_WORDS = {
    400: ("That did not arrive whole", "Go back and try once more."),
    401: ("This page is locked", "Use the address that `crosslight charity desk` printed; it is new at each start."),
    403: ("That form was not the desk's own", "Go back to the desk and send it from there."),
    404: ("There is no such page", "It may be an alert that the broker has taken back."),
    405: ("That cannot be done here", "Go back to the queue."),
    413: ("That note is too long", "Keep it to a few pages."),
    421: ("This is not the desk's address", "Use the address that `crosslight charity desk` printed."),
}


def create_app(office: Office, access: Access) -> Flask:
    """The desk over `office`, for browsers that `access` lets in."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_FORM
    app.extensions[OFFICE] = office
    app.extensions[LOCK] = threading.Lock()
    guard(app, access, "desk.queue")
    app.register_blueprint(desk)
    app.register_error_handler(HTTPException, _show_http_error)
    app.register_error_handler(UserError, _show_user_error)
    app.jinja_env.globals.update(recipient_id=office.recipient_id, filters=FILTERS)
    return app


def _show_http_error(error: HTTPException) -> tuple[str, int]:
    status = error.code or 500
    title, advice = _WORDS.get(status, ("Something went wrong in the desk", "Look at the terminal that it runs in."))
    return render_template("message.html", title=title, advice=advice), status


def _show_user_error(error: UserError) -> tuple[str, int]:
    """A service, a document or a key that failed: its one sentence."""
    return render_template("message.html", title="That could not be done", advice=error.message), 502
