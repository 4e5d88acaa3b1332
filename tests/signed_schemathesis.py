"""Schemathesis against a service that answers signed requests only.

`SignedCalls` stands between the tool and the application and signs whatever the tool makes up, as one party. Use:

    for operation in operations(app, base_url, "bank-a", key, clock):
        check_operation(operation, examples=20)
"""

import io
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from crypto.signatures import SigningKey
from runtime.clock import Clock
from wire.http_signatures import RequestParts, sign_request, verify_response

# `ignored_auth` is left out, since every request here is signed; unsigned ones are refused in the services' own tests.
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    allow_header_conformance,
]


class SignedCalls:
    """A WSGI application that signs each request as a party, passes it on, and checks the answer's signature."""

    def __init__(self, app: Flask, base_url: str, party_id: str, key: SigningKey, clock: Clock) -> None:
        self._app = app
        self._base_url = base_url
        self._party_id = party_id
        self._key = key
        self._clock = clock
        found = app.extensions["crosslight-wire"]
        self._server = (found.party_id, found.signing_key.public_key)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Sign and pass on."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        target = self._base_url + str(environ["RAW_URI"])
        headers = sign_request(self._key, self._party_id, environ["REQUEST_METHOD"], target, body, self._clock.now())
        sent_type = environ.get("CONTENT_TYPE")
        for name, value in headers:
            environ["CONTENT_TYPE" if name == "Content-Type" else f"HTTP_{name.upper().replace('-', '_')}"] = value
        if body and sent_type:
            environ["CONTENT_TYPE"] = sent_type
        environ["wsgi.input"] = io.BytesIO(body)
        answered: list[tuple[str, list[tuple[str, str]]]] = []

        def keep(status: str, lines: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            answered.append((status, lines))
            return start_response(status, lines)

        content = b"".join(self._app(environ, keep))
        status, lines = answered[0]
        if any(name.lower() == "signature" for name, _ in lines) and environ["REQUEST_METHOD"] != "HEAD":
            request = RequestParts(environ["REQUEST_METHOD"], target, tuple(headers))
            verify_response(int(status[:3]), lines, content, request, *self._server)
        return [content]


def operations(app: Flask, base_url: str, party_id: str, key: SigningKey, clock: Clock) -> list[Any]:
    """Return every operation of the service's OpenAPI document, to be called as this party."""
    document = app.test_client().get("/openapi.json").get_json()
    # The tool would make up Signature headers, wrong ones too, and see them accepted since they are replaced.
    document["components"].pop("securitySchemes")
    for methods in document["paths"].values():
        for operation in methods.values():
            if isinstance(operation, dict):
                operation.pop("security", None)
    schema = schemathesis.openapi.from_dict(document)
    schema.app = SignedCalls(app, base_url, party_id, key, clock)
    schema.location = "/openapi.json"
    return [found.ok() for found in schema.get_all_operations()]


def check_operation(operation: Any, *, examples: int = 20, left_out: Iterable[Any] = ()) -> None:
    """Call the operation with made-up data, right and wrong, and hold each answer against the document."""
    checks = [check for check in CHECKS if check not in set(left_out)]
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        if mode is GenerationMode.NEGATIVE and not _can_be_wrong(operation):
            continue

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy(generation_mode=mode))
        def call(case: Any) -> None:
            case.validate_response(case.call(), checks=checks)

        call()


def _can_be_wrong(operation: Any) -> bool:
    return bool(operation.body or operation.query or operation.path_parameters)
