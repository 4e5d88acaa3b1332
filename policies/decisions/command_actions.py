"""Which action each command is: the one table that a test holds against the command line, both ways.

Names commands as they are typed after `crosslight`. Knows no command's code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "make-keys": ("party keys",),
    "draft-document": ("agreement new", "epoch new", "roster new"),
    "read-document": (
        "agreement show",
        "agreement diff",
        "agreement verify",
        "epoch show",
        "epoch verify",
        "roster show",
        "roster verify",
    ),
    "sign-document": ("agreement cosign", "epoch sign", "roster sign"),
    "merge-signatures": ("agreement merge", "epoch merge", "roster merge"),
    "pin-agreement": ("agreement pin",),
    "accept-document": ("agreement accept", "epoch accept", "roster accept", "holder accept", "broker accept"),
    "bring-document": ("agreement publish",),
    "suspend-party": ("agreement suspend",),
    "leave-agreement": ("agreement leave",),
    "simulate-agreement": ("agreement simulate",),
    "explain-decision": ("agreement explain",),
    "make-recipient-key": ("roster key", "charity epoch-key"),
    "set-up-service": ("holder init", "broker init"),
    "run-service": ("holder serve", "holder follow", "broker serve", "broker worker", "broker log"),
    "maintain-database": ("holder migrate", "broker migrate"),
    "generate-keys": ("holder keygen",),
    "suspend-locally": ("holder suspend", "holder resume"),
    "read-counts": ("holder counts",),
    "read-openings": ("holder openings",),
    "read-overview": ("broker status",),
    "read-caps": ("broker caps",),
    "set-up-client": ("institution init",),
    "preview-records": ("institution preview",),
    "send-records": ("institution sync",),
    "read-own-status": ("institution status", "institution receipts"),
    "withdraw-records": ("institution withdraw",),
    "rotate-key": ("institution rotate-key",),
    "list-alerts": ("charity alerts",),
    "read-alert": ("charity show",),
    "ask-for-opening": ("charity open",),
    "export-case": ("charity export",),
    "review-case": ("charity desk", "charity decisions", "charity purge"),
    "verify-log": ("auditor log verify",),
    "audit-policies": ("auditor policies",),
    "audit-decisions": ("auditor decisions",),
    "audit-evaluations": ("auditor evaluations",),
    "replay-decisions": ("auditor replay",),
    "write-report": ("auditor report",),
    "open-audit-console": ("auditor console",),
    "verify-proof": ("log policy", "log checkpoint", "log proof", "log evidence", "auditor verify-report"),
    "check-installation": ("doctor",),
    "run-demo": ("demo",),
}

COMMAND_ACTIONS: Final[Mapping[str, str]] = {
    command: action for action, commands in _ACTIONS.items() for command in commands
}
"""The action of every command."""
