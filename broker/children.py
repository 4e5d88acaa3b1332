"""The broker's other programs as children of the serving process, which they outlive by at most a second.

A child inherits no passphrase in its environment; one that needs it reads it from a pipe. Knows no work.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.console import PASSPHRASE_VARIABLE


class ChildProcess:
    """`crosslight broker NAME` as a child of the serving process, which it outlives by at most a second."""

    def __init__(self, name: str, home: Path, passphrase: str | None = None) -> None:
        self._name = name
        self._home = home
        self._passphrase = passphrase
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it. It inherits no passphrase; one that needs it reads it from a pipe, which nobody else sees."""
        command = [sys.executable, "-m", "broker", self._name, "--home", str(self._home.absolute())]
        command += ["--parent", str(os.getpid())]
        if self._passphrase is not None:
            command.append("--passphrase-from-pipe")
        environment = {name: value for name, value in os.environ.items() if name != PASSPHRASE_VARIABLE}
        pipe = None if self._passphrase is None else subprocess.PIPE
        # Our own interpreter and module; the home is a path that the operator gave.
        self._process = subprocess.Popen(command, env=environment, stdin=pipe)  # noqa: S603
        if self._process.stdin is not None and self._passphrase is not None:
            with self._process.stdin as stream:
                stream.write(self._passphrase.encode())

    def terminate(self) -> None:
        """Tell it to stop after the step that it is at."""
        if self._process is not None:
            self._process.terminate()


class Children:
    """Several of them, started and told to stop together."""

    def __init__(self, children: Sequence[ChildProcess]) -> None:
        self._children = children

    def start(self) -> None:
        """Start them all."""
        for child in self._children:
            child.start()

    def terminate(self) -> None:
        """Tell them all to stop."""
        for child in self._children:
            child.terminate()
