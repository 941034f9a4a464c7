"""The way of nearly every message: log lines of a known machine that change nothing but its log and the counts of it.

`store.ingest.bare` and `store.ingest.round` can do all that is done here, for many times the work: they are for
whatever begins, ends or proves something, and for what is written again once a second.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from goliat_monitoring.fleet.bare import is_newest
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.timing import LEASE
from goliat_monitoring.store import runs, tables
from goliat_monitoring.store.bulk import insert_rows, update_rows
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.ingest.bare import GuiMessage, says_already
from goliat_monitoring.store.ingest.draft import is_near
from goliat_monitoring.store.log.window import WINDOW, held_row
from goliat_monitoring.store.memory import Known, Memory

COUNTS = ("warnings", "errors")
_RUNNING = RunState.RUNNING.value


def take_calm(connection: Connection, group: Sequence[object]) -> list[str | None]:
    """Apply what of `group` is calm. Returns the run that each message went to; None for those that are left.

    A machine's messages keep their order: all that it says in this group is calm, or nothing of it is taken.
    """
    memory = Memory.of(connection)
    calm = {} if memory is None else _calm_machines(memory, group)
    if memory is None or not calm:
        return [None] * len(group)
    answers: list[str | None] = []
    held = list[tuple[Any, ...]]()
    counted: dict[str, tuple[str, int, int]] = {}
    for heard in group:
        if not isinstance(heard, GuiMessage) or heard.machine_id not in calm:
            answers.append(None)
            continue
        run, reading = calm[heard.machine_id].run, heard.reading
        assert reading is not None  # noqa: S101 - else it is not calm
        assert reading.body is not None  # noqa: S101 - likewise
        held.append(held_row(run.id, heard.moment.now, reading.first_at, reading.last_at, reading.body))
        if reading.warnings or reading.errors:
            _, warnings, errors = counted.get(run.id) or (run.id, run.warnings, run.errors)
            counted[run.id] = (run.id, warnings + reading.warnings, errors + reading.errors)
        answers.append(run.id)
    insert_rows(connection, tables.log_window, WINDOW, held)
    update_rows(connection, tables.runs, COUNTS, list(counted.values()))
    memory.update(COUNTS, counted.values())
    for known in calm.values():
        touch(connection, f"log:{known.run.id}", *runs.topics_of(known.run.id, known.sender.id))
    return answers


def _calm_machines(memory: Memory, group: Sequence[object]) -> dict[str, Known]:
    """The machines that say nothing else in this group."""
    calm: dict[str, Known] = {}
    others = set[str]()
    for heard in group:
        if isinstance(heard, GuiMessage) and heard.machine_id not in others:
            known = calm.get(heard.machine_id) or memory.get(heard.machine_id)
            if known is not None and _is_calm(known, heard):
                calm[heard.machine_id] = known
            else:
                calm.pop(heard.machine_id, None)
                others.add(heard.machine_id)
    return calm


def _is_calm(known: Known, heard: GuiMessage) -> bool:
    """Whether the rows of worker and run say already all that follows from this message, but for the counts."""
    reading, now = heard.reading, heard.moment.now
    if reading is None or reading.body is None or not reading.is_calm or heard.sequence0_at is not None:
        return False
    run = known.run
    return bool(
        run.state == _RUNNING
        and says_already(known.sender, heard)
        and run.sender_ip == heard.ip
        and is_newest(run.sequence0_sender_at, run.finished_sender_at, heard.sent_at, None)
        and run.first_sign_at is not None
        and run.last_line_sender_at is not None
        and is_near(run.last_sign_at, now)
        and is_near(run.last_life_at, now)
        and is_near(run.lease_until, now + LEASE)
    )
