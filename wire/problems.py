"""Problem documents (RFC 9457): how a service says no, and how a client reads it.

A detail says what was wrong, with what, and what to do; it never repeats a value from the request.
"""

import json
from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, fields

from runtime.exits import ExitCode, UserError

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:crosslight:problem:"
_MEMBERS = frozenset({"type", "title", "status", "detail", "instance"})
_EXIT_CODES = {"budget-spent": ExitCode.BUDGET_SPENT}


class Problem(Exception):
    """Raised anywhere in a service to answer with a problem document."""

    def __init__(self, status: int, type_suffix: str, title: str, detail: str, **extra: Any) -> None:
        super().__init__(f"{status} {type_suffix}: {title}")
        self.status = status
        self.type_suffix = type_suffix
        self.title = title
        self.detail = detail
        self.extra = extra
        self.headers: dict[str, str] = {}

    def with_headers(self, **headers: str) -> "Problem":
        """Add response headers (underscores stand for hyphens) and return the problem."""
        self.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self

    def document(self, instance: str | None = None) -> dict[str, Any]:
        """Return the JSON object; `instance` is the request's id."""
        document: dict[str, Any] = {
            "type": TYPE_PREFIX + self.type_suffix,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if instance is not None:
            document["instance"] = f"urn:crosslight:request:{instance}"
        return document | {name: value for name, value in self.extra.items() if name not in _MEMBERS}

    def encode(self, instance: str | None = None) -> bytes:
        """Return the document's bytes."""
        return json.dumps(self.document(instance), separators=(",", ":"), ensure_ascii=False).encode()


class InvalidField(Schema):
    """One field that was refused, for the OpenAPI document."""

    pointer = fields.String(required=True, metadata={"description": "JSON pointer (RFC 6901) to the field"})
    detail = fields.String(required=True)


class ProblemDocument(Schema):
    """A problem document's members, for the OpenAPI document and for reading one."""

    class Meta:
        """Members that an extension adds are kept out here and read from the raw document."""

        unknown = EXCLUDE

    type = fields.String(required=True, metadata={"description": "urn:crosslight:problem:NAME"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String(metadata={"description": "the request's id, as in the service's log"})
    errors = fields.List(fields.Nested(InvalidField))


class RemoteProblem(UserError):
    """A service answered with a problem document, and its signature on it was right."""

    def __init__(self, status: int, type: str, title: str, detail: str, extra: Mapping[str, Any] | None = None) -> None:
        self.type_suffix = type.removeprefix(TYPE_PREFIX)
        exit_code = _EXIT_CODES.get(self.type_suffix, ExitCode.SERVICE_REFUSED)
        super().__init__(f"The service refused ({status} {title}): {detail}", exit_code)
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail
        self.extra = dict(extra or {})


def parse_problem(status: int, document: object) -> RemoteProblem:
    """Return the RemoteProblem that `document` stands for; one without proper members gives a plain one."""
    if not isinstance(document, dict):
        return RemoteProblem(status, "about:blank", "no problem document", "The service gave no reason.")
    texts = {name: document.get(name) for name in ("type", "title", "detail")}
    extra = {name: value for name, value in document.items() if name not in _MEMBERS}
    return RemoteProblem(
        status,
        _printable(texts["type"], "about:blank"),
        _printable(texts["title"], "refused"),
        _printable(texts["detail"], "The service gave no reason."),
        extra,
    )


def _printable(value: object, otherwise: str) -> str:
    """Return another party's text fit for a terminal: no control characters, at most 1000 characters."""
    if not isinstance(value, str) or not value:
        return otherwise
    return "".join(character if character.isprintable() else " " for character in value[:1000])
