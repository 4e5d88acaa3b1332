"""Requests and responses signed as RFC 9421 says, in the one profile of the protocol (docs/protocol.md section 8).

The library builds the signature base; everything that it would let pass is checked here first: one signature, label
sig1, exactly the covered components and parameters, no alg, no expires, the injected clock, a digest of empty content
too. Ed25519 is crypto.signatures' strict one. Knows keys by their owners' ids; roles and replays are the service's
business.
"""

import secrets
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import http_sf
from http_message_signatures import HTTPMessageSigner
from http_message_signatures.exceptions import HTTPMessageSignaturesException

from crypto.encoding import check_identifier
from crypto.errors import CryptoError
from crypto.signatures import SigningKey, key_id
from wire.packed import InvalidPacked, pack, unpack
from wire.signature_messages import (
    LONGEST_HEADER,
    HeaderLines,
    Headers,
    OneKey,
    RequestParts,
    RequestView,
    ResponseView,
    SignatureRefused,
    StrictEd25519,
    Verifier,
    is_target_uri,
)

__all__ = [
    "CONTENT_TYPE",
    "RequestParts",
    "SignatureParameters",
    "SignatureRefused",
    "is_target_uri",
    "sign_request",
    "sign_response",
    "verify_request",
    "verify_response",
]

CONTENT_TYPE = "application/json"
LABEL = "sig1"
TAG = "crosslight-v1"
NONCE_LENGTH = 16
WINDOW_SECONDS = 300
SKEW_SECONDS = 60

REQUEST_COMPONENTS = ('"@method"', '"@target-uri"', '"content-type"', '"content-digest"')
RESPONSE_COMPONENTS = ('"@status"', '"content-digest"', '"@method";req', '"@target-uri";req', '"signature";req')
_PARAMETERS = frozenset({"created", "nonce", "keyid", "tag"})


@dataclass(frozen=True)
class SignatureParameters:
    """Who signed, when (Unix seconds), and the nonce (16 bytes). `key_id` is 16 hexadecimal digits."""

    party_id: str
    key_id: str
    created: int
    nonce: bytes


def sign_request(
    signing_key: SigningKey, party_id: str, method: str, target_uri: str, body: bytes, now: datetime
) -> list[tuple[str, str]]:
    """Return the headers that sign a request: Content-Type, Content-Digest, Signature-Input, Signature.

    Each call draws a fresh nonce. `target_uri` is scheme, host and path with query, exactly as sent.
    """
    view = RequestView(RequestParts(method, target_uri, (("Content-Type", CONTENT_TYPE),)))
    _sign(view, signing_key, party_id, REQUEST_COMPONENTS, body, now)
    return view.headers.items()


def sign_response(
    signing_key: SigningKey, party_id: str, status: int, body: bytes, request: RequestParts, now: datetime
) -> list[tuple[str, str]]:
    """Return the headers that sign a response to `request`: Content-Digest, Signature-Input, Signature.

    Where the request has no signature header to speak of (a public route, or one that is being refused),
    `signature;req` is not covered.
    """
    view = ResponseView(status, (), request)
    components = RESPONSE_COMPONENTS if view.request.headers.has_one("signature") else RESPONSE_COMPONENTS[:-1]
    _sign(view, signing_key, party_id, components, body, now)
    return view.headers.items()


def _sign(
    view: RequestView | ResponseView,
    signing_key: SigningKey,
    party_id: str,
    components: tuple[str, ...],
    body: bytes,
    now: datetime,
) -> None:
    HTTPMessageSigner(signature_algorithm=StrictEd25519, key_resolver=OneKey(private_key=signing_key)).sign(
        view,
        key_id=f"{party_id}/{key_id(signing_key.public_key).hex()}",
        created=now,
        nonce=pack(secrets.token_bytes(NONCE_LENGTH)),
        label=LABEL,
        tag=TAG,
        include_alg=False,
        covered_component_ids=components,
        body=body,
    )


def verify_request(
    request: RequestParts,
    body: bytes | Callable[[], bytes],
    now: datetime,
    find_key: Callable[[str, str], bytes | None],
) -> SignatureParameters:
    """Check a request's signature and return who signed it.

    `body` may be a function that reads it, called only when the signature over the headers (its digest among them)
    holds: strangers cannot make a service read and hash their content.
    `find_key` maps a party id and a key id (hex) to the public key pinned for them, or None. Accepted while
    -60 <= now - created <= 300 seconds. Raises SignatureRefused.
    """
    view = RequestView(request)
    if "signature" not in view.headers or "signature-input" not in view.headers:
        raise SignatureRefused("signature-missing", "The request is not signed (RFC 9421).")
    if view.headers.only("content-type") != CONTENT_TYPE:
        raise SignatureRefused("signature-malformed", f"The content-type header must be {CONTENT_TYPE}.")
    parameters = _read_parameters(view.headers, set(REQUEST_COMPONENTS))
    _check_time(parameters.created, now)
    public_key = find_key(parameters.party_id, parameters.key_id)
    if public_key is None:
        raise SignatureRefused("unknown-key", "The signature's keyid names no key of a party enrolled here.")
    _verify(view, parameters, public_key, REQUEST_COMPONENTS, body)
    return parameters


def verify_response(
    status: int, headers: Headers, body: bytes, request: RequestParts, party_id: str, public_key: bytes
) -> None:
    """Check that `party_id` signed this response to exactly this (signed) request. Raises SignatureRefused.

    No time is checked: covering the request's signature, whose nonce is fresh, makes the response no older than it.
    """
    view = ResponseView(status, headers, request)
    parameters = _read_parameters(view.headers, set(RESPONSE_COMPONENTS))
    if parameters.party_id != party_id:
        raise SignatureRefused("unknown-key", f"The response is signed by another party than {party_id}.")
    _verify(view, parameters, public_key, RESPONSE_COMPONENTS, body)


def _read_parameters(headers: HeaderLines, components: set[str]) -> SignatureParameters:
    """Check the form of Signature-Input and Signature whole, and return the parameters."""
    covered, parameters = _only_member(headers)
    if len(covered) != len(components) or set(covered) != components:
        raise SignatureRefused(
            "signature-malformed", f"The signature must cover exactly {' '.join(sorted(components))}."
        )
    if set(parameters) != _PARAMETERS:
        raise SignatureRefused(
            "signature-malformed", "The signature must have exactly the parameters created, nonce, keyid and tag."
        )
    created, tag = parameters["created"], parameters["tag"]
    if type(created) is not int or created < 0:
        raise SignatureRefused("signature-malformed", "The signature's created is not a time in Unix seconds.")
    if tag != TAG:
        raise SignatureRefused("signature-malformed", f"The signature's tag is not {TAG}.")
    party_id, key_id_hex = _read_key_id(parameters["keyid"])
    return SignatureParameters(party_id, key_id_hex, created, _read_nonce(parameters["nonce"]))


def _only_member(headers: HeaderLines) -> tuple[list[str], dict[str, Any]]:
    """Return the covered components, serialized, and the parameters of the one signature, labelled sig1."""
    field_value = headers.only("signature-input")
    signature = headers.only("signature")
    if len(field_value) > LONGEST_HEADER or len(signature) > LONGEST_HEADER:
        raise SignatureRefused("signature-malformed", "A signature header is too long.")
    inputs, signatures = _dictionary(field_value), _dictionary(signature)
    if list(inputs) != [LABEL] or list(signatures) != [LABEL]:
        raise SignatureRefused("signature-malformed", f"There must be exactly one signature, labelled {LABEL}.")
    members, parameters = inputs[LABEL]
    value, signature_parameters = signatures[LABEL]
    if not isinstance(members, list) or not isinstance(value, bytes) or signature_parameters:
        raise SignatureRefused("signature-malformed", "The signature headers are not as RFC 9421 section 4 says.")
    if signature.strip(" ") != f"{LABEL}=:{b64encode(value).decode()}:":
        # The parser lets loose bits after the last byte pass; one signature shall have one text.
        raise SignatureRefused("signature-malformed", "The signature is not in canonical base64.")
    covered = []
    for name, flags in members:
        if not isinstance(name, str) or any(flag is not True for flag in flags.values()):
            raise SignatureRefused("signature-malformed", "A covered component is not as RFC 9421 section 2 says.")
        covered.append(f'"{name}"' + "".join(f";{flag}" for flag in flags))
    return covered, dict(parameters)


def _dictionary(value: str) -> dict[str, Any]:
    def refuse(key: str, context: str) -> None:
        raise ValueError("duplicate")

    try:
        parsed = http_sf.parse(value.encode("ascii"), tltype="dictionary", on_duplicate_key=refuse)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError):
        raise SignatureRefused("signature-malformed", "A signature header is no structured field (RFC 9651).") from None
    if not isinstance(parsed, dict):
        raise SignatureRefused("signature-malformed", "A signature header is no dictionary (RFC 9651).")
    return parsed


def _read_key_id(value: object) -> tuple[str, str]:
    party_id, slash, key_id_hex = value.partition("/") if type(value) is str else ("", "", "")
    try:
        check_identifier(party_id)
    except CryptoError:
        slash = ""
    if not slash or len(key_id_hex) != 16 or not set(key_id_hex) <= set("0123456789abcdef"):
        raise SignatureRefused("signature-malformed", "The signature's keyid is not PARTY/KEY_ID (hexadecimal).")
    return party_id, key_id_hex


def _read_nonce(value: object) -> bytes:
    try:
        nonce = unpack(value) if type(value) is str else b""
    except InvalidPacked:
        nonce = b""
    if len(nonce) != NONCE_LENGTH:
        raise SignatureRefused(
            "signature-malformed", f"The signature's nonce is not base64url of {NONCE_LENGTH} bytes."
        )
    return nonce


def _check_time(created: int, now: datetime) -> None:
    age = int(now.timestamp()) - created
    if age > WINDOW_SECONDS:
        raise SignatureRefused(
            "signature-expired", f"The signature is {age} s old by the server's clock, at most {WINDOW_SECONDS} s pass."
        )
    if age < -SKEW_SECONDS:
        raise SignatureRefused(
            "signature-expired",
            f"The signature is {-age} s ahead of the server's clock, at most {SKEW_SECONDS} s pass: set the clock.",
        )


def _verify(
    view: RequestView | ResponseView,
    parameters: SignatureParameters,
    public_key: bytes,
    components: tuple[str, ...],
    body: bytes | Callable[[], bytes],
) -> None:
    if key_id(public_key).hex() != parameters.key_id:
        raise SignatureRefused("unknown-key", "The signature's keyid is not that of the key pinned for its party.")
    view.headers.only("content-digest")
    verifier = Verifier(signature_algorithm=StrictEd25519, key_resolver=OneKey(public_key=public_key))
    try:
        results = verifier.verify(view, expect_tag=TAG, expect_label=LABEL, require_components=components, max_age=None)
    except HTTPMessageSignaturesException:
        raise SignatureRefused("signature-invalid", "The signature does not hold for this message.") from None
    content = body() if callable(body) else body
    try:
        verified = verifier.verify_body(view, results, content)
    except HTTPMessageSignaturesException:
        raise SignatureRefused("digest-mismatch", "The content-digest is not that of the content.") from None
    if len(verified) != 1 or verified[0].body != content:
        raise SignatureRefused("digest-mismatch", "The content is not covered by the signature.")
