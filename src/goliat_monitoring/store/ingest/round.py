"""One group of messages: their runs are read once, changed in memory, and written with a few statements.

Whoever needs a run's row as it will be (to end it, to judge it) calls `flush` for it first.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection

from goliat_monitoring.fleet.evidence import SignKind
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import driver, runs, tables, verdicts
from goliat_monitoring.store.bulk import fetch_later, insert_rows, lock_runs, rows_of, update_rows, upsert_rows
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.ingest.draft import MESSAGES_KEPT, RunDraft
from goliat_monitoring.store.ingest.reading import read_lines
from goliat_monitoring.store.ingest.simulations import FOLLOWED, Simulations, read_simulations
from goliat_monitoring.store.log import append, window
from goliat_monitoring.store.log.append import LogRows, LogState, state_values
from goliat_monitoring.store.log.held import body_of
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.samples import progress as samples

MESSAGES = ("run_id", "received_at", "sender_at", "type", "body")
COLUMNS: tuple[str, ...] = tuple(map(str.__str__, tables.runs.c.keys()))
# All of a run `r`, as `RunRow` takes it.
RUN_COLUMNS = ", ".join(f"r.{name}" for name in COLUMNS)
_READ = f"SELECT {RUN_COLUMNS} FROM runs AS r JOIN {{rows}} ON r.id = v.c0 ORDER BY r.id"  # noqa: S608 - own names
TIMES = ("run_id", "phase", "subtask", "sender_at", "seconds")


# The columns of a run by name: a row of SQLAlchemy takes five times as long to look into.
RunRow: Any = msgspec.defstruct("RunRow", [(name, Any) for name in COLUMNS], gc=False)


class Round:
    """The drafts of one group. `save` writes them all."""

    def __init__(self, connection: Connection, moment: Moment) -> None:
        """`moment`: the windows in force; the time of each message is its own."""
        self.connection = connection
        self.moment = moment
        self._drafts: dict[str, RunDraft] = {}
        # After `save`, runs whose rows are exactly as they are stored.
        self.known: dict[str, Any] = {}
        self.written: set[str] = set()
        # Whether this round changed more than what its messages say of their own runs.
        self.upheaval = False

    def open(self, row: Any) -> RunDraft:
        """The draft of the run in `row`, the same one for the whole round. Only the first row given counts."""
        draft = self._drafts.get(row.id)
        if draft is None:
            draft = self._drafts[row.id] = RunDraft(row)
        return draft

    def read(self, run_ids: Iterable[str]) -> None:
        """Read these runs in one go, locked against other server processes until the commit."""
        self.read_later(run_ids)()

    def read_later(self, run_ids: Iterable[str]) -> Callable[[], None]:
        """`read` for a block of `driver.one_journey`: a function that opens their drafts when the block is over."""
        wanted = [(run_id,) for run_id in set(run_ids) if run_id not in self._drafts]
        source = rows_of(self.connection, tables.runs, ("id",))
        rows = fetch_later(self.connection, _READ + lock_runs(self.connection), source, wanted) if wanted else list

        def opened() -> None:
            for row in rows():
                self.open(RunRow(*row))

        return opened

    def get(self, run_id: str) -> RunDraft | None:
        """The draft of a run that was read or opened before."""
        return self._drafts.get(run_id)

    def flush(self, run_id: str) -> None:
        """Write what was heard of one run now, and forget it: its row is about to change otherwise."""
        self.upheaval = True
        draft = self._drafts.pop(run_id, None)
        if draft is not None:
            self._write([draft])

    def save(self, *others: Callable[[], None]) -> None:
        """Write everything, and let `others` write in the same journey, by `store.bulk` and `store.driver` alone."""
        drafts, self._drafts = list(self._drafts.values()), {}
        self._write(drafts, *others)

    def _write(self, drafts: list[RunDraft], *others: Callable[[], None]) -> None:
        heard = [draft for draft in drafts if draft.now]
        rows = LogRows(self.connection)
        simulations = read_simulations(self.connection, [draft for draft in heard if _is_followed(draft)])
        evidence: list[tuple[Any, ...]] = []
        for draft in heard:
            evidence += self._settle(draft, simulations)
            self._add_lines(rows, draft)
        with driver.one_journey(self.connection):
            insert_rows(self.connection, tables.evidence, verdicts.EVIDENCE, evidence)
            simulations.save(self.connection)
            self._store(rows, heard)
            self._tell_states(heard, simulations)
            for other in others:
                other()
        for draft in heard:
            run = draft.run
            self.written.add(run.id)
            if not draft.signs and run.state == RunState.RUNNING and isinstance(run, RunRow):
                for name, value in draft.values.items():
                    setattr(run, name, value)
                self.known[run.id] = run

    def _store(self, rows: LogRows, heard: list[RunDraft]) -> None:
        connection = self.connection
        rows.save()
        insert_rows(connection, tables.log_window, window.WINDOW, [
            window.held_row(draft.run.id, received_at, it.first_at, it.last_at, it.body or body_of(it.lines))
            for draft in heard for received_at, it in draft.held
        ])  # fmt: skip
        insert_rows(connection, tables.messages, MESSAGES, [
            (draft.run.id, *kept)
            for draft in heard if draft.run.evidence_count < MESSAGES_KEPT for kept in draft.kept
        ])  # fmt: skip
        taken = {
            (draft.run.id, kind, 0, sender_at): (draft.run.id, kind, 0, sender_at, received_at, body)
            for draft in heard
            for kind, sender_at, received_at, body in draft.samples
        }
        samples.keep(connection, list(taken.values()))
        times = {(draft.run.id, it.phase, it.subtask, at): it.seconds for draft in heard for at, it in draft.times}
        upsert_rows(
            connection, tables.phase_times, TIMES, [(*key, seconds) for key, seconds in times.items()],
            {"seconds": "excluded.seconds"},
        )  # fmt: skip
        self._update(heard)

    def _settle(self, draft: RunDraft, simulations: Simulations) -> list[tuple[Any, ...]]:
        """Draw the conclusions from all that was heard of a run. Returns the rows of its evidence."""
        evidence = verdicts.to_keep(draft.run.id, draft.get("evidence_count"), draft.signs)
        if draft.signs:
            draft.values["evidence_count"] = draft.get("evidence_count") + len(evidence)
            signs = [sign for _, sign in draft.signs]
            if not draft.late:
                if any(sign.kind in FOLLOWED for sign in signs):
                    simulations.hear(draft, signs)
                if any(sign.kind in (SignKind.FINISHED, SignKind.MEMORY_ERROR) for sign in signs):
                    self._heard_the_end(draft)
        if _is_back(draft):
            self.upheaval = True
            draft.values |= runs.new_state(draft.run, RunState.RUNNING)
        draft.settle()
        return evidence

    def _tell_states(self, heard: list[RunDraft], simulations: Simulations) -> None:
        """Whose state changed by being heard."""
        for draft in heard:
            if _is_back(draft):
                study_id = simulations.assigned.study_of(draft)
                moment = self._at(draft)
                runs.tell_state(self.connection, moment, draft.run, RunState.RUNNING, "heard from it", study_id)

    def _add_lines(self, rows: LogRows, draft: RunDraft) -> None:
        run = draft.run
        if run.state == RunState.UNREACHABLE:
            again = append.note_line(draft.now, "Heard from the machine again.")
            draft.lines.insert(0, (draft.now, read_lines([again])))
        elif not draft.lines:
            return
        problems = draft.get("warnings") + draft.get("errors")
        state = LogState(run.line_count, run.log_token, run.tail_size, problems)
        for received_at, reading in draft.lines:
            state = rows.add(run.id, state, reading.lines, received_at, late=draft.late)
        draft.values.update(state_values(state))

    def _heard_the_end(self, draft: RunDraft) -> None:
        finished = [sign.at for _, sign in draft.signs if sign.kind is SignKind.FINISHED]
        if finished:
            draft.values["finished_at"] = draft.get("finished_at") or draft.now
            draft.values["finished_sender_at"] = max(finished)
        # An agent reports the end itself, when all was delivered. For a bare client this is all there will be.
        if draft.run.kind == "bare" and (finished or draft.get("judge_at") is None):
            draft.values["judge_at"] = draft.now + self.moment.judge_delay

    def _update(self, heard: list[RunDraft]) -> None:
        """Set the columns that changed in any of the runs, in all of them: the others get what they have."""
        changed = [draft for draft in heard if draft.values]
        columns = tuple(sorted({name for draft in changed for name in draft.values}))
        update_rows(
            self.connection,
            tables.runs,
            columns,
            [(draft.run.id, *[draft.get(name) for name in columns]) for draft in changed],
        )
        topics = set[str]()
        for draft in heard:
            topics.update(runs.topics_of(draft.run.id, draft.run.worker_id))
            if draft.held:
                topics.add(f"log:{draft.run.id}")
        touch(self.connection, *topics)

    def _at(self, draft: RunDraft) -> Moment:
        return Moment(draft.now, self.moment.reorder_window, self.moment.judge_delay, self.moment.quiet_until)


def _is_back(draft: RunDraft) -> bool:
    """Whether the run, which is not over, counts as running only now that it is heard."""
    return not draft.late and bool(draft.run.state != RunState.RUNNING)


def _is_followed(draft: RunDraft) -> bool:
    """Whether what was heard of the run says something of its simulations, or changes its state."""
    return _is_back(draft) or (not draft.late and any(sign.kind in FOLLOWED for _, sign in draft.signs))
