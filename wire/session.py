"""The signed session that every client uses to speak to one service, whose key it knows beforehand.

Every request is signed, every answer must be signed by that key and for that request; nothing else is believed, not
even a refusal. Knows messages; what to do about a refusal is the caller's business.
"""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from crypto.signatures import SigningKey
from runtime.clock import Clock
from runtime.exits import ExitCode, UserError
from wire.base_url import normalise_base_url, target_uri
from wire.http_signatures import RequestParts, SignatureRefused, sign_request, verify_response
from wire.messages.message import InvalidMessage, decode_message, encode_message
from wire.problems import parse_problem
from wire.strict_json import InvalidJson, parse_json
from wire.trusted_authorities import trusted_authorities

Expected = TypeVar("Expected")

LARGEST_RESPONSE = 64 * 2**20
_ATTEMPTS = 5
_LONGEST_PAUSE = 8.0
# What a proxy answers when the service behind it is away; 503 also the service itself, when it is not ready.
_AWAY = frozenset({502, 503, 504})


class Unreachable(UserError):
    """The service did not answer, also after several attempts."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(f"{server} cannot be reached: {reason}. Try again later.", ExitCode.UNREACHABLE)


class UntrustedResponse(UserError):
    """Something answered that cannot show that it is the service, or said what the service must not say."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(
            f"The answer of {server} is not believed: {reason} Check the address and the key in the agreement.",
            ExitCode.VERIFICATION_FAILED,
        )


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class _Away(Exception):
    """The service is away for now: try again. Holds its answer, if there was one."""

    def __init__(self, reason: str, request: RequestParts, answer: _Answer | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.request = request
        self.answer = answer


class SignedSession:
    """Speaks to one service as one party. Safe for use by several threads; close it, or use it in a `with` block."""

    def __init__(
        self,
        base_url: str,
        party_id: str,
        signing_key: SigningKey,
        server_party_id: str,
        server_key: bytes,
        clock: Clock,
        *,
        timeout: float = 60.0,
        attempts: int = _ATTEMPTS,
        ca_file: Path | None = None,
        proxy: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Open a session with the service at `base_url` (scheme and host, as the agreement has it).

        `timeout` in seconds for each step of a request; `attempts` in all, while the service is away. `ca_file`: PEM
        of the authorities to trust instead of the system's. Neither proxies nor certificates come from variables.
        """
        self._base_url = normalise_base_url(base_url)
        self._party_id = party_id
        self._signing_key = signing_key
        self._server_party_id = server_party_id
        self._server_key = server_key
        self._clock = clock
        self._attempts = attempts
        self._client = httpx.Client(
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            verify=trusted_authorities(ca_file),
            proxy=proxy,
            transport=transport,
        )

    def __enter__(self) -> Self:
        """Return the session itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @overload
    def get(self, path: str, expected: type[Expected], *, query: dict[str, str] | None = None) -> Expected: ...
    @overload
    def get(self, path: str, expected: None = None, *, query: dict[str, str] | None = None) -> None: ...
    def get(self, path: str, expected: type[Any] | None = None, *, query: dict[str, str] | None = None) -> Any:
        """Return the service's message of the class `expected`.

        Raises RemoteProblem (the service refuses), Unreachable, UntrustedResponse.
        """
        return self._exchange("GET", path, query, b"", expected)

    @overload
    def post(self, path: str, message: object | None, expected: type[Expected]) -> Expected: ...
    @overload
    def post(self, path: str, message: object | None, expected: None = None) -> None: ...
    def post(self, path: str, message: object | None, expected: type[Any] | None = None) -> Any:
        """Post a message (or None: no content) and return the service's message of the class `expected`."""
        return self._exchange("POST", path, None, _content(message), expected)

    @overload
    def put(self, path: str, message: object | None, expected: type[Expected]) -> Expected: ...
    @overload
    def put(self, path: str, message: object | None, expected: None = None) -> None: ...
    def put(self, path: str, message: object | None, expected: type[Any] | None = None) -> Any:
        """Put a message and return the service's message of the class `expected`."""
        return self._exchange("PUT", path, None, _content(message), expected)

    def put_encoded(self, path: str, content: bytes, expected: type[Expected]) -> Expected:
        """Put JSON that was encoded before (an outbox sends identical bytes again)."""
        found: Expected = self._exchange("PUT", path, None, content, expected)
        return found

    def post_encoded(self, path: str, content: bytes, expected: type[Expected]) -> Expected:
        """Post JSON that was encoded before."""
        found: Expected = self._exchange("POST", path, None, content, expected)
        return found

    def _exchange(
        self, method: str, path: str, query: dict[str, str] | None, content: bytes, expected: type[Any] | None
    ) -> Any:
        retrying = Retrying(
            retry=retry_if_exception_type(_Away),
            stop=stop_after_attempt(self._attempts),
            wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_PAUSE),
            retry_error_callback=self._give_up,
        )
        request, answer = retrying(self._attempt, method, path, query, content)
        document = self._believe(request, answer)
        if answer.status >= 400:
            raise parse_problem(answer.status, document)
        if expected is None:
            return None
        try:
            return decode_message(expected, answer.body)
        except InvalidMessage as error:
            raise UntrustedResponse(self._name, f"it is {error}.") from None

    @property
    def _name(self) -> str:
        return f"{self._server_party_id} at {self._base_url}"

    def _give_up(self, state: RetryCallState) -> tuple[RequestParts, _Answer]:
        """After the last attempt: the service's own signed refusal is passed on, anything else is unreachable."""
        away = state.outcome.exception() if state.outcome else None
        assert isinstance(away, _Away)  # noqa: S101  (nothing else is retried)
        if away.answer is not None:
            try:
                self._check(away.request, away.answer)
            except SignatureRefused:
                pass
            else:
                return away.request, away.answer
        raise Unreachable(self._name, away.reason) from None

    def _attempt(
        self, method: str, path: str, query: dict[str, str] | None, content: bytes
    ) -> tuple[RequestParts, _Answer]:
        """Send one freshly signed request and return it with its answer. Raises _Away."""
        request = self._client.build_request(
            method, self._base_url + path, params=query, content=content, headers={"Accept-Encoding": "identity"}
        )
        target = target_uri(self._base_url, request.url.raw_path.decode("ascii"))
        signature = sign_request(self._signing_key, self._party_id, method, target, content, self._clock.now())
        for name, value in signature:
            request.headers[name] = value
        parts = RequestParts(method, target, tuple(signature))
        try:
            answer = self._send(request)
        except httpx.TransportError as error:
            raise _Away(_reason(error), parts) from error
        if answer.status in _AWAY:
            raise _Away(f"it answers {answer.status}", parts, answer)
        return parts, answer

    def _send(self, request: httpx.Request) -> _Answer:
        response = self._client.send(request, stream=True)
        try:
            if "content-encoding" in response.headers:
                raise UntrustedResponse(self._name, "its content is encoded, which nobody asked for.")
            body = bytearray()
            for piece in response.iter_raw():
                body += piece
                if len(body) > LARGEST_RESPONSE:
                    raise UntrustedResponse(self._name, f"it is longer than {LARGEST_RESPONSE} bytes.")
            return _Answer(response.status_code, response.headers.multi_items(), bytes(body))
        finally:
            response.close()

    def _check(self, request: RequestParts, answer: _Answer) -> None:
        verify_response(answer.status, answer.headers, answer.body, request, self._server_party_id, self._server_key)

    def _believe(self, request: RequestParts, answer: _Answer) -> object:
        """Return the answer's JSON value once its signature holds; None for an answer without content."""
        try:
            self._check(request, answer)
        except SignatureRefused as refused:
            raise UntrustedResponse(self._name, f"({answer.status}) {refused.detail}") from None
        if 300 <= answer.status < 400:
            raise UntrustedResponse(self._name, f"it redirects ({answer.status}).")
        if answer.status < 400:
            return None  # decoded where the message is known
        try:
            return parse_json(answer.body)
        except InvalidJson:
            return None


def _content(message: object | None) -> bytes:
    return b"" if message is None else encode_message(message)


def _reason(error: httpx.TransportError) -> str:
    """Return why, in words without the other's bytes."""
    if isinstance(error, httpx.TimeoutException):
        return "it does not answer in time"
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    return "the connection broke"
