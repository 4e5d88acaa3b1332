"""The shell of every service: health, readiness, metrics, request ids and the access log.

Knows no signature and no message (wire.service adds them) and no party.
"""

import ipaddress
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, request

from runtime.logs import logger
from runtime.metrics import count_request, render_metrics

ReadinessCheck = Callable[[], str | None]
LOOPBACK = ("127.0.0.0/8", "::1/128")
SHELL_ROUTES = ("/healthz", "/readyz", "/metrics")

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_FORWARDED = ("Forwarded", "X-Forwarded-For")


def create_base_app(
    name: str, *, checks: Mapping[str, ReadinessCheck] | None = None, metrics_from: Sequence[str] = LOOPBACK
) -> Flask:
    """Return a Flask application with `/healthz`, `/readyz` and `/metrics` and no other route.

    `checks`: by name, functions that return None when ready and a sentence (without secrets) when not. `metrics_from`:
    the networks that may read `/metrics`, by the connection's address; a request that a proxy forwarded may not.
    """
    app = Flask(name, static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False
    _record_requests(app, name)
    _add_health(app, dict(checks or {}))
    _add_metrics(app, [ipaddress.ip_network(network) for network in metrics_from])
    return app


def request_id() -> str:
    """Return the id of the request being answered."""
    found: str = g.request_id
    return found


def _record_requests(app: Flask, name: str) -> None:
    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
        g.request_started = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.request_started
        route = request.url_rule.rule if request.url_rule is not None else "(none)"
        method = request.method if request.method in _METHODS else "(other)"
        response.headers["X-Request-Id"] = g.request_id
        # Nothing is kept by caches but what says of itself that it may be, such as a log's tiles.
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        count_request(name, method, route, response.status_code, seconds)
        if route not in SHELL_ROUTES:
            caller = g.get("caller")
            logger().info(
                "request",
                method=method,
                route=route,
                status=response.status_code,
                seconds=round(seconds, 4),
                party_id=getattr(caller, "party_id", None),
                problem=g.get("problem"),
            )
        return response


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _add_health(app: Flask, checks: dict[str, ReadinessCheck]) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        """The process answers."""
        return jsonify(status="alive")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        """Every readiness check holds, or which do not."""
        found: dict[str, Any] = {}
        for check, holds in checks.items():
            try:
                found[check] = holds() or "ready"
            except Exception as error:  # noqa: BLE001  (a check that fails in any way means: not ready)
                logger().warning("readiness check failed", reason=check, exc_info=error)
                found[check] = "the check itself failed, see the log"
        ready = all(state == "ready" for state in found.values())
        return jsonify(status="ready" if ready else "not ready", checks=found), 200 if ready else 503


def _add_metrics(app: Flask, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> None:
    @app.get("/metrics")
    def metrics() -> Response:
        """Prometheus metrics, for the operator's own network."""
        if not _is_from(request.remote_addr, networks) or any(name in request.headers for name in _FORWARDED):
            return Response("metrics are for the operator's own network\n", 403, mimetype="text/plain")
        body, content_type = render_metrics()
        return Response(body, content_type=content_type)


def _is_from(address: str | None, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    return any(parsed in network for network in networks)
