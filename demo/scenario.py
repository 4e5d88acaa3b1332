"""One run of everything: homes and settings for all parties, their processes on loopback, a night's sync, an opening.

What the demonstration, the end-to-end tests and the chaos runs share. Talks to parties through `crosslight` alone.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.settings import BrokerSettings
from clients.log.source import HttpLog
from demo.ceremony import AUDITOR, HOLDERS, RECIPIENT, Institution, hold_ceremony
from demo.own_files import RECORD_ID, OwnFile, mapping_toml, region_of
from demo.processes import Finished, Processes, free_port
from keyholder.settings import HolderSettings
from policies.agreement.draft import AgreementDraft
from policies.documents import SignedDocument
from policies.log.checkpoint import CosignedCheckpoint
from policies.service_settings import read_settings, write_settings
from runtime.clock import Clock
from runtime.exits import ExitCode, UserError

COSIGNING_SECONDS = 60
"""How long the key holders may take until they cosigned the log's newest checkpoint."""

MATCHING_SECONDS = 600
"""How long the broker's worker may take until everything that was sent is matched."""


@dataclass(frozen=True)
class Ports:
    """Where the services listen on loopback."""

    broker: int = field(default_factory=free_port)
    holders: tuple[int, ...] = field(default_factory=lambda: tuple(free_port() for _ in range(HOLDERS)))

    @property
    def broker_url(self) -> str:
        """Scheme and host of the broker."""
        return _url(self.broker)

    @property
    def holder_urls(self) -> tuple[str, ...]:
        """Scheme and host of each holder."""
        return tuple(map(_url, self.holders))


@dataclass(frozen=True)
class Audit:
    """What the auditor did and found: leaves verified, decisions replayed, answers that differ, findings."""

    leaves: int
    decisions: int
    differ: int
    findings: tuple[str, ...]


class Scenario:
    """A folder of homes, and the processes of the parties in them."""

    def __init__(
        self,
        folder: Path,
        files: Sequence[OwnFile],
        *,
        rules: AgreementDraft,
        clock: Clock,
        region: str | None = None,
        database_url: str = "",
        holders: int = HOLDERS,
        ports: Ports | None = None,
        passphrase: str | None = None,
    ) -> None:
        self.folder = folder
        self.files = list(files)
        self.rules = rules
        self.terms = rules.terms
        self.ports = ports or Ports()
        self._clock = clock
        self._region = region
        self._database_url = database_url
        self._holders = holders
        (folder / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "temporary").mkdir(mode=0o700, exist_ok=True)
        self._passphrase = passphrase or secrets.token_urlsafe(24)
        self.processes = Processes(
            folder / "logs", {"CROSSLIGHT_PASSPHRASE": self._passphrase, "TMPDIR": str(folder / "temporary")}
        )

    def home(self, party_id: str) -> Path:
        """A party's home folder."""
        return self.folder / "homes" / party_id

    @property
    def institution_ids(self) -> list[str]:
        """The institutions' ids."""
        return [own.institution_id for own in self.files]

    def set_up(self) -> SignedDocument:
        """Hold the ceremony, write every party's home and settings, and return the agreement that all signed."""
        ceremony = hold_ceremony(
            [Institution(own.institution_id, own.rows) for own in self.files],
            broker_url=self.ports.broker_url,
            holder_urls=self.ports.holder_urls,
            clock=self._clock,
            rules=self.rules,
        )
        ceremony.write_homes(self.folder / "homes", self._passphrase)
        bind: dict[str, str | int] = {"bind": f"127.0.0.1:{self.ports.broker}", "workers": 1}
        if self._database_url:
            bind["database_url"] = self._database_url
        write_settings(BrokerSettings, self.home("broker"), bind)
        for index, port in enumerate(self.ports.holders, start=1):
            write_settings(
                HolderSettings, self.home(f"holder{index}"), {"index": index, "bind": f"127.0.0.1:{port}", "workers": 1}
            )
        for own in self.files:
            home = self.home(own.institution_id)
            region = self._region or region_of(own, self.files)
            (home / "mapping.toml").write_text(mapping_toml(own, region=region), "utf-8")
        return ceremony.agreement

    def start(self) -> None:
        """Start broker, worker and key holders, and wait until all are ready."""
        started = [self.start_service("broker")]
        self.start_service("worker")
        started += [self.start_service(f"holder{index}") for index in range(1, self._holders + 1)]
        for party, url in started:
            self.processes.wait_until_ready(party, url)

    def start_service(self, name: str) -> tuple[str, str]:
        """Start one service by name: broker, worker, or a holder's party id. Returns its party and its URL."""
        if name == "worker":
            self.processes.start("worker", ["broker", "worker", "--home", str(self.home("broker"))])
            return "worker", ""
        if name == "broker":
            self.processes.start("broker", ["broker", "serve", "--home", str(self.home("broker"))])
            return "broker", self.ports.broker_url
        self.processes.start(name, ["holder", "serve", "--home", str(self.home(name))])
        return name, self.ports.holder_urls[int(name.removeprefix("holder")) - 1]

    def sync_command(self, institution_id: str) -> list[str]:
        """The arguments of one institution's night."""
        return ["institution", "sync", "--home", str(self.home(institution_id)), "--json"]

    def sync(self, institution_id: str) -> dict[str, Any]:
        """One institution's night; its report. Raises UserError with the command's own sentence where it failed."""
        finished = self.processes.run(institution_id, self.sync_command(institution_id))
        report: dict[str, Any] = _report(f"the sync of {institution_id}", finished)
        return report

    def wait_until_matched(self) -> None:
        """Return once the worker has nothing left to do. Raises UserError where that takes too long."""
        deadline = time.monotonic() + MATCHING_SECONDS
        arguments = ["broker", "status", "--home", str(self.home("broker")), "--json"]
        while time.monotonic() < deadline:
            status = _report("the broker's status", self.processes.run("broker", arguments))
            if not any(status[name] for name in ("unmatched_submissions", "removals_waiting", "alerts_to_judge_again")):
                return
            time.sleep(0.3)
        raise UserError("The broker's worker did not finish matching.", ExitCode.UNREACHABLE)

    def wait_until_cosigned(self) -> str:
        """Return, once the witnesses cosigned the log as it is now, their checkpoint; UserError where they do not."""
        deadline = time.monotonic() + COSIGNING_SECONDS
        with HttpLog(self.ports.broker_url) as log:
            size = CosignedCheckpoint(log.checkpoint()).checkpoint.size
            while time.monotonic() < deadline:
                cosigned = log.cosigned()
                if cosigned is not None and CosignedCheckpoint(cosigned).checkpoint.size >= size:
                    return cosigned
                time.sleep(0.3)
        raise UserError("The key holders did not cosign the broker's log.", ExitCode.UNREACHABLE)

    def open_all(self) -> dict[str, Any]:
        """Have the charity open every alert; its report, with the pairs that it could read back."""
        home = str(self.home(RECIPIENT))
        arguments = ["charity", "open", "--all", "--purpose", self.rules.purposes[0].code, "--home", home, "--json"]
        report: dict[str, Any] = _report("the charity's opening", self.processes.run(RECIPIENT, arguments))
        return report

    def audit(self) -> Audit:
        """Have the auditor verify the log and replay every decision; what it found. Raises UserError."""
        home = str(self.home(AUDITOR))
        verified = self._auditors(["auditor", "log", "verify", "--home", home, "--json"])
        replayed = self._auditors(["auditor", "replay", "--home", home, "--json"])
        findings = [each["sentence"] for each in (*verified["findings"], *replayed["findings"])]
        return Audit(verified["size"], replayed["replayed"], replayed["differ"], tuple(findings))

    def _auditors(self, arguments: Sequence[str]) -> Any:
        """The JSON of an auditor's command, which ends with its own exit code where it finds something."""
        finished = self.processes.run(AUDITOR, arguments)
        if finished.exit_code == ExitCode.VERIFICATION_FAILED and finished.output:
            return json.loads(finished.output)
        return _report("the audit", finished)

    def handle_of(self, institution_id: str, row_id: str) -> bytes | None:
        """The handle (16 bytes) of an opened record, from the charity's case files; None where it was not opened."""
        home = str(self.home(RECIPIENT))
        arguments = ["charity", "export", "--all", "--purpose", self.rules.purposes[0].code, "--home", home]
        for case in _report("the charity's export", self.processes.run(RECIPIENT, arguments)):
            for record in case["records"]:
                if (record["institution_id"], record["fields"].get(RECORD_ID)) == (institution_id, row_id):
                    return bytes.fromhex(record["handle"])
        return None

    @property
    def broker_database(self) -> str:
        """The URL of the broker's database."""
        return read_settings(BrokerSettings, self.home("broker"), {}).database


def _report(what: str, finished: Finished) -> Any:
    """The JSON that a command printed; UserError where it ended otherwise than well."""
    if finished.exit_code != ExitCode.OK:
        raise UserError(
            f"{what.capitalize()} ended with {finished.exit_code}: {finished.complaint}", ExitCode.PARTLY_DONE
        )
    return json.loads(finished.output)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"
