"""Runs the keeper of the log as a program: its ticks here, what goes over the network in threads of their own.

Put together from settings and a key by its caller. Answers no request and matches nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine

from broker.log.counts import HolderCounts
from broker.log.keeper import EVERY_SECONDS, Keeper, repeat
from broker.log.sequencer import Sequencer, make_signer
from broker.log.witnesses import Witnesses
from crypto.signatures import SigningKey
from policies.trust import Trust
from runtime.clock import Clock

_WITNESSES_EVERY = 3.0
_COUNTS_EVERY = 3600.0
"""Seconds."""


class LogService:
    """The keeper with everything that it needs, for one broker."""

    def __init__(
        self,
        engine: Engine,
        trust: Callable[[], Trust],
        clock: Clock,
        signing_key: SigningKey,
        *,
        ca_file: Path | None = None,
    ) -> None:
        sequencer = Sequencer(engine, clock, make_signer(trust(), signing_key))
        self._keeper = Keeper(engine, trust, clock, sequencer)
        self._witnesses = Witnesses(engine, trust, clock, ca_file=ca_file)
        self._counts = HolderCounts(engine, trust, clock, signing_key, ca_file=ca_file)

    def run_once(self) -> None:
        """Do all there is to do, then ask witnesses and holders once."""
        self._counts.fetch()
        self._keeper.finish()
        self._witnesses.push()

    def run(self, stop: threading.Event) -> None:
        """Keep the log until `stop` is set."""
        duties = (
            (self._push, _WITNESSES_EVERY, "witnesses"),
            (self._fetch, _COUNTS_EVERY, "counts"),
        )
        threads = [
            threading.Thread(target=repeat, args=(duty, stop, pause, name), daemon=True) for duty, pause, name in duties
        ]
        for thread in threads:
            thread.start()
        repeat(self._keeper.tick, stop, EVERY_SECONDS, "keeper")

    def _push(self) -> bool:
        self._witnesses.push()
        return False

    def _fetch(self) -> bool:
        self._counts.fetch()
        return False
