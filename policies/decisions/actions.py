"""Every action of the system: who may take it, where it is decided, whether it is recorded or tells of a match.

The same names stand in policies/rules/schema.cedarschema, at every route and, in command_actions.py, at every command;
tests compare all four. Knows no rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["institution", "recipient", "holder", "broker", "auditor", "anybody"]
Where = Literal["broker", "holder", "institution", "charity", "auditor", "policies"]

ANYBODY: Final = "anybody"
"""The role of whoever asks without a signature, and the party id that stands for them."""

PARTIES: Final[tuple[Role, ...]] = ("institution", "recipient", "holder", "broker", "auditor")
_WITNESSES: Final[tuple[Role, ...]] = ("institution", "recipient", "holder", "auditor")


@dataclass(frozen=True, slots=True)
class Action:
    """One action.

    text              what it is, for people: fits after "may"
    roles             who may take it at all; the rules narrow this
    where             at which programs it is decided; "policies": commands over files, at every party
    recorded          whether a decision on it is kept: as a leaf of the log, or, where it depends on a match, as one of
                      the hour's salted activities (protocol section 9); on a key holder, in its own record
    depends_on_match  whether its coming could tell somebody that records met
    """

    name: str
    text: str
    roles: frozenset[Role]
    where: tuple[Where, ...]
    recorded: bool = False
    depends_on_match: bool = False


def _action(
    name: str,
    text: str,
    roles: tuple[Role, ...],
    *where: Where,
    recorded: bool = False,
    depends_on_match: bool = False,
) -> Action:
    return Action(name, text, frozenset(roles), where, recorded, depends_on_match)


_INSTITUTION: Final[tuple[Role, ...]] = ("institution",)
_RECIPIENT: Final[tuple[Role, ...]] = ("recipient",)
_HOLDER: Final[tuple[Role, ...]] = ("holder",)
_BROKER: Final[tuple[Role, ...]] = ("broker",)
_AUDITOR: Final[tuple[Role, ...]] = ("auditor",)
_ALL: Final[tuple[Role, ...]] = (ANYBODY,)

_FOR_ANYBODY = (
    _action("check-health", "ask whether a service is alive and ready", _ALL, "broker", "holder"),
    _action("read-metrics", "read a service's metrics, from the operator's own network", _ALL, "broker", "holder"),
    _action("read-interface", "read the description of a service's interface", _ALL, "broker", "holder"),
    _action("read-log", "read the log: checkpoints, tiles, leaves", _ALL, "broker"),
    _action("cosign-checkpoint", "bring a checkpoint for a witness to cosign", _ALL, "holder"),
    _action("verify-proof", "verify checkpoints, proofs and evidence from files", _ALL, "policies"),
    _action("check-installation", "check an installation and worked protocol bytes", _ALL, "policies"),
    _action("run-demo", "run all parties on one machine", _ALL, "policies"),
)

_ON_DOCUMENTS = (
    _action("make-keys", "make a party's own keys", PARTIES, "policies"),
    _action("draft-document", "draft an agreement, an epoch document or a roster", PARTIES, "policies"),
    _action("read-document", "read, compare and verify a document in a file", PARTIES, "policies"),
    _action("sign-document", "sign a document", PARTIES, "policies"),
    _action("merge-signatures", "bring the signatures of a document together", PARTIES, "policies"),
    _action("pin-agreement", "trust an agreement by its hash", PARTIES, "policies"),
    _action("accept-document", "take a signed document into a party's home", PARTIES, "policies"),
    _action("simulate-agreement", "hold past decisions against another agreement", PARTIES, "policies"),
    _action("explain-decision", "ask why a request is allowed or refused", PARTIES, "policies"),
    _action("suspend-party", "draft the suspension of a party", PARTIES, "policies"),
    _action("leave-agreement", "leave the agreement", PARTIES, "policies"),
    _action("make-recipient-key", "make the key that an epoch's records are sealed to", _RECIPIENT, "policies"),
    _action("fetch-documents", "fetch the signed documents", PARTIES, "broker"),
    _action("bring-document", "bring a signed document", PARTIES, "broker", "holder", recorded=True),
)

_ON_SENDING = (
    _action("set-up-client", "set up an institution's client", _INSTITUTION, "institution"),
    _action("preview-records", "see what would be sent", _INSTITUTION, "institution"),
    _action("rotate-key", "replace the own signing key", _INSTITUTION, "institution"),
    _action("send-records", "send records", _INSTITUTION, "institution"),
    _action("submit-records", "open a submission of records", _INSTITUTION, "broker", recorded=True),
    _action("send-part", "send a part of a submission", _INSTITUTION, "broker"),
    _action("commit-submission", "have a submission applied", _INSTITUTION, "broker", recorded=True),
    _action("renew-signature", "sign a statement again, under a new key", _INSTITUTION, "broker", recorded=True),
    _action("read-own-submission", "read how the own submission stands", _INSTITUTION, "broker"),
    _action("read-own-status", "read the own state at the broker", _INSTITUTION, "broker"),
    _action("withdraw-records", "take records back", _INSTITUTION, "broker", "holder", recorded=True),
    _action("evaluate-identifiers", "have blinded identifiers evaluated", _INSTITUTION, "holder"),
    _action("evaluate-record-secrets", "have the secrets of own new records evaluated", _INSTITUTION, "holder"),
)

_ON_OPENING = (
    _action("list-alerts", "list alerts", _RECIPIENT, "broker", recorded=True, depends_on_match=True),
    _action("read-alert", "read an alert's evidence", _RECIPIENT, "broker", recorded=True, depends_on_match=True),
    _action(
        "ask-for-opening",
        "ask the key holders to open records",
        _RECIPIENT,
        "charity",
        recorded=True,
        depends_on_match=True,
    ),
    _action("open-records", "have records opened", _RECIPIENT, "holder", recorded=True, depends_on_match=True),
    _action("read-opened-record", "read a record that was opened", _RECIPIENT, "charity", depends_on_match=True),
    _action("review-case", "review a case at the desk", _RECIPIENT, "charity", depends_on_match=True),
    _action(
        "export-case", "write a case file in the clear", _RECIPIENT, "charity", recorded=True, depends_on_match=True
    ),
    _action(
        "request-fields",
        "ask an institution for named fields",
        ("recipient", "institution"),
        "charity",
        "institution",
        recorded=True,
        depends_on_match=True,
    ),
    _action(
        "answer-field-request",
        "answer a request for fields",
        _INSTITUTION,
        "institution",
        recorded=True,
        depends_on_match=True,
    ),
    _action(
        "report-activity",
        "report openings and exports for the hour's activity leaf",
        ("recipient", "holder"),
        "broker",
        depends_on_match=True,
    ),
)

_ON_WATCHING = (
    _action("give-cosignature", "bring a cosignature on a checkpoint", _WITNESSES, "broker"),
    _action("compare-checkpoints", "read the checkpoint that a key holder keeps as a witness", _WITNESSES, "holder"),
    _action("find-leaf", "find the place of a leaf in the log", _WITNESSES, "broker"),
    _action("read-withdrawal", "read a logged withdrawal", ("holder", "auditor"), "broker"),
    _action("read-counts", "read how much was evaluated for whom", PARTIES, "holder"),
    _action("read-activity", "read the activities behind the hourly leaf", ("recipient", "auditor"), "broker"),
    _action("read-caps", "read what was set aside as too common", ("broker", "auditor"), "broker", recorded=True),
    _action("read-openings", "read a key holder's record of openings", ("holder", "auditor"), "holder"),
    _action("verify-log", "verify the log", PARTIES, "institution", "charity", "auditor"),
    _action("audit-policies", "inspect agreements, their history and their matrix", _AUDITOR, "auditor"),
    _action("audit-decisions", "inspect decisions", _AUDITOR, "auditor"),
    _action("audit-evaluations", "hold evaluations against submissions", _AUDITOR, "auditor"),
    _action("replay-decisions", "replay decisions", _AUDITOR, "auditor"),
    _action("write-report", "write a signed report", _AUDITOR, "auditor"),
    _action("open-audit-console", "open the auditor's console", _AUDITOR, "auditor"),
)

_ON_OPERATING = (
    _action("set-up-service", "set up a service", ("holder", "broker"), "holder", "broker"),
    _action("run-service", "run a service", ("holder", "broker"), "holder", "broker"),
    _action("maintain-database", "bring a database to the newest schema", ("holder", "broker"), "holder", "broker"),
    _action("read-overview", "read what the database holds", _BROKER, "broker"),
    _action("suspend-locally", "suspend a party for oneself, or resume it", _HOLDER, "holder"),
    _action("generate-keys", "generate an epoch's keys with the other holders", _HOLDER, "holder"),
    _action("send-keygen-message", "send a message of key generation", _HOLDER, "holder"),
)

ACTIONS: Final[Mapping[str, Action]] = {
    action.name: action
    for group in (_FOR_ANYBODY, _ON_DOCUMENTS, _ON_SENDING, _ON_OPENING, _ON_WATCHING, _ON_OPERATING)
    for action in group
}

WITHOUT_ROUTE: Final[frozenset[str]] = frozenset({"request-fields", "answer-field-request", "read-opened-record"})
"""Actions with neither route nor command: fields are asked for by a relay that does not exist yet (protocol section
7, step 2), and an opened record is read inside the desk, which decides before it shows anything."""
