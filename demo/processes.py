"""Starts every party as a process of its own on loopback, waits for it, stops it, and counts its CPU seconds.

Knows command lines and ports alone: no key, no document and no row passes through here.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from runtime.exits import ExitCode, UserError

READY_SECONDS = 60
"""How long a service may take until its /readyz answers 200."""


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Finished:
    """What a command that ran to its end left: exit code, standard output, the last line of standard error."""

    exit_code: int
    output: str = field(repr=False)
    complaint: str


@dataclass
class Processes:
    """The scenario's running services and the CPU seconds that each party has used so far.

    `environment` is what every process gets beside the inherited one (the passphrase of its key file); `log_folder`
    takes each service's standard error.
    """

    log_folder: Path
    environment: Mapping[str, str] = field(repr=False)
    cpu_seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _services: list[tuple[str, subprocess.Popen[bytes]]] = field(default_factory=list)

    def start(self, party: str, arguments: Sequence[str]) -> None:
        """Start a service of `party`: `crosslight` with these arguments."""
        log = (self.log_folder / f"{party}-{len(self._services)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli", *arguments],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._services.append((party, process))

    def wait_until_ready(self, party: str, url: str) -> None:
        """Return once `url`/readyz answers 200. Raises UserError where the service ended or stays unready."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            ended = [process for name, process in self._services if name == party and process.poll() is not None]
            if ended:
                raise UserError(f"{party} ended at its start; its log is in {self.log_folder}.", ExitCode.UNREACHABLE)
            try:
                if httpx.get(f"{url}/readyz", timeout=2, trust_env=False).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise UserError(f"{party} did not become ready; its log is in {self.log_folder}.", ExitCode.UNREACHABLE)

    def run(self, party: str, arguments: Sequence[str]) -> Finished:
        """Run one command of `party` to its end and add its CPU seconds to the party's."""
        output_path = self.log_folder / f"{party}-command.out"
        error_path = self.log_folder / f"{party}-command.err"
        with output_path.open("wb") as output, error_path.open("wb") as error:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli", *arguments],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=error,
            )
            exit_code = self._reap(party, process)
        complaints = error_path.read_text("utf-8", "replace").strip().splitlines()
        return Finished(exit_code, output_path.read_text("utf-8"), complaints[-1] if complaints else "")

    def is_running(self, party: str) -> bool:
        """Whether a service of `party` runs."""
        return any(name == party and process.poll() is None for name, process in self._services)

    def kill(self, party: str) -> None:
        """Kill -9 a running service of `party` with all its children, as a power cut would."""
        for service in [one for one in self._services if one[0] == party and one[1].returncode is None]:
            os.killpg(service[1].pid, signal.SIGKILL)
            self._reap(*service)
            self._services.remove(service)

    def attend(self, party: str, arguments: Sequence[str]) -> int:
        """Run one command of `party` at this terminal until it ends; its exit code."""
        process = subprocess.Popen([sys.executable, "-m", "cli", *arguments], env={**os.environ, **self.environment})
        try:
            return self._reap(party, process)
        except KeyboardInterrupt:
            # The terminal sends the interrupt to the whole group: the command is ending by itself.
            self._reap(party, process)
            raise

    def start_at_terminal(self, party: str, arguments: Sequence[str]) -> None:
        """Start a command of `party` that says at this terminal where it is found, and goes on until it is stopped."""
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", *arguments],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._services.append((party, process))

    def used(self) -> dict[str, float]:
        """CPU seconds a party, of what has ended and of what still runs."""
        total = defaultdict(float, self.cpu_seconds)
        for party, process in self._services:
            if process.returncode is None:
                total[party] += _living_cpu_seconds(process.pid)
        return {party: round(seconds, 2) for party, seconds in sorted(total.items())}

    def stop(self) -> None:
        """Ask every service to end, take its CPU seconds, and kill what does not listen."""
        running = [(party, process) for party, process in self._services if process.returncode is None]
        for _, process in running:
            process.send_signal(signal.SIGTERM)
        for party, process in running:
            killer = time.monotonic() + 10
            while time.monotonic() < killer and not _has_ended(process.pid):
                time.sleep(0.05)
            if not _has_ended(process.pid):
                os.killpg(process.pid, signal.SIGKILL)
            self._reap(party, process)

    def _reap(self, party: str, process: subprocess.Popen[bytes]) -> int:
        """Wait for a process and add what it and its own ended children used."""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds[party] += usage.ru_utime + usage.ru_stime
        return process.returncode


def _has_ended(pid: int) -> bool:
    """Whether the process is gone or a zombie. It is not reaped here: its CPU seconds are still wanted."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _living_cpu_seconds(pid: int) -> float:
    """User and system seconds of a running process and its children."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
        return sum(sum(member.cpu_times()[:4]) for member in family if member.is_running())
    except psutil.Error:
        return 0.0
