"""The agreement's answers to what was sent, kept in the local state: each answer once, without any value of a row."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import rfc8785

from clients.institution.agreement_rules import SendingRules
from clients.institution.state import State


def keep_answers(state: State, rules: SendingRules) -> None:
    """Keep what the rules answered in this run, and to how many rows."""
    rows = []
    for combination, record in rules.answers.items():
        encoded = rfc8785.dumps(record.to_document())
        digest = hashlib.sha256(encoded).digest()
        rows.append((digest, encoded.decode(), rules.counts[combination], rules.now))
    with state.transaction() as connection:
        connection.executemany("INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?)", rows)


def newest_answers(state: State) -> list[dict[str, Any]]:
    """The answers of the newest run that had any: `record` (a decision's document), `rows`, `decided_at`."""
    found = state.connection.execute(
        """SELECT record, rows, decided_at FROM decisions
           WHERE decided_at = (SELECT max(decided_at) FROM decisions) ORDER BY rows DESC, digest"""
    )
    return [{"record": json.loads(record), "rows": rows, "decided_at": at} for record, rows, at in found]
