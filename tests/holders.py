"""Key holders for tests: homes with keys and documents, services in this process, and real processes on loopback.

Built on tests.agreement_world. `serve_in_process` gives applications that wire sessions reach without a network;
`running_holders` starts `crosslight holder serve` for each.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import httpx
from flask import Flask
from sqlalchemy import Engine

from crypto.keyfiles import KeyRing, write_key_file
from crypto.shares import Evaluation as ShareEvaluation
from crypto.shares import combine, share_name, verify_share
from crypto.signatures import SigningKey
from keyholder.app import FOLLOWER, create_app
from keyholder.holder import Holder
from keyholder.log_following import LogFollower
from keyholder.log_link import LogLink, make_log_link
from keyholder.settings import HolderSettings
from policies.documents import SignedDocument
from policies.library import DocumentLibrary
from policies.log.activity import hour_of
from policies.log.errors import LogRefused
from policies.log.leaves import activity_leaf, read_leaf
from policies.log.tiles import TilePlace
from policies.parties import holder_party_id
from policies.service_settings import read_settings, write_settings
from runtime.clock import Clock, SystemClock, unix
from tests.agreement_world import World, make_world
from tests.clocks import MovableClock
from wire.messages.evaluation import EvaluateRequest, EvaluateResponse, RecordName, RecordSecretsRequest
from wire.messages.log import LoggedWithdrawal
from wire.problems import RemoteProblem
from wire.session import SignedSession

PASSPHRASE = "correct horse battery staple"


def key_ring(world: World, index: int) -> KeyRing:
    """A holder's secrets: its own keys, and its share of every key of the world's epoch."""
    return KeyRing({**world.parties[holder_party_id(index)].secrets, **shares_of(world, index)})


def shares_of(world: World, index: int) -> dict[str, bytes]:
    """The holder's shares by their names in a key file."""
    families = world.trust.epoch.families
    return {share_name(families[family][0]): world.share(family, index) for family in families}


def make_home(
    world: World,
    index: int,
    folder: Path,
    *,
    database_url: str = "",
    bind: str = "127.0.0.1:8440",
    documents: Sequence[SignedDocument] | None = None,
    passphrase: str | None = None,
    **settings: str | int,
) -> Path:
    """A holder's home: holder.toml, the pinned agreement, the documents, and keys.age where a passphrase is given.

    `documents`: the world's epoch and roster unless given.
    """
    home = folder / holder_party_id(index)
    home.mkdir(parents=True)
    given: dict[str, str | int] = {"index": index, "bind": bind, **settings}
    if database_url:
        given["database_url"] = database_url
    write_settings(HolderSettings, home, given)
    library = DocumentLibrary.of_home(home)
    library.pin(world.agreement, world.agreement.hash)
    for signed in [world.epoch, world.roster] if documents is None else documents:
        library.accept(signed)
    if passphrase is not None:
        write_key_file(home / "keys.age", key_ring(world, index), passphrase)
    return home


@dataclass
class MemoryLink:
    """The way to the log that a world keeps in memory, which grows every hour as a true one does.

    `withdrawals`: the signed statements behind its leaves, by institution and number.
    """

    world: World
    clock: Clock
    withdrawals: dict[tuple[str, int], LoggedWithdrawal] = field(default_factory=dict)
    documents_shown: list[SignedDocument] | None = None
    asked: list[str] = field(default_factory=list)

    def checkpoint(self) -> str:
        """The newest checkpoint."""
        self.asked.append("checkpoint")
        log, now = self.world.kept_log, unix(self.clock)
        if not log.leaves or read_leaf(log.leaves[-1]).at <= now - 3600:
            log.append(activity_leaf(hour_of(now), bytes(32), now))
        return log.checkpoint()

    def fetch(self, path: str) -> bytes:
        """A tile or bundle of leaves."""
        kind, place = path.removeprefix("tile/").split("/", 1)
        try:
            if kind == "entries":
                return self.world.kept_log.entries(TilePlace.parse(place))
            return self.world.kept_log.tile(int(kind), TilePlace.parse(place))
        except LogRefused:
            raise LookupError(path) from None

    def documents(self) -> list[SignedDocument]:
        """The world's documents."""
        return self.world.documents if self.documents_shown is None else self.documents_shown

    def withdrawal(self, institution_id: str, seq: int, statement_hash: bytes) -> LoggedWithdrawal:
        """The statement behind a leaf."""
        self.asked.append(f"withdrawal {institution_id}/{seq}")
        found = self.withdrawals.get((institution_id, seq))
        if found is None:
            raise RemoteProblem(404, "not-found", "not found", "The institution has no such withdrawal.")
        return found


@dataclass
class SwitchedLink:
    """A holder's way to the log, which a test may change while the holder runs."""

    inner: LogLink

    def checkpoint(self) -> str:
        """The newest checkpoint."""
        return self.inner.checkpoint()

    def fetch(self, path: str) -> bytes:
        """A tile or bundle of leaves."""
        return self.inner.fetch(path)

    def documents(self) -> list[SignedDocument]:
        """The signed documents."""
        return self.inner.documents()

    def withdrawal(self, institution_id: str, seq: int, statement_hash: bytes) -> LoggedWithdrawal:
        """The statement behind a leaf."""
        return self.inner.withdrawal(institution_id, seq, statement_hash)


@dataclass
class Holders:
    """Key holders served in this process under one clock, or as processes (then without `apps`).

    Those in this process follow the log that their world keeps in memory (`log`), until `follow` names a broker.
    """

    world: World
    clock: Clock
    homes: Mapping[int, Path]
    apps: dict[int, Flask] = field(default_factory=dict)
    links: dict[int, SwitchedLink] = field(default_factory=dict)

    @cached_property
    def log(self) -> MemoryLink:
        """The way to the world's log in memory."""
        return MemoryLink(self.world, self.clock)

    def serve(self, index: int, secrets: KeyRing | None = None) -> None:
        """Serve a holder in this process, from its home and database."""
        link = self.links.setdefault(index, SwitchedLink(self.log))
        ring = secrets or key_ring(self.world, index)
        self.apps[index] = create_app(_settings(self.homes[index]), clock=self.clock, key_ring=ring, log_link=link)

    def follow(self, broker: Flask) -> None:
        """Have every holder follow the log of a broker that is served in this process."""
        for index, link in self.links.items():
            party_id = holder_party_id(index)
            link.inner = make_log_link(
                self.trust,
                party_id,
                self.world.parties[party_id].signing_key,
                self.clock,
                transport=httpx.WSGITransport(app=broker),
            )

    def follower(self, index: int) -> LogFollower:
        """What follows the log for a holder."""
        found: LogFollower = self.apps[index].extensions[FOLLOWER]
        return found

    @property
    def trust(self):  # type: ignore[no-untyped-def]
        """What everybody trusts."""
        return self.world.trust

    def holder(self, index: int) -> Holder:
        """The holder behind an application."""
        found: Holder = self.apps[index].extensions["crosslight-holder"]
        return found

    def engine(self, index: int) -> Engine:
        """A holder's database."""
        return self.holder(index).engine

    def session(self, party_id: str, index: int, *, key: SigningKey | None = None, attempts: int = 1) -> SignedSession:
        """A party's session with one holder."""
        enrolled = self.trust.agreement.holders[index - 1]
        return SignedSession(
            enrolled.address,
            party_id,
            key or self.world.parties[party_id].signing_key,
            enrolled.party_id,
            enrolled.key,
            self.clock,
            attempts=attempts,
            transport=httpx.WSGITransport(app=self.apps[index]) if self.apps else None,
        )

    def restart(self, index: int, *, secrets: KeyRing | None = None) -> None:
        """Serve a holder anew from its home and database, as after a restart."""
        self.engine(index).dispose()
        self.serve(index, secrets)

    def ask(
        self,
        party_id: str,
        index: int,
        elements: bytes,
        *,
        family: str = "phone",
        holder_set: Sequence[int] = (1, 2),
        share_version: int = 1,
    ) -> EvaluateResponse:
        """One holder's answer to a chunk. Raises RemoteProblem."""
        message = EvaluateRequest(self.trust.epoch_id, family, share_version, tuple(holder_set), elements)
        with self.session(party_id, index) as session:
            return session.post("/v1/evaluate", message, EvaluateResponse)

    def ask_records(
        self, party_id: str, index: int, names: Sequence[RecordName], *, holder_set: Sequence[int] = (1, 2)
    ) -> EvaluateResponse:
        """One holder's answer for records of the institution's own. Raises RemoteProblem."""
        message = RecordSecretsRequest(self.trust.epoch_id, 1, tuple(holder_set), tuple(names))
        with self.session(party_id, index) as session:
            return session.post("/v1/evaluate-records", message, EvaluateResponse)

    def combined(self, answers: Mapping[int, EvaluateResponse], family: str, elements: bytes) -> bytes:
        """The sum of the answers of a whole set (the mapping's keys), each verified against its public share."""
        commitments = self.trust.commitments(family)
        holder_set = sorted(answers)
        for index in holder_set:
            answer = ShareEvaluation(answers[index].elements, answers[index].proof)
            verify_share(commitments, index, holder_set, elements, answer)
        return combine([answers[index].elements for index in holder_set])


def serve_in_process(
    world: World,
    folder: Path,
    *,
    clock: Clock | None = None,
    database_urls: Mapping[int, str] | None = None,
    indexes: Sequence[int] | None = None,
    documents: Sequence[SignedDocument] | None = None,
    secrets: Mapping[int, KeyRing] | None = None,
) -> Holders:
    """Serve the world's holders in this process, each with a home under `folder` and a SQLite database unless told.

    The clock stands two days into the epoch unless given. `secrets` replaces a holder's keys.
    """
    clock = clock or MovableClock(world.trust.epoch.not_before + 2 * 86_400)
    found = [holder.index for holder in world.trust.agreement.holders] if indexes is None else indexes
    homes = {
        index: make_home(world, index, folder, database_url=(database_urls or {}).get(index, ""), documents=documents)
        for index in found
    }
    holders = Holders(world, clock, homes)
    for index in found:
        holders.serve(index, (secrets or {}).get(index))
    return holders


def _settings(home: Path) -> HolderSettings:
    return replace(read_settings(HolderSettings, home, {}), threads=50)


@contextmanager
def running_holders(
    folder: Path,
    *,
    holders: int = 3,
    world: World | None = None,
    database_urls: Mapping[int, str] | None = None,
    workers: int = 1,
    threads: int = 4,
) -> Iterator[HolderProcesses]:
    """Start `crosslight holder serve` for every holder of a world on free ports of loopback; stop them at the end.

    A world that is given must have been made with the addresses of `free_addresses`.
    """
    world = world or running_world(holders)
    homes = {}
    for enrolled in world.trust.agreement.holders:
        homes[enrolled.index] = make_home(
            world,
            enrolled.index,
            folder,
            database_url=(database_urls or {}).get(enrolled.index, ""),
            bind=enrolled.address.removeprefix("http://"),
            passphrase=PASSPHRASE,
            workers=workers,
            threads=threads,
        )
    running = HolderProcesses(world, SystemClock(), homes)
    try:
        for index in homes:
            running.start(index)
        for index in homes:
            running.wait_until_ready(index)
        yield running
    finally:
        running.stop_all()


def running_world(holders: int = 3) -> World:
    """A world whose epoch runs now and whose holders are on free ports of loopback."""
    now = int(time.time())
    addresses = free_addresses([holder_party_id(index) for index in range(1, holders + 1)])
    return make_world(holders=holders, addresses=addresses, not_before=now - 86_400, not_after=now + 30 * 86_400)


def free_addresses(names: Sequence[str]) -> dict[str, str]:
    """An address on a free port of loopback for each name."""
    sockets = {name: socket.socket() for name in names}
    try:
        for one in sockets.values():
            one.bind(("127.0.0.1", 0))
        return {name: f"http://127.0.0.1:{one.getsockname()[1]}" for name, one in sockets.items()}
    finally:
        for one in sockets.values():
            one.close()


@dataclass
class HolderProcesses(Holders):
    """Holders as real processes."""

    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, index: int) -> None:
        """Start a holder's process; its log goes to holder.log in its home."""
        with (self.homes[index] / "holder.log").open("ab") as log:
            self.processes[index] = subprocess.Popen(
                [sys.executable, "-m", "cli", "holder", "serve", "--home", str(self.homes[index])],
                env={**os.environ, "CROSSLIGHT_PASSPHRASE": PASSPHRASE},
                cwd=Path(__file__).parent.parent,
                stderr=log,
                stdout=log,
                start_new_session=True,
            )

    def wait_until_ready(self, index: int, seconds: float = 60) -> None:
        """Wait until /readyz answers 200; raises AssertionError with the log where the process ends or time is up."""
        self._wait_for(index, "/readyz", seconds)

    def wait_until_alive(self, index: int, seconds: float = 60) -> None:
        """Wait until /healthz answers 200: a holder without an epoch is alive and not ready."""
        self._wait_for(index, "/healthz", seconds)

    def _wait_for(self, index: int, path: str, seconds: float) -> None:
        address = self.trust.agreement.holders[index - 1].address
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.processes[index].poll() is None:
            try:
                if httpx.get(f"{address}{path}", trust_env=False, timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError((self.homes[index] / "holder.log").read_text("utf-8", errors="replace"))

    def counted(self, index: int, institution_id: str, family: str) -> int:
        """What `crosslight holder counts` shows of today, as an operator would read it beside the running service."""
        command = [sys.executable, "-m", "cli", "holder", "counts", "--home", str(self.homes[index]), "--json"]
        shown = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, check=True).stdout
        return sum(
            row["elements"]
            for row in json.loads(shown)
            if (row["institution_id"], row["family"]) == (institution_id, family)
        )

    def kill(self, index: int) -> None:
        """End a holder's processes at once, as a power cut would."""
        os.killpg(self.processes[index].pid, signal.SIGKILL)
        self.processes[index].wait()

    def stop_all(self) -> None:
        """End every process that still runs."""
        for index, process in self.processes.items():
            if process.poll() is None:
                self.kill(index)
