"""Key generation between running holders: the exchange folder of keygen_files.py, filled and emptied by requests.

Each holder's operator runs the command beside the holder's own service. The service keeps what others bring; the
command copies it into a folder in its home, lets keygen_files.py take the next step there, and brings its own messages
to the others' services. So both ways are one protocol with one progress, and nobody ever holds a key whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from crypto.keygen import session_id
from keyholder.keygen_files import PROGRESS_FOLDER, Report, advance_by_files, message_file_name, read_message
from keyholder.keygen_run import Participant
from keyholder.store import keygen as store
from policies.documents import write_file
from runtime.database import read_transaction
from runtime.exits import ExitCode, UserError
from wire.messages.keygen import KeygenMessage, KeygenReceived
from wire.messages.message import encode_message
from wire.session import SignedSession, Unreachable

INBOX = "online"
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class OnlineRun:
    """One holder's part in generating every family's key with the other holders' services (`peers`, by index)."""

    participant: Participant
    families: tuple[str, ...]
    number: int
    attempt: int
    home: Path
    engine: Engine
    peers: Mapping[int, SignedSession]
    store_shares: Callable[[Mapping[str, bytes]], None]

    @property
    def exchange(self) -> Path:
        """The folder in which this holder collects messages."""
        return self.home / PROGRESS_FOLDER / INBOX

    def finish(self, seconds: float, waiting_for: Callable[[Report, frozenset[int]], None]) -> Report:
        """Go on until every family has its key here and every peer has this holder's messages.

        `waiting_for` is told after each round how far it is and which peers could not be reached. Raises UserError
        (exit code 9) when `seconds` are over: then run it again, it goes on where it stopped; KeygenFault naming the
        participant that broke the protocol; RemoteProblem where a peer refuses a message.
        """
        self.exchange.mkdir(mode=0o700, parents=True, exist_ok=True)
        end = time.monotonic() + seconds
        delivered: set[tuple[int, str]] = set()
        while True:
            self._collect()
            report = self._advance()
            away = self._deliver(delivered)
            if report.is_complete and not away:
                return report
            waiting_for(report, away)
            if time.monotonic() > end:
                raise UserError(
                    "Not all holders have taken part yet: run the command again, it goes on where it stopped.",
                    ExitCode.PARTLY_DONE,
                )
            time.sleep(_PAUSE_SECONDS)

    def _advance(self) -> Report:
        return advance_by_files(
            self.participant,
            self.families,
            number=self.number,
            attempt=self.attempt,
            home=self.home,
            exchange=self.exchange,
            store_shares=self.store_shares,
        )

    def _collect(self) -> None:
        """Copy what came in to the exchange folder. Signatures are checked where the messages are used."""
        for family in self.families:
            named = (self.participant.agreement_id, self.number, family, self.attempt)
            with read_transaction(self.engine) as connection:
                kept = store.messages_of(connection, session_id(*named))
            for one in kept:
                message = KeygenMessage(*named, one.round, one.sender, one.body, one.signature)
                path = self.exchange / message_file_name(message)
                if one.sender != self.participant.index and not path.exists():
                    write_file(path, encode_message(message).decode() + "\n")

    def _deliver(self, delivered: set[tuple[int, str]]) -> frozenset[int]:
        """Bring the own messages to the peers that lack them; return the peers that could not be reached."""
        away: set[int] = set()
        for name, message in self._own_messages():
            for peer, session in self.peers.items():
                if peer in away or (peer, name) in delivered:
                    continue
                try:
                    session.post("/v1/keygen", message, KeygenReceived)
                except Unreachable:
                    away.add(peer)
                else:
                    delivered.add((peer, name))
        return frozenset(away)

    def _own_messages(self) -> Iterable[tuple[str, KeygenMessage]]:
        me = self.participant.index
        for path in sorted(self.exchange.glob(f"*_round[12]_holder{me}.json")):
            message = read_message(path)
            if (message.number, message.attempt) == (self.number, self.attempt):
                yield path.name, message
