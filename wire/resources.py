"""Resources as a service declares them, and the OpenAPI document that comes of it: the one wrapper of flask-smorest.

Knows forms; access is in wire.access, signatures are in wire.http_signatures.
"""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, NoReturn, TypeVar

import flask_smorest
from apispec import APISpec
from flask import Flask, Request, g
from flask_smorest.utils import prepare_response
from marshmallow import RAISE, Schema, ValidationError
from webargs import core
from webargs.flaskparser import FlaskParser
from werkzeug.routing import BaseConverter
from werkzeug.routing import ValidationError as NoMatch

from wire.fields import IDENTIFIER_PATTERN, Packed
from wire.messages.message import pointers, schema_of
from wire.problems import CONTENT_TYPE, Problem, ProblemDocument
from wire.strict_json import InvalidJson, parse_json

View = TypeVar("View", bound=Callable[..., Any])
_DEFAULT_ERROR = "DEFAULT_ERROR"
_SECURITY_SCHEME = "httpMessageSignature"
_RULED_ON = "_crosslight_ruled_on"


def invalid_message(errors: dict[str, str]) -> Problem:
    """Return the problem that answers a message with refused fields; values are never repeated."""
    listed = [{"pointer": pointer, "detail": detail} for pointer, detail in errors.items()]
    return Problem(
        422, "invalid-message", "message refused", "Fields of the message are not as required.", errors=listed
    )


class _StrictParser(FlaskParser):
    """Reads bodies with wire.strict_json, refuses unknown query parameters, and fails with problem documents."""

    DEFAULT_UNKNOWN_BY_LOCATION = FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION | {"query": RAISE, "querystring": RAISE}

    def _raw_load_json(self, req: Request) -> Any:
        try:
            return parse_json(req.get_data(cache=True))
        except InvalidJson as error:
            raise Problem(400, "invalid-json", "not acceptable JSON", f"The body is refused: {error}.") from None

    def handle_error(self, error: ValidationError, *args: Any, **kwargs: Any) -> NoReturn:
        """Answer 422 with a pointer to each refused field."""
        messages = error.messages
        # webargs puts the location around the fields.
        if isinstance(messages, dict) and len(messages) == 1:
            messages = next(iter(messages.values()))
        raise invalid_message(pointers(messages)) from None

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the parsed body; an empty one is refused as JSON is."""
        loaded = self._raw_load_json(req)
        return core.missing if loaded is None else loaded


class Resource(flask_smorest.Blueprint):  # type: ignore[misc]
    """A Flask blueprint whose views declare the messages that they take and answer.

    Write the decorators in this order: `@resource.route`, `@signed(...)` or `@public`, `@resource.arguments(Message)`,
    `@resource.response(200, Message)`. A message is a dataclass of wire.messages, or a marshmallow schema.
    """

    ARGUMENTS_PARSER = _StrictParser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(_document_access)

    def route(self, rule: str, **kwargs: Any) -> Callable[[View], View]:
        """Serve a view under a path."""
        decorator: Callable[[View], View] = super().route(rule, **kwargs)
        return decorator

    def arguments(self, message: Any, **kwargs: Any) -> Callable[[View], View]:
        """Take the message from the body (or `location="query"`) and pass it to the view."""
        decorator: Callable[[View], View] = super().arguments(_schema(message), **kwargs)
        return decorator

    def response(self, status: int, message: Any = None, **kwargs: Any) -> Callable[[View], View]:
        """Answer with the message that the view returns. What is called with its arguments was ruled on before."""
        decorator: Callable[[View], View] = super().response(status, _schema(message), **kwargs)
        return lambda view: decorator(_after_ruling(view))


def _after_ruling(view: View) -> View:
    """The view, called only after `g.before_view` (wire.service) let its arguments pass."""

    @wraps(view)
    def ruled(*args: Any, **kwargs: Any) -> Any:
        before: Callable[[dict[str, Any]], None] | None = g.get("before_view")
        if before is not None:
            # flask-smorest passes the one message that a view takes by position.
            before({**kwargs, **({"message": args[0]} if args else {})})
        return view(*args, **kwargs)

    setattr(ruled, _RULED_ON, True)
    return ruled  # type: ignore[return-value]


def is_ruled_on(app: Flask, rule: str, method: str) -> bool:
    """Whether the view behind a route is called only after a ruling."""
    found = next(each for each in app.url_map.iter_rules() if each.rule == rule and method in (each.methods or set()))
    view: Any = app.view_functions[found.endpoint]
    view_class = getattr(view, "view_class", None)
    if view_class is not None:
        view = getattr(view_class, method.lower())
    return bool(getattr(view, _RULED_ON, False))


def _schema(message: Any) -> Any:
    # A dict describes what is no JSON, such as a tile: such a view answers with a response of its own.
    if message is None or isinstance(message, (Schema, dict)):
        return message
    if isinstance(message, type) and issubclass(message, Schema):
        return message
    return schema_of(message)


def _document_access(doc: dict[str, Any], doc_info: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    if doc_info.get("signed"):
        doc["security"] = [{_SECURITY_SCHEME: []}]
    return doc


class _Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest's, with problem documents as its errors and without its own error handler."""

    def _register_error_handlers(self) -> None:
        """Leave errors to wire.service."""

    def _register_responses(self) -> None:
        spec: APISpec = self.spec
        names = [(status.name, status.phrase) for status in HTTPStatus]
        for name, phrase in [*names, (_DEFAULT_ERROR, "A problem document (RFC 9457)")]:
            response: dict[str, Any] = {"description": phrase, "schema": ProblemDocument}
            prepare_response(response, spec, CONTENT_TYPE)
            spec.components.response(name, response, lazy=True)


def create_api(app: Flask, title: str, base_url: str) -> Any:
    """Attach an empty OpenAPI document to the application and return flask-smorest's object for it."""
    app.config.update(API_TITLE=title, API_VERSION="v1", OPENAPI_VERSION="3.1.0")
    app.url_map.converters.update(hex=HexConverter, identifier=IdentifierConverter, tile=TileConverter)
    api = _Api(app, spec_kwargs={"servers": [{"url": base_url}]})
    api.register_field(Packed, "string", None)
    api.register_converter(HexConverter, _hex_schema)
    api.register_converter(IdentifierConverter, _identifier_schema)
    api.register_converter(TileConverter, _tile_schema)
    api.spec.components.security_scheme(
        _SECURITY_SCHEME,
        {
            "type": "apiKey",
            "in": "header",
            "name": "Signature",
            "description": "HTTP message signature (RFC 9421), label sig1, Ed25519; see docs/protocol.md section 8.",
        },
    )
    return api


def document_shell(app: Flask, api: Any, openapi_route: str) -> None:
    """Add the routes that every service has beside its resources to the OpenAPI document."""
    object_answer = {"application/json": {"schema": {"type": "object"}}}
    metrics_answer = {"text/plain": {"schema": {"type": "string"}}}
    error = {"default": _DEFAULT_ERROR}
    for path, summary, answers in (
        ("/healthz", "The process answers.", {"200": {"description": "alive", "content": object_answer}}),
        (
            "/readyz",
            "Whether the service is ready, and if not, which check does not hold.",
            {
                "200": {"description": "ready", "content": object_answer},
                "503": {"description": "not ready", "content": object_answer},
            },
        ),
        (
            "/metrics",
            "Prometheus metrics, for the operator's own network.",
            {
                "200": {"description": "metrics", "content": metrics_answer},
                "403": {"description": "asked from elsewhere", "content": metrics_answer},
            },
        ),
        (openapi_route, "This document.", {"200": {"description": "OpenAPI 3.1", "content": object_answer}}),
    ):
        operation = {"summary": summary, "tags": ["service"], "responses": answers | error}
        rule = next(rule for rule in app.url_map.iter_rules() if rule.rule == path)
        api.spec.path(rule=rule, operations={"get": operation})


class HexConverter(BaseConverter):
    """`<hex(16):key>`: a byte string of 16 bytes as 32 lower-case hexadecimal digits; the view gets the bytes."""

    def __init__(self, url_map: Any, length: int = 16) -> None:
        super().__init__(url_map)
        self.length = length
        self.regex = f"[0-9a-f]{{{2 * length}}}"

    def to_python(self, value: str) -> bytes:
        """Return the bytes."""
        return bytes.fromhex(value)

    def to_url(self, value: bytes) -> str:
        """Return the digits."""
        return value.hex()


class IdentifierConverter(BaseConverter):
    """`<identifier:party>`: [a-z0-9.-]{1,64}."""

    regex = "[a-z0-9.-]{1,64}"

    def to_python(self, value: str) -> str:
        """Return the text, but for the two that a proxy may take for folders."""
        if value in (".", ".."):
            raise NoMatch
        return value


class TileConverter(BaseConverter):
    """`<tile:place>`: the last part of a tile's path, such as x001/x234/067.p/12 (C2SP tlog-tiles)."""

    regex = r"(?:x[0-9]{3}/){0,4}[0-9]{3}(?:\.p/[1-9][0-9]{0,2})?"


def _tile_schema(converter: TileConverter) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{converter.regex}$"}


def _hex_schema(converter: HexConverter) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{converter.regex}$"}


def _identifier_schema(converter: IdentifierConverter) -> dict[str, Any]:
    return {"type": "string", "pattern": IDENTIFIER_PATTERN}
