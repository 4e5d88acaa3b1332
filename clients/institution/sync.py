"""One night: find what changed, make submissions of it, send them, withdraw what is gone. Protocol section 5's order.

Killed at any point, the next run goes on: what lies in the outbox is sent as it is, what was charged is asked again
under the journal's blinds, all else is drawn anew. It reads the source through two calls and knows no mapping.
"""

from __future__ import annotations

from collections.abc import Iterator

from clients.institution.blinding import Blinder
from clients.institution.changes import (
    Changes,
    SourceRow,
    check_guards,
    check_shrinking,
    gone_rows,
    needs_work,
    scan,
)
from clients.institution.evaluation import BudgetSpent
from clients.institution.night import NO_IDENTIFIER, TOO_LONG, Options, Parts, PreparedRow, Report, Reporter, Source
from clients.institution.outbox import (
    RowUpdate,
    next_seq,
    store_gone_rows,
    store_submission,
    store_unchanged_rows,
    store_unsent_rows,
)
from clients.institution.rotation import sign_again
from clients.institution.seal import Content, content, fits
from clients.institution.submission import Maker
from clients.institution.withdrawal import finality, tell_holders
from runtime.clock import unix
from runtime.progress import Progress

_SMALL_BATCH = 4096


class Sync:
    """One run. Call `run` once."""

    def __init__(self, parts: Parts, source: Source, options: Options, reporter: Reporter) -> None:
        self._parts = parts
        self._source = source
        self._options = options
        self._reporter = reporter
        self._maker = Maker(
            parts.membership,
            parts.author.signing_key,
            parts.quorum,
            Blinder(parts.quorum, parts.journal, parts.digests, parts.membership.epoch_id),
        )
        self._retired: list[RowUpdate] = []
        self.report = Report()

    def run(self) -> Report:
        """Do the whole night's work; raises UserError, after which the same call in a new run goes on."""
        parts = self._parts
        parts.delivery.reconcile()
        self.report.signed_again = sign_again(
            parts.state, parts.delivery.broker, parts.membership, parts.author.signing_key, unix(parts.clock)
        )
        self._deliver()
        changes = self._scan()
        self._withdraw_gone()
        self._send_changed(changes)
        self._retire()
        if not self.report.waiting:
            # Chunks of an earlier run that nothing needed any more.
            with parts.state.transaction():
                parts.journal.forget(parts.journal.kept())
        self._deliver()
        self.report.faults = parts.quorum.faults
        self.report.finality = finality(parts.state, parts.membership)
        return self.report

    def _deliver(self) -> None:
        """Empty the outbox: holders first, who must know of a withdrawal even while the broker is away."""
        parts = self._parts
        self.report.silent_holders = tell_holders(parts.state, parts.holders, parts.membership, parts.clock)
        parts.delivery.send_all()

    def _scan(self) -> Changes:
        parts, now = self._parts, unix(self._parts.clock)
        with self._reporter(None, "reading the source") as progress:
            changes = scan(
                parts.state,
                parts.digests,
                self._source.rows(),
                now=now,
                latest_expiry=parts.membership.expiry(now),
                progress=progress,
            )
        check_guards(changes, allow_empty=self._options.allow_empty, allow_shrink=self._options.allow_shrink)
        self.report.changes = changes
        return changes

    def _withdraw_gone(self) -> None:
        parts = self._parts
        while rows := gone_rows(parts.state, _SMALL_BATCH):
            store_gone_rows(parts.state, rows, parts.author, unix(parts.clock))
            self.report.withdrawn += sum(handle is not None for _, handle in rows)
        self._deliver()

    def _send_changed(self, changes: Changes) -> None:
        if not changes.work:
            return
        with self._reporter(changes.work, "sending changed rows") as progress:
            for batch in self._batches(progress):
                try:
                    self._submit(batch)
                except BudgetSpent as spent:
                    # The record family: no further record can be made today.
                    self.report.budget = spent.message
                    self.report.waiting += len(batch)
                    return
                progress.advance(len(batch))

    def _batches(self, progress: Progress) -> Iterator[list[tuple[Content, RowUpdate]]]:
        """The second pass: contents to be sent, a submission's worth at a time; the rest is noted on the way."""
        batch: list[tuple[Content, RowUpdate]] = []
        unsent: list[RowUpdate] = []
        unchanged: list[RowUpdate] = []
        for key, row, due in needs_work(self._parts.state, self._parts.digests, self._source.rows()):
            made, update = self._look_at(key, row)
            if made is None and update.replaces is not None:
                self._retired.append(update)
            elif made is None:
                unsent.append(update)
            elif not due and update.content_digest == self._known_content(key):
                unchanged.append(update)
            else:
                batch.append((made, update))
                if len(batch) == self._options.record_limit:
                    yield batch
                    batch = []
                continue
            progress.advance()
            if len(unsent) + len(unchanged) >= _SMALL_BATCH:
                self._note(unsent, unchanged)
                unsent, unchanged = [], []
        self._note(unsent, unchanged)
        if batch:
            yield batch

    def _look_at(self, key: bytes, row: SourceRow) -> tuple[Content | None, RowUpdate]:
        """What is to be sent of a row, None for nothing, and what the state will know of it."""
        parts = self._parts
        prepared = self._source.prepare(row)
        self.report.rejected.update((each.column, each.reason) for each in prepared.rejected)
        self.report.placeholders.update(each.column for each in prepared.placeholders)
        made = self._content(prepared)
        digest = None if made is None else parts.digests.content(made.encode())
        found = parts.state.connection.execute("SELECT handle FROM source_rows WHERE row_key = ?", (key,)).fetchone()
        return made, RowUpdate(key, parts.digests.raw(row.raw), digest, found[0] if found else None)

    def _content(self, prepared: PreparedRow) -> Content | None:
        if prepared.skipped is not None:
            self.report.skipped[prepared.skipped] += 1
            return None
        if not prepared.identifiers:
            self.report.skipped[NO_IDENTIFIER] += 1
            return None
        made = content(prepared)
        if not fits(made, self._parts.membership.padded_size):
            self.report.skipped[TOO_LONG] += 1
            return None
        return made

    def _known_content(self, key: bytes) -> bytes | None:
        found = self._parts.state.connection.execute(
            "SELECT content_digest FROM source_rows WHERE row_key = ?", (key,)
        ).fetchone()
        return found[0] if found else None

    def _note(self, unsent: list[RowUpdate], unchanged: list[RowUpdate]) -> None:
        store_unsent_rows(self._parts.state, unsent, self._parts.author, unix(self._parts.clock))
        store_unchanged_rows(self._parts.state, unchanged)
        self.report.left_out += len(unsent)
        self.report.unchanged += len(unchanged)

    def _submit(self, batch: list[tuple[Content, RowUpdate]]) -> None:
        """Make one submission, store it whole, and send it."""
        parts, now = self._parts, unix(self._parts.clock)
        updates = [update for _, update in batch]
        made = self._maker.make_submission([each for each, _ in batch], seq=next_seq(parts.state), issued_at=now)
        if made is None:
            self.report.waiting += len(batch)
            return
        store_submission(parts.state, parts.journal, made, updates, parts.author, now)
        replaced = sum(updates[each.place].replaces is not None for each in made.records)
        self.report.sent += len(made.records)
        self.report.replaced += replaced
        self.report.waiting += len(made.waiting)
        self.report.submissions += 1
        self._deliver()

    def _retire(self) -> None:
        """Withdraw the records of rows of which nothing may be sent any more (a red flag was taken back, say)."""
        if not self._retired:
            return
        parts = self._parts
        live = parts.state.connection.execute("SELECT count(handle) FROM source_rows").fetchone()[0]
        allow = self._options.allow_shrink
        check_shrinking(len(self._retired), live, "are left out by the mapping now", allow_shrink=allow)
        for start in range(0, len(self._retired), _SMALL_BATCH):
            rows = self._retired[start : start + _SMALL_BATCH]
            store_unsent_rows(parts.state, rows, parts.author, unix(parts.clock))
            self.report.withdrawn += len(rows)
            self.report.left_out += len(rows)
