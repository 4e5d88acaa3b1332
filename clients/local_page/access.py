"""Who may use a local page: a browser on this machine that was given this start's token, and no other page in it.

Four gates on every request: the name in the Host header is this machine's own (no rebound DNS name), the session
cookie is this start's, a changing request comes from the page itself and carries its form's token.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from hashlib import sha256

from flask import Blueprint, Flask, Response, abort, g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

FORM_FIELD = "form_token"
ENTRANCE = "enter"
PARTS = "parts"
"""The blueprint of what all local pages share: the style sheet, the mark, the parts of a page (parts.html)."""

# Everything comes from the page's own server; there is no script at all.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True)
class Access:
    """The secrets of one start: the token in the address that is printed, and the session that it buys.

    cookie  the session cookie's name: cookies know no port, and two pages may be open at once
    """

    hosts: frozenset[str]
    cookie: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @classmethod
    def on_port(cls, port: int, cookie: str) -> Access:
        """Access for a page that listens on this port of the loopback address."""
        return cls(frozenset({f"127.0.0.1:{port}", f"localhost:{port}"}), cookie)

    @property
    def form_token(self) -> str:
        """What every form carries back."""
        return hmac.new(self.session.encode(), b"form", sha256).hexdigest()


def guard(app: Flask, access: Access, first_page: str) -> None:
    """Put the gates before every view of `app`, the entrance beside them, and the headers on every answer.

    `first_page` is the endpoint to which the entrance leads. What is static is no secret.
    """

    def check() -> None:
        if request.host not in access.hosts:
            abort(421)
        if request.endpoint in (ENTRANCE, "static", f"{PARTS}.static"):
            return
        if not hmac.compare_digest(request.cookies.get(access.cookie, "").encode(), access.session.encode()):
            abort(401)
        if request.method not in ("GET", "HEAD"):
            _check_form(access)
        g.form_token = access.form_token

    def enter() -> BaseResponse:
        """Trade the start's token for the session cookie."""
        if not hmac.compare_digest(request.args.get("token", "").encode(), access.token.encode()):
            abort(401)
        response = redirect(url_for(first_page), 303)
        response.set_cookie(access.cookie, access.session, httponly=True, samesite="Strict", path="/")
        return response

    def protect(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers[name] = value
        return response

    app.register_blueprint(
        Blueprint(PARTS, __name__, static_folder="static", template_folder="templates", static_url_path="/parts")
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.before_request(check)
    app.after_request(protect)
    app.add_url_rule("/enter", ENTRANCE, enter, methods=["GET"])


def _check_form(access: Access) -> None:
    """Refuse a changing request that another page sent."""
    origin = request.headers.get("Origin")
    if origin is not None and origin not in {f"http://{host}" for host in access.hosts}:
        abort(403)
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403)
    if not hmac.compare_digest(request.form.get(FORM_FIELD, "").encode(), access.form_token.encode()):
        abort(403)
