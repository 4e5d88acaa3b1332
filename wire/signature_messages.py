"""The library for RFC 9421, fitted to this project: strict Ed25519, no clock of its own, headers kept line by line.

Everything of the library that wire.http_signatures uses goes through here. Knows nothing of the profile.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from http_message_signatures import (
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureComponentResolver,
    HTTPSignatureKeyResolver,
)
from http_message_signatures.exceptions import HTTPMessageSignaturesException

from crypto.signatures import SigningKey, verify

# Headers of the profile are about 300 characters; this bounds the parser's work.
LONGEST_HEADER = 1024

Headers = Iterable[tuple[str, str]]


class SignatureRefused(Exception):
    """A request's or response's signature is not to be trusted; `code` names the rule that it breaks."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class RequestParts:
    """What of a request is signed: its method, its full target URI as the server's settings spell it, its headers."""

    method: str
    target_uri: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)


class StrictEd25519(HTTPSignatureAlgorithm):
    """crypto.signatures as the library wants it: the verification key is the 32 bytes themselves."""

    algorithm_id = "ed25519"

    def __init__(self, public_key: bytes | None = None, private_key: SigningKey | None = None) -> None:
        self._public_key = public_key
        self._private_key = private_key

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature."""
        if self._private_key is None:
            raise HTTPMessageSignaturesException("no signing key")
        return self._private_key.sign(message)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise InvalidSignature unless the strict rules accept."""
        if self._public_key is None:
            raise HTTPMessageSignaturesException("no public key")
        verify(self._public_key, message, signature)


class OneKey(HTTPSignatureKeyResolver):
    """Hands the library the one key that its caller has already found."""

    def __init__(self, public_key: bytes | None = None, private_key: SigningKey | None = None) -> None:
        self._public_key = public_key
        self._private_key = private_key

    def resolve_public_key(self, key_id: str) -> bytes | None:
        """Return the key that the caller of the library has already found for the key id."""
        return self._public_key

    def resolve_private_key(self, key_id: str) -> SigningKey | None:
        """Return the signing key."""
        return self._private_key


class Verifier(HTTPMessageVerifier):
    """The library's verifier, which leaves time to its caller."""

    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        """Check nothing: the library would take the machine's clock, not the injected one."""


class HeaderLines:
    """Header lines as the library reads and writes them."""

    def __init__(self, lines: Headers) -> None:
        self._lines = list(lines)

    def items(self) -> list[tuple[str, str]]:
        return self._lines

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._lines])

    def __contains__(self, name: str) -> bool:
        return any(present.lower() == name.lower() for present, _ in self._lines)

    def __setitem__(self, name: str, value: str) -> None:
        del self[name]
        self._lines.append((name, value))

    def __delitem__(self, name: str) -> None:
        self._lines = [line for line in self._lines if line[0].lower() != name.lower()]

    def has_one(self, name: str) -> bool:
        """Tell whether there is one line of this name, fit to be covered by a signature."""
        values = [value for present, value in self._lines if present.lower() == name]
        return len(values) == 1 and values[0].isascii() and values[0].isprintable() and len(values[0]) <= LONGEST_HEADER

    def only(self, name: str) -> str:
        """Return the value of the one line of this name. Raises SignatureRefused if there is none or are several."""
        values = [value for present, value in self._lines if present.lower() == name]
        if len(values) != 1:
            raise SignatureRefused("signature-malformed", f"There must be exactly one {name} header.")
        return values[0]


class RequestView:
    """A request as the library wants it."""

    def __init__(self, request: RequestParts) -> None:
        self.method = request.method
        self.url = request.target_uri
        self.headers = HeaderLines(request.headers)


class ResponseView:
    """A response as the library wants it."""

    def __init__(self, status: int, headers: Headers, request: RequestParts) -> None:
        self.status_code = status
        self.headers = HeaderLines(headers)
        self.request = RequestView(request)


def is_target_uri(uri: str) -> bool:
    """Tell whether the text is an encoded absolute URI that a signature can cover."""
    try:
        HTTPSignatureComponentResolver(RequestView(RequestParts("GET", uri, ())))  # type: ignore[no-untyped-call]
    except HTTPMessageSignaturesException:
        return False
    return True
