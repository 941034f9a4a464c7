"""Agents' batches: exactly once by run, stream and offset, whatever is repeated."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, update

from goliat_monitoring.store import assignments, driver, tables
from goliat_monitoring.store.admission import admit_run
from goliat_monitoring.store.bulk import fetch_later, rows_of, upsert_rows
from goliat_monitoring.store.ingest.draft import RunDraft
from goliat_monitoring.store.ingest.reading import Reading, read_lines
from goliat_monitoring.store.ingest.round import Round
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.study.cases import Case
from goliat_monitoring.study.paths import PathProblem, clean_relative_path
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.lines import LOGGED, Line, lines_of_message

streams = tables.streams
STREAMS = ("run_id", "stream_id", "next_offset")
_STREAMS = """
    SELECT s.run_id, s.stream_id, s.next_offset FROM {rows}
    JOIN streams AS s ON s.run_id = v.c0 AND s.stream_id = v.c1
"""


class AgentBatch(NamedTuple):
    """One batch as an agent sent it. `steps`: its items, with lines that follow each other read together."""

    moment: Moment
    worker_id: str
    run_id: str
    fence: str | None
    said: wire.Batch
    steps: list[Reading | wire.Item]


def agent_batch(moment: Moment, worker_id: str, run_id: str, fence: str | None, said: wire.Batch) -> AgentBatch:
    """What can be applied."""
    return AgentBatch(moment, worker_id, run_id, fence, said, steps_of(said.items))


def steps_of(items: list[wire.Item]) -> list[Reading | wire.Item]:
    """Messages and lines in the order in which they came: an end must not overtake what was said before it."""
    steps: list[Reading | wire.Item] = []
    lines: list[Line] = []
    for item in items:
        if isinstance(item, wire.LineItem):
            lines.append(Line(item.time, item.level, item.source, item.text))
            continue
        if lines:
            steps.append(read_lines(lines))
            lines = []
        if isinstance(item, wire.GapItem):
            text = f"{item.count} lines were given up here: {item.reason}"
            steps.append(read_lines([Line(item.last_at, "warning", "server", text)]))
        elif isinstance(item, wire.MessageItem) and item.message.get("type") in LOGGED:
            # An agent sends lines as lines; whoever does not is understood all the same.
            found = lines_of_message(item.message, item.sent_at)
            steps.extend([read_lines(found)] if found else [])
        else:
            steps.append(item)
    if lines:
        steps.append(read_lines(lines))
    return steps


class Streams:
    """The streams that go on in one round: what of each is stored."""

    def __init__(self, group: Round, batches: Iterable[AgentBatch]) -> None:
        self._group = group
        self._next: dict[tuple[str, str], int] = {}
        self._moved: set[tuple[str, str]] = set()
        keys = {(batch.run_id, batch.said.stream) for batch in batches}
        if keys:
            source = rows_of(group.connection, streams, STREAMS[:2])
            with driver.one_journey(group.connection):
                opened = group.read_later(run_id for run_id, _ in keys)
                rows = fetch_later(group.connection, _STREAMS, source, list(keys))
            opened()
            self._next = {(run_id, stream_id): offset for run_id, stream_id, offset in rows()}

    def hear(self, batch: AgentBatch) -> wire.Accepted:
        """Apply the items that are not applied yet. Raises `Refused`, and then nothing was changed."""
        draft = self._group.get(batch.run_id)
        if draft is None:
            raise Refused(404, "no such run", batch.run_id)
        run, said = draft.run, batch.said
        admit_run(run, batch.worker_id, batch.fence)
        key = (batch.run_id, said.stream)
        expected = self._next.get(key, 0)
        if said.offset < 0 or said.offset > expected:
            raise Refused(
                409, "items are missing before this batch", f"send from offset {expected}", {"next": expected}
            )
        known = expected - said.offset
        if known < len(said.items):
            self._apply(draft, batch.moment.now, steps_of(said.items[known:]) if known else batch.steps)
            expected = said.offset + len(said.items)
            self._next[key] = expected
            self._moved.add(key)
        return wire.Accepted(
            next=expected,
            late=draft.late,
            directive="kill" if draft.late else run.directive,
            reason=f"the run is over: {run.state}" if draft.late else "",
        )

    def save(self) -> None:
        """Write how far each stream has come."""
        rows = [(*key, self._next[key]) for key in sorted(self._moved)]
        upsert_rows(self._group.connection, streams, STREAMS, rows, {"next_offset": "excluded.next_offset"})
        self._moved = set()

    def _apply(self, draft: RunDraft, now: int, steps: list[Reading | wire.Item]) -> None:
        draft.now = max(draft.now, now)
        for step in steps:
            match step:
                case Reading():
                    draft.hear_lines(step, now, proves=True, hold=False)
                case wire.MessageItem():
                    draft.hear_message(step.message, step.sent_at, now, proves=True)
                case wire.SampleItem():
                    draft.hear_vitals(step.values, step.at, now)
                case wire.CasesItem():
                    _learn_cases(self._group.connection, draft.run, step)


def _learn_cases(connection: Connection, run: Row[Any], item: wire.CasesItem) -> None:
    """The machine could resolve what the server could not. Known cases are never replaced."""
    if run.assignment_id is None:
        return
    assignment = assignments.get(connection, run.assignment_id)
    if assignments.expected_cases(connection, assignment.id):
        return
    found = []
    # One that is told twice is one: the batch would be sent again for ever, as below.
    for ordinal, ref in enumerate({ref.key: ref for ref in item.cases}.values()):
        phantom, frequency, placement = ([*ref.key.split("/", 2), "", ""])[:3]
        found.append(
            Case(
                key=ref.key,
                ordinal=ordinal,
                phantom=phantom,
                frequency=frequency.removesuffix("MHz"),
                placement=placement,
                details=ref.details,
                relative_path=_folder(ref.relative_path),
                weight=1.0,
            )
        )
    assignments.add_cases(connection, assignment.id, found)
    connection.execute(
        update(tables.assignments)
        .where(tables.assignments.c.id == assignment.id)
        .values(phases=msgspec.json.encode(item.phases).decode())
    )


def _folder(path: str) -> str:
    try:
        return clean_relative_path(path)
    except PathProblem:
        # The batch is kept all the same: it would be sent again for ever.
        return ""
