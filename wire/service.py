"""A service of one party: every request's signature checked before its body is read, every answer signed.

Order, for each request: known route, declared access, signature over the headers, body against its digest, role,
form, the party's ruling, nonce; then the view. Whatever fails is a problem document, signed too. Knows no resource
and no party's rules.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, current_app, g, jsonify, request
from http_message_signatures.exceptions import HTTPMessageSignaturesException
from sqlalchemy import Connection, Engine, Table
from werkzeug.exceptions import HTTPException

from crypto.errors import (
    InvalidElement,
    InvalidEncoding,
    InvalidPath,
    InvalidRecord,
    InvalidSignature,
    InvalidStatement,
)
from crypto.signatures import SigningKey, key_id
from runtime.clock import Clock
from runtime.database import run_in_transaction
from runtime.logs import logger
from runtime.service import LOOPBACK, SHELL_ROUTES, ReadinessCheck, create_base_app, request_id
from wire.access import PUBLIC, Caller, access_of, public, route_access
from wire.base_url import normalise_base_url, target_uri
from wire.http_signatures import (
    CONTENT_TYPE,
    RequestParts,
    SignatureRefused,
    is_target_uri,
    sign_response,
    verify_request,
)
from wire.nonces import spend_nonce
from wire.problems import CONTENT_TYPE as PROBLEM_CONTENT_TYPE
from wire.problems import Problem
from wire.resources import Resource, create_api, document_shell, is_ruled_on
from wire.rulings import Authorise, current_ruling

BODY_LIMIT = 8 * 2**20
OPENAPI_ROUTE = "/openapi.json"
Resolver = Callable[[str, str], Caller | None]
OnEffect = Callable[[Connection], None]

_SHELL_ACTIONS = {"healthz": "check-health", "readyz": "check-health", "metrics": "read-metrics"}

_PATH = "/:@!$&'()*+,;=~"
_EXTENSION = "crosslight-wire"
# What a sender's bytes can cause in crypto/; everything else from there is the service's own fault.
_CONTENT_ERRORS = (
    InvalidElement,
    InvalidEncoding,
    InvalidPath,
    InvalidRecord,
    InvalidSignature,
    InvalidStatement,
)


@dataclass(frozen=True)
class _Wire:
    """What the hooks of one service need."""

    signing_key: SigningKey
    party_id: str
    resolve: Resolver
    base_url: str
    clock: Clock
    engine: Engine
    nonces: Table
    authorise: Authorise | None
    on_effect: OnEffect | None


def create_service(
    name: str,
    *,
    signing_key: SigningKey,
    party_id: str,
    resolve: Resolver,
    base_url: str,
    clock: Clock,
    engine: Engine,
    nonce_table: Table,
    resources: Sequence[Resource],
    checks: Mapping[str, ReadinessCheck] | None = None,
    body_limit: int = BODY_LIMIT,
    metrics_from: Sequence[str] = LOOPBACK,
    authorise: Authorise | None = None,
    on_effect: OnEffect | None = None,
) -> Flask:
    """Return the application that serves `resources` for the party `party_id`.

    `resolve(party_id, key_id_hex)` finds the caller whose pinned key a signature names, or None. `base_url` is the
    scheme and host that callers sign; the Host header plays no part. `body_limit` is in bytes. `authorise` rules on
    every signed request before its view (wire.rulings). `on_effect(connection)` runs wherever a request's nonce is
    spent, in that transaction: of the effect, of a read, or, where the request is refused, of the refusal.
    Raises UndeclaredAccess if a view is neither @signed nor @public: then nothing is served.
    """
    app = create_base_app(name, checks=checks, metrics_from=metrics_from)
    base = normalise_base_url(base_url)
    wire = _Wire(signing_key, party_id, resolve, base, clock, engine, nonce_table, authorise, on_effect)
    app.extensions[_EXTENSION] = wire
    app.config["MAX_CONTENT_LENGTH"] = body_limit
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.before_request(_admit)
    app.after_request(_complete)
    app.register_error_handler(Problem, _answer_problem)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(Exception, _answer_exception)
    api = create_api(app, f"Crosslight {name}", wire.base_url)
    for resource in resources:
        api.register_blueprint(resource)
    _serve_openapi(app, api)
    for endpoint, action in _SHELL_ACTIONS.items():
        public(action=action)(app.view_functions[endpoint])
    _check_routes(app)
    return app


def _serve_openapi(app: Flask, api: Any) -> None:
    @app.get(OPENAPI_ROUTE)
    @public(action="read-interface")
    def openapi() -> Response:
        """Describe this service's resources (OpenAPI 3.1)."""
        return jsonify(api.spec.to_dict())

    document_shell(app, api, OPENAPI_ROUTE)


def _check_routes(app: Flask) -> None:
    for method, rule, roles, _ in route_access(app):
        if rule.endswith("/"):
            # Flask would redirect to it, an answer that no client expects.
            raise ValueError(f"the route {rule} ends in a slash")
        if roles != PUBLIC and not is_ruled_on(app, rule, method):
            raise ValueError(f"{method} {rule} is signed, but has no @resource.response under which it is ruled on")


def _wire() -> _Wire:
    found: _Wire = current_app.extensions[_EXTENSION]
    return found


def spend_request_nonce(connection: Connection) -> None:
    """Spend the nonce of the request being answered, in the transaction of its effect.

    Raises Problem 409 `replay`, on which the transaction must be rolled back, if the request was received before.
    """
    wire = _wire()
    caller: Caller = g.caller
    if wire.authorise is not None and current_ruling() is None:
        raise LookupError("a request may have no effect before it was ruled on")
    spend_nonce(connection, wire.nonces, key_id(caller.public_key), g.request_nonce, wire.clock.now())
    if wire.on_effect is not None:
        wire.on_effect(connection)
    g.nonce_spent = True


def calling_party() -> Caller:
    """Return the party that signed the request being answered."""
    caller: Caller = g.caller
    return caller


def _raw_target() -> str:
    """Return path and query as they stood in the request line, before the server decoded anything."""
    raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    if raw:
        return str(raw)
    # A server that keeps no raw form: encode again what it decoded, which is the same for every path of ours.
    path = quote(request.environ.get("SCRIPT_NAME", "") + request.environ["PATH_INFO"], _PATH, encoding="latin-1")
    query = request.query_string.decode("latin-1")
    return f"{path}?{query}" if query else path


def _request_parts() -> RequestParts:
    return RequestParts(request.method, target_uri(_wire().base_url, _raw_target()), tuple(request.headers.items()))


def _admit() -> None:
    """Let the request through to its view, or raise the problem that keeps it out."""
    rule = request.url_rule
    if rule is None or rule.rule in SHELL_ROUTES:
        return  # Flask answers 404 and 405 itself, after this.
    access = access_of(current_app, rule, request.method)
    if access is None or request.method == "HEAD":
        raise Problem(405, "method-not-allowed", "method not allowed", "This resource has no such method.")
    parts = _request_parts()
    if not _raw_target().startswith("/") or not is_target_uri(parts.target_uri):
        raise Problem(400, "invalid-target", "request target refused", "The request target must be an encoded path.")
    if access.roles is None:
        return
    caller, nonce = _verify(parts)
    if caller.role not in access.roles:
        raise Problem(403, "role", "not for this role", f"This resource is not for the role {caller.role}.")
    g.caller, g.request_nonce, g.nonce_spent = caller, nonce, False
    g.access, g.before_view = access, _rule


def _rule(arguments: Mapping[str, Any]) -> None:
    """Have the request ruled on; raise the refusal, or spend the nonce of one that only reads. The view comes next."""
    wire = _wire()
    if wire.authorise is not None:
        g.ruling = wire.authorise(g.caller, g.access.action, arguments)
        if g.ruling.refusal is not None:
            run_in_transaction(wire.engine, spend_request_nonce)
            raise g.ruling.refusal
    if g.access.reads(request.method):
        run_in_transaction(wire.engine, spend_request_nonce)


def _verify(parts: RequestParts) -> tuple[Caller, bytes]:
    """Check the signature, then read the body against its digest; return who signed, and the nonce."""
    if (request.content_length or 0) > current_app.config["MAX_CONTENT_LENGTH"]:
        raise _too_large()
    if "Signature" in request.headers and request.headers.get("Content-Type") != CONTENT_TYPE:
        raise Problem(415, "media-type", "media type refused", f"The content-type must be {CONTENT_TYPE}.")
    if "Content-Encoding" in request.headers:
        raise Problem(415, "media-type", "media type refused", "Send the content without a content-encoding.")
    found: list[Caller] = []

    def find_key(party_id: str, key_id_hex: str) -> bytes | None:
        caller = _wire().resolve(party_id, key_id_hex)
        if caller is None or caller.party_id != party_id:
            return None
        found.append(caller)
        return caller.public_key

    try:
        parameters = verify_request(parts, request.get_data, _wire().clock.now(), find_key)
    except SignatureRefused as refused:
        raise Problem(401, refused.code, "signature refused", refused.detail).with_headers(
            WWW_Authenticate='Signature realm="crosslight"'
        ) from None
    return found[0], parameters.nonce


def _complete(response: Response) -> Response:
    """Refuse to send a success whose nonce was never spent, and sign what is sent."""
    rule = request.url_rule
    if rule is not None and rule.rule in SHELL_ROUTES:
        return response
    if "caller" in g and response.status_code < 300 and not g.nonce_spent:
        logger().error("a view answered without spending the request's nonce", route=rule.rule if rule else None)
        response = _answer_problem(_internal_fault())
    response.direct_passthrough = False
    if response.status_code == 204:
        # The server sends no content with it whatever is in it, so nothing may be signed.
        response.set_data(b"")
    wire = _wire()
    body = response.get_data()
    try:
        headers = sign_response(
            wire.signing_key, wire.party_id, response.status_code, body, _request_parts(), wire.clock.now()
        )
    except HTTPMessageSignaturesException:
        # Only a request that cannot be described (its target is no URI) is answered unsigned.
        return response
    for header, value in headers:
        response.headers[header] = value
    return response


def _answer_problem(problem: Problem) -> Response:
    g.problem = problem.type_suffix
    response = Response(problem.encode(request_id()), problem.status, content_type=PROBLEM_CONTENT_TYPE)
    response.headers.update(problem.headers)
    return response


def _answer_http_exception(error: HTTPException) -> Response:
    """Turn Flask's own errors (404, 405, 413 ...) into problem documents."""
    if error.code == 413:
        return _answer_problem(_too_large())
    status = error.code or 500
    suffix = error.name.lower().replace(" ", "-")
    # The descriptions are werkzeug's fixed texts but for a few that quote the request: those are not passed on.
    details = {404: "There is no such resource.", 405: "This resource has no such method."}
    problem = Problem(status, suffix, error.name.lower(), details.get(status, f"{error.name}."))
    allowed = getattr(error, "valid_methods", None)
    if status == 405 and allowed:
        problem.with_headers(Allow=", ".join(sorted(set(allowed) - {"HEAD", "OPTIONS"})))
    return _answer_problem(problem)


def _answer_exception(error: Exception) -> Response:
    """Turn anything else into a problem that says nothing of its cause; the log has the place, not the text."""
    if isinstance(error, _CONTENT_ERRORS):
        sentence = str(error)
        return _answer_problem(
            Problem(422, "invalid-content", "content refused", f"{sentence[:1].upper()}{sentence[1:]}.")
        )
    logger().error("internal fault", exc_info=error)
    return _answer_problem(_internal_fault())


def _internal_fault() -> Problem:
    return Problem(500, "internal", "internal fault", "The service failed; its log has this request's id.")


def _too_large() -> Problem:
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    return Problem(413, "too-large", "content too large", f"The content may be at most {limit} bytes long.")
