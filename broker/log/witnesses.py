"""Brings new checkpoints to the key holders, witnesses with a service (C2SP tlog-witness), and keeps what they cosign.

A holder that is away, or refuses, is asked again after a pause that doubles; clients bring their own cosignatures when
they come by. Signs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import structlog
from sqlalchemy import Engine

from broker.log import checkpoints, tree
from broker.store import log
from policies.log.add_checkpoint import encode_request, read_size
from policies.log.errors import LogRefused
from policies.log.tiles import TileHashes, TilePlace
from policies.log.tree import consistency_proof
from policies.log.witness_policy import WitnessPolicy
from policies.parties import EnrolledHolder
from policies.trust import Trust
from runtime.clock import Clock, unix
from runtime.database import read_transaction, run_in_transaction
from wire.trusted_authorities import trusted_authorities

Transport = Callable[[str], httpx.BaseTransport | None]
"""A way to a party other than the network; None: the network."""

_TIMEOUT = 10.0
_FIRST_PAUSE = 2
_LONGEST_PAUSE = 300
"""Seconds after which a holder that is away is asked again."""

_LONGEST_ANSWER = 65536


@dataclass
class _Standing:
    """What is known of one holder as a witness: the size that it has, and when to ask it again."""

    size: int = 0
    pause: int = 0
    ask_at: int = 0


class Witnesses:
    """The key holders as witnesses. One thread uses it."""

    def __init__(
        self,
        engine: Engine,
        trust: Callable[[], Trust],
        clock: Clock,
        *,
        transport: Transport = lambda _: None,
        ca_file: Path | None = None,
    ) -> None:
        self._engine = engine
        self._trust = trust
        self._clock = clock
        self._transport = transport
        self._ca_file = ca_file
        self._standings: dict[str, _Standing] = {}
        self._clients: dict[str, httpx.Client] = {}

    def push(self) -> int:
        """Bring the newest checkpoint to each holder that has not cosigned it; return how many cosigned now."""
        trust = self._trust()
        if not trust.is_ready:
            return 0
        with read_transaction(self._engine) as connection:
            newest = log.newest_checkpoint(connection)
        if newest is None:
            return 0
        policy = WitnessPolicy.parse(trust.roster.witness_policy)
        return sum(
            self._ask(holder, policy, *newest)
            for holder in trust.agreement.holders
            if holder.party_id not in trust.departed
        )

    def _ask(self, holder: EnrolledHolder, policy: WitnessPolicy, size: int, note: str) -> bool:
        standing = self._standings.setdefault(holder.party_id, _Standing())
        now = unix(self._clock)
        if standing.size == size or now < standing.ask_at:
            return False
        try:
            lines = self._add_checkpoint(holder, standing, size, note)
        except (httpx.HTTPError, LogRefused, _Declined) as error:
            standing.pause = min(_LONGEST_PAUSE, max(_FIRST_PAUSE, 2 * standing.pause))
            standing.ask_at = now + standing.pause
            reason = error.reason if isinstance(error, LogRefused | _Declined) else type(error).__name__
            structlog.get_logger().warning("witness did not cosign", holder=holder.index, size=size, reason=reason)
            return False
        standing.size, standing.pause, standing.ask_at = size, 0, 0
        kept = run_in_transaction(
            self._engine, lambda connection: checkpoints.keep_lines(connection, policy, size, lines, now)
        )
        if not kept:
            structlog.get_logger().warning("witness answered without its cosignature", holder=holder.index, size=size)
        return kept > 0

    def _add_checkpoint(self, holder: EnrolledHolder, standing: _Standing, size: int, note: str) -> str:
        """The holder's signature lines on the checkpoint; raises _Declined, LogRefused or httpx's errors."""
        answer = self._post(holder, standing.size, size, note)
        if answer.status_code == 409:
            # It has another size than was believed: after a restart of ours, or since a client brought it one.
            standing.size = read_size(answer.text.removesuffix("\n"))
            if standing.size > size:
                raise _Declined(f"it has seen a larger tree ({standing.size})")
            answer = self._post(holder, standing.size, size, note)
        if answer.status_code != 200:
            raise _Declined(f"it answers {answer.status_code}")
        return answer.text

    def _post(self, holder: EnrolledHolder, old: int, size: int, note: str) -> httpx.Response:
        body = encode_request(old, self._proof(old, size), note)
        client = self._clients.get(holder.party_id)
        if client is None:
            client = self._clients[holder.party_id] = httpx.Client(
                timeout=_TIMEOUT,
                trust_env=False,
                verify=trusted_authorities(self._ca_file),
                transport=self._transport(holder.party_id),
            )
        answer = client.post(
            f"{holder.address}/add-checkpoint", content=body, headers={"Content-Type": "text/plain; charset=utf-8"}
        )
        if len(answer.content) > _LONGEST_ANSWER:
            raise _Declined("its answer is too long")
        return answer

    def _proof(self, old: int, size: int) -> list[bytes]:
        with read_transaction(self._engine) as connection:

            def fetch(level: int, place: TilePlace) -> bytes:
                return tree.hash_tile(connection, level, place.tile, place.width) or b""

            return consistency_proof(TileHashes(fetch, size), old, size)


class _Declined(Exception):
    """A witness did not cosign."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
