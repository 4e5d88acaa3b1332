"""What the overview says: checkpoint, witnesses, how far the copy reaches, what was found. Pure but for reading."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from clients.auditor.auditor import Auditor, cosigners
from policies.log.log_keys import LogKeys


@dataclass(frozen=True)
class Witness:
    """A witness of the log, and when it cosigned the checkpoint (Unix seconds); None where it did not."""

    party_id: str
    cosigned_at: int | None


@dataclass(frozen=True)
class Overview:
    """`root` as the checkpoint writes it; empty before the first verification."""

    origin: str
    log_key: str
    size: int
    verified: int
    root: str
    witnesses: tuple[Witness, ...]
    quorum: int
    cosigned: int
    counts: tuple[tuple[str, int], ...]
    decisions: int
    replayed: int
    differing: int
    findings: int
    newest_at: int


def present_overview(auditor: Auditor) -> Overview:
    """The overview of what was verified last."""
    trust, ledger = auditor.trust(), auditor.ledger
    log = LogKeys.of(trust)
    cosigned = auditor.checkpoint()
    decisions, replayed, differing = ledger.replayed()
    newest = ledger.leaf(ledger.size - 1)
    times = {key.name: cosigned.cosigned_at(key) if cosigned else None for key in log.witnesses}
    return Overview(
        log.origin,
        log.key.format(),
        ledger.size,
        cosigned.checkpoint.size if cosigned else 0,
        base64.b64encode(cosigned.checkpoint.root).decode() if cosigned else "",
        tuple(Witness(name.removeprefix(f"{log.origin}/"), at) for name, at in sorted(times.items())),
        trust.agreement.witnesses.quorum,
        len(cosigners(trust, cosigned)) if cosigned else 0,
        tuple(ledger.counts().items()),
        decisions,
        replayed,
        differing,
        len(ledger.findings()),
        newest.at if newest else 0,
    )
