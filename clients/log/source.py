"""Where a client reads the log: checkpoints, tiles and leaves by plain GET, nothing signed and nothing believed.

What is read is held against the log's key and a checkpoint's root by whoever reads it. Knows no party and no key.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from policies.log.errors import LogRefused
from policies.log.signed_note import LONGEST_NOTE
from policies.log.tiles import LONGEST_LEAF, WIDTH, TilePlace, entries_path, hash_path
from runtime.exits import ExitCode, UserError
from wire.base_url import normalise_base_url
from wire.trusted_authorities import trusted_authorities

PREFIX: Final = "/log/"
_LONGEST_BUNDLE: Final = WIDTH * (LONGEST_LEAF + 2)
_LONGEST_PAUSE: Final = 4.0
_AWAY: Final = frozenset({502, 503, 504})


class LogSource(Protocol):
    """The log as it can be read. Each call raises UserError where there is no answer that could be one."""

    def checkpoint(self) -> str:
        """The newest checkpoint, a signed note."""
        ...

    def cosigned(self) -> str | None:
        """The newest checkpoint that carries the quorum's cosignatures; None as long as there is none."""
        ...

    def tile(self, level: int, place: TilePlace) -> bytes:
        """A tile of hashes."""
        ...

    def entries(self, place: TilePlace) -> bytes:
        """A bundle of leaves."""
        ...


class _Away(Exception):
    """The log did not answer: try again."""


class HttpLog:
    """The log of the broker at `base_url` (scheme and host). Close it, or use it in a `with` block."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float = 60.0,
        attempts: int = 4,
        ca_file: Path | None = None,
        proxy: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._base_url = normalise_base_url(base_url)
        self._retrying = Retrying(
            retry=retry_if_exception_type(_Away),
            stop=stop_after_attempt(attempts),
            wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_PAUSE),
            reraise=True,
        )
        self._client = httpx.Client(
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            verify=trusted_authorities(ca_file),
            proxy=proxy,
            transport=transport,
            # Nothing is unpacked here: what a small answer unpacks to has no bound.
            headers={"Accept-Encoding": "identity"},
        )

    def __enter__(self) -> Self:
        """Return the log itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def checkpoint(self) -> str:
        """The newest checkpoint."""
        return _note(self._get("checkpoint", LONGEST_NOTE))

    def cosigned(self) -> str | None:
        """The newest checkpoint with the quorum's cosignatures."""
        found = self._read("cosigned", LONGEST_NOTE)
        return None if found is None else _note(found)

    def tile(self, level: int, place: TilePlace) -> bytes:
        """A tile of hashes."""
        return self._get(hash_path(level, place), WIDTH * 32)

    def entries(self, place: TilePlace) -> bytes:
        """A bundle of leaves."""
        return self._get(entries_path(place), _LONGEST_BUNDLE)

    def _get(self, path: str, longest: int) -> bytes:
        found = self._read(path, longest)
        if found is None:
            raise LogRefused(f"The broker does not show the log's {path}.")
        return found

    def _read(self, path: str, longest: int) -> bytes | None:
        """The content at a path, None where there is none; raises UserError."""
        try:
            return self._retrying(self._attempt, path, longest)
        except _Away as away:
            raise UserError(
                f"The log at {self._base_url} cannot be read: {away}. Try again later.", ExitCode.UNREACHABLE
            ) from None

    def _attempt(self, path: str, longest: int) -> bytes | None:
        body = bytearray()
        try:
            with self._client.stream("GET", self._base_url + PREFIX + path) as answer:
                if answer.status_code == 404:
                    return None
                if answer.status_code in _AWAY:
                    raise _Away(f"it answers {answer.status_code}")
                if answer.status_code != 200:
                    raise LogRefused(f"The broker answers {answer.status_code} where it should show the log.")
                if "Content-Encoding" in answer.headers:
                    raise LogRefused("The broker shows the log packed, which nobody asked for.")
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > longest:
                        raise LogRefused(f"The log's {path} is longer than {longest} bytes.")
        except httpx.TransportError as error:
            raise _Away(
                "it does not answer" if isinstance(error, httpx.TimeoutException) else "no connection"
            ) from None
        return bytes(body)


def _note(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise LogRefused("The log's checkpoint is not text.") from None
