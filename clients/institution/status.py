"""The state of one institution in one epoch, in counts: for a person who asks, and for a monitor. Reads only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from clients.institution.kept_answers import newest_answers
from clients.institution.log_proofs import count_unproven
from clients.institution.membership import Membership
from clients.institution.outbox import next_seq
from clients.institution.state import State
from clients.institution.sync_report import finality_to_json
from clients.institution.withdrawal import Finality, finality
from wire.messages.institution_status import InstitutionStatus


@dataclass(frozen=True, slots=True)
class Status:
    """Counts of one epoch's state; times in Unix seconds.

    rows            rows of the source that are known
    live            records that are neither withdrawn nor expired
    outbox          statements that the broker has not signed for
    charged_chunks  chunks in the journal: charged, and not used yet
    provisional_receipts  statements that the broker signed for and that no cosigned checkpoint is known to cover
    decisions       what the agreement's rules answered in the newest sync, and to how many rows
    """

    institution_id: str
    epoch_number: int
    epoch_id: str
    epoch_ends: int
    roster_version: int
    rows: int
    live: int
    last_seq: int
    outbox: int
    charged_chunks: int
    next_renewal: int | None
    last_sync: int | None
    withdrawals: Finality
    provisional_receipts: int
    decisions: tuple[dict[str, Any], ...]


def local_status(state: State, membership: Membership, now: int) -> Status:
    """Count what the state holds."""

    def one(question: str) -> Any:
        return state.connection.execute(question).fetchone()[0]

    live, next_renewal = state.connection.execute(
        """SELECT count(*), min(expires_at - (expires_at - issued_at) / 10) FROM records
           WHERE withdrawal_seq IS NULL AND expires_at > ?""",
        (now,),
    ).fetchone()
    return Status(
        institution_id=membership.institution_id,
        epoch_number=membership.epoch_number,
        epoch_id=membership.epoch_id.hex(),
        epoch_ends=membership.not_after,
        roster_version=membership.roster_version,
        rows=one("SELECT count(*) FROM source_rows"),
        live=live,
        last_seq=next_seq(state) - 1,
        outbox=one("SELECT count(*) FROM statements WHERE delivered_at IS NULL"),
        charged_chunks=one("SELECT count(*) FROM journal"),
        next_renewal=next_renewal,
        last_sync=one("SELECT max(delivered_at) FROM statements"),
        withdrawals=finality(state, membership),
        provisional_receipts=count_unproven(state),
        decisions=tuple(newest_answers(state)),
    )


def status_to_json(status: Status, broker: InstitutionStatus | None, waiting_key: bool) -> dict[str, Any]:
    """The status as JSON; `broker` is null where it was not asked or not reached."""
    seen = None if broker is None else {"last_seq": broker.last_seq, "records_live": broker.records_live}
    return {
        **asdict(status),
        "withdrawals": finality_to_json(status.withdrawals),
        "broker": seen,
        "rotation_waits": waiting_key,
    }


def render_status(status: Status, broker: InstitutionStatus | None, waiting_key: bool) -> str:
    """The status in words."""
    lines = [
        f"{status.institution_id}, epoch {status.epoch_number} until {_day(status.epoch_ends)}, roster "
        f"{status.roster_version}",
        f"{status.rows} rows known, {status.live} live records"
        + (f", the first renewed from {_day(status.next_renewal)} on" if status.next_renewal else ""),
        f"{status.last_seq} statements made, {status.outbox} in the outbox"
        + (f", last delivered {_day(status.last_sync)}" if status.last_sync else ""),
    ]
    if status.charged_chunks:
        lines.append(f"{status.charged_chunks} charged chunks wait in the journal for the next sync")
    if broker is None:
        lines.append("the broker was not asked, or cannot be reached")
    else:
        lines.append(f"the broker has {broker.last_seq} statements and {broker.records_live} live records")
    if status.provisional_receipts:
        lines.append(f"{status.provisional_receipts} receipts are provisional until the log's witnesses cosigned them")
    refused = [each for each in status.decisions if not each["record"]["allowed"]]
    for each in refused:
        left_out = f"{each['rows']} rows left out" if each["rows"] else "nothing could be sent"
        lines.append(f"{left_out} by the agreement's rule {', '.join(each['record']['rules'])}")
    if waiting_key:
        lines.append("a new signing key waits for a roster that names it")
    lines.append(status.withdrawals.sentence())
    return "\n".join(lines)


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
