"""The only module that changes the state of an assignment and of its cases, in the transaction that changes the run."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from goliat_monitoring.fleet.states import AssignmentState
from goliat_monitoring.store import driver, tables
from goliat_monitoring.store.bulk import execute, fetch_later, insert_rows, marked, rows_of
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.events import record
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.study.cases import Case, Phases
from goliat_monitoring.wire.errors import Refused

assignments, cases = tables.assignments, tables.cases
_ONE = select(assignments).where(assignments.c.id == bindparam("one"))
_CASES = """
    SELECT case_key, ordinal, phantom, frequency, placement, details, relative_path, weight FROM cases
    WHERE assignment_id = {value} ORDER BY ordinal
"""
_START = (
    update(assignments)
    .where(assignments.c.id == bindparam("one"))
    .values(
        state=AssignmentState.RUNNING,
        attempts=bindparam("attempt"),
        last_run_id=bindparam("run"),
        started_at=func.coalesce(assignments.c.started_at, bindparam("now")),
        completed_at=None,
        updated_at=bindparam("now"),
    )
)

_START_FIRST = """
    UPDATE assignments SET state = 'RUNNING', attempts = 1, last_run_id = v.c1, completed_at = NULL, updated_at = v.c2,
    started_at = coalesce(assignments.started_at, v.c2)
    FROM {rows} WHERE assignments.id = v.c0 AND assignments.state = 'PENDING' AND assignments.attempts = 0
    RETURNING assignments.id
"""
_SETTLE = """
    UPDATE assignments SET state = {value}, memory_errors = memory_errors + {value}, not_before = {value},
    prefer_until = {value}, vram_above = {value}, ask = {value}, cancel_asked = false, completed_at = {value},
    updated_at = {value} WHERE id = {value}
"""
_LEARN_TOTAL = """
    UPDATE assignments SET expected_total = v.c1 FROM {rows}
    WHERE assignments.id = v.c0 AND assignments.expected_total IS NULL
"""
# The first run that completed a case stays the one whose files are shown.
_MARK = """
    UPDATE cases SET state = v.c2, run_id = CASE WHEN v.c2 = 'done' THEN v.c3 END FROM {rows}
    WHERE cases.assignment_id = v.c0 AND cases.case_key = v.c1
    AND cases.state <> v.c2 AND (cases.state <> 'done' OR cases.run_id = v.c3)
"""
_WEIGH = """
    UPDATE assignments SET updated_at = v.c1, done_weight = (
        SELECT coalesce(sum(c.weight), 0.0) FROM cases AS c WHERE c.assignment_id = assignments.id AND c.state = 'done'
    ) FROM {rows} WHERE assignments.id = v.c0
"""

_ADDED = (
    "id", "super_study_id", "index", "config", "requirements", "state", "phases", "expected_total", "weight",
    "created_at", "updated_at",
)  # fmt: skip
_OF_CASE = ("ordinal", "phantom", "frequency", "placement", "details", "relative_path", "weight")


class Added(NamedTuple):
    """A new assignment. `place`: its index; `config`, `requirements` and `phases` are JSON; `cases`: None while nobody
    knows them.
    """

    id: str
    place: int
    config: str
    requirements: str
    phases: str
    cases: Sequence[Case] | None


class CaseState(NamedTuple):
    """What a run says of a case of its assignment: `done`, `failed` or `pending`. `at`: when it did."""

    assignment_id: str
    case_key: str
    state: str
    run_id: str
    at: int


def get(connection: Connection, assignment_id: str) -> Row[tuple[object, ...]]:
    """The assignment's row. Raises `Refused` 404."""
    row = connection.execute(_ONE, {"one": assignment_id}).one_or_none()
    if row is None:
        raise Refused(404, "no such assignment", assignment_id)
    return row


def expected_cases(connection: Connection, assignment_id: str) -> list[Case]:
    """The cases that the assignment asks for, in order; empty while nobody knows them."""
    return expected_later(connection, assignment_id)()


def expected_later(connection: Connection, assignment_id: str | None) -> Callable[[], list[Case]]:
    """`expected_cases` for a block of `driver.one_journey`; none of no assignment."""
    rows = driver.fetch_later(connection, marked(connection, _CASES), (assignment_id,))
    return lambda: [Case(*row) for row in rows()]


def phases_of(row: Row[tuple[object, ...]]) -> Phases:
    """Which phases the assignment's config asks for."""
    return msgspec.convert(msgspec.json.decode(row.phases), Phases) if row.phases != "{}" else Phases()


def add(connection: Connection, moment: Moment, study_id: str, added: Sequence[Added]) -> None:
    """Record new assignments of a study with what they ask for, in a few statements however many they are."""
    insert_rows(connection, assignments, _ADDED, [
        (it.id, study_id, it.place, it.config, it.requirements, AssignmentState.PENDING.value, it.phases,
         None if it.cases is None else len(it.cases), _weight(it.cases or ()), moment.now, moment.now)
        for it in added
    ])  # fmt: skip
    _insert_cases(connection, [(it.id, case) for it in added for case in it.cases or ()])


def add_cases(connection: Connection, assignment_id: str, found: Sequence[Case]) -> None:
    """Record the expected cases of an assignment, its expected number of simulations and its weight."""
    _insert_cases(connection, [(assignment_id, case) for case in found])
    connection.execute(
        update(assignments)
        .where(assignments.c.id == assignment_id)
        .values(expected_total=len(found), weight=_weight(found))
    )


def _insert_cases(connection: Connection, asked: Sequence[tuple[str, Case]]) -> None:
    """`asked`: each with the assignment that asks for it."""
    insert_rows(connection, cases, ("assignment_id", "case_key", *_OF_CASE), [
        (assignment_id, case.key, case.ordinal, case.phantom, case.frequency, case.placement, case.details,
         case.relative_path, case.weight)
        for assignment_id, case in asked
    ])  # fmt: skip


def _weight(found: Sequence[Case]) -> float:
    return sum(case.weight for case in found) or 1.0


def start(connection: Connection, moment: Moment, row: Row[tuple[object, ...]], run_id: str) -> int:
    """The assignment is now run by `run_id`. Returns the number of this attempt."""
    attempt = row.attempts + 1
    connection.execute(_START, {"one": row.id, "attempt": attempt, "run": run_id, "now": moment.now})
    _touch(connection, row)
    return int(attempt)


def start_first(connection: Connection, moment: Moment, started: Sequence[tuple[str, str]]) -> driver.Later:
    """`start` for many that nobody has tried: (assignment, run) of each. Tells later which of them nobody had."""
    source = rows_of(connection, assignments, ("id", "last_run_id", "updated_at"))
    rows = [(assignment_id, run_id, moment.now) for assignment_id, run_id in started]
    return fetch_later(connection, _START_FIRST, source, rows)


def settle(
    connection: Connection,
    moment: Moment,
    row: Row[tuple[object, ...]],
    state: AssignmentState,
    *,
    memory_error: bool = False,
    not_before: int | None = None,
    prefer_until: int | None = None,
    vram_above: int | None = None,
    ask: str = "",
    actor: str = "server",
) -> None:
    """A run of the assignment is over, or a person decided; `state` is what the rules made of that.

    `row`: the assignment before that. May stand in a journey of `store.driver`.
    `not_before`, `prefer_until`, `vram_above`, `ask`: see `fleet.retry.After` and the table.
    """
    completed_at = moment.now if state in (AssignmentState.COMPLETED, AssignmentState.FAILED) else None
    values = (state.value, int(memory_error), not_before, prefer_until, vram_above, ask, completed_at, moment.now)
    driver.execute(connection, marked(connection, _SETTLE), (*values, row.id))
    data: dict[str, Any] = {"notBefore": not_before, "ask": ask or None}
    record(
        connection,
        moment.now,
        f"assignment_{state.lower()}",
        actor=actor,
        super_study_id=row.super_study_id,
        assignment_id=row.id,
        was=row.state,
        **{name: value for name, value in data.items() if value is not None},
    )
    _touch(connection, row)
    if state == AssignmentState.PENDING:
        touch(connection, "work")


def requeue(connection: Connection, moment: Moment, assignment_id: str, actor: str) -> None:
    """A person asks for another attempt at what failed or was cancelled. Raises `Refused` 404 or 409.

    Earlier attempts do not count any more; of its simulations only the missing ones are computed.
    """
    row = get(connection, assignment_id)
    waits = row.state == AssignmentState.PENDING and (row.not_before or row.prefer_until)
    if row.state not in (AssignmentState.FAILED, AssignmentState.CANCELLED) and not waits:
        raise Refused(409, f"the assignment is {row.state}", "only a FAILED or CANCELLED one can be queued again")
    if row.replaced_at is not None:
        raise Refused(409, "the assignment was split again", "its missing simulations are in other assignments now")
    study = tables.super_studies
    if connection.execute(select(study.c.cancelled).where(study.c.id == row.super_study_id)).scalar_one():
        raise Refused(
            409, "its super study is cancelled", "create a study from what is missing of it: study missing NAME"
        )
    connection.execute(update(assignments).where(assignments.c.id == assignment_id).values(counts_from=row.attempts))
    record(
        connection,
        moment.now,
        "assignment_retry",
        actor=actor,
        super_study_id=row.super_study_id,
        assignment_id=assignment_id,
    )
    settle(connection, moment, row, AssignmentState.PENDING, actor=actor)


def settle_all(
    connection: Connection,
    moment: Moment,
    rows: Sequence[Any],
    state: AssignmentState,
    *,
    actor: str,
    again: bool = False,
    replaced: bool = False,
) -> None:
    """`settle` for many that have no live run, in a few statements. `rows`: id, super_study_id and state of each.

    `again`: a person asks for another attempt, as `requeue`. `replaced`: others ask for their missing cases now.
    """
    values: dict[str, Any] = {
        "state": state,
        "not_before": None,
        "prefer_until": None,
        "vram_above": None,
        "ask": "",
        "cancel_asked": False,
        "updated_at": moment.now,
    }
    if again:
        values |= {"counts_from": assignments.c.attempts, "completed_at": None}
    if replaced:
        values |= {"replaced_at": moment.now}
    for chunk in _chunks([row.id for row in rows]):
        connection.execute(update(assignments).where(assignments.c.id.in_(chunk)).values(**values))
    kinds = [*(["assignment_retry"] if again else []), f"assignment_{state.lower()}"]
    events = [
        {
            "at": moment.now,
            "kind": kind,
            "actor": actor,
            "super_study_id": row.super_study_id,
            "assignment_id": row.id,
            "data": msgspec.json.encode({"was": row.state, **({"replaced": True} if replaced else {})}).decode(),
        }
        for row in rows
        for kind in kinds
    ]
    if events:
        connection.execute(insert(tables.events), events)
        _touch(connection, rows[0])
    if rows and state == AssignmentState.PENDING:
        touch(connection, "work")


def mark_cases(
    connection: Connection, moment: Moment, assignment_id: str, run_id: str, verdicts: Mapping[str, str]
) -> None:
    """Set the state of cases by key: `done`, `failed` or `pending`. A done case keeps the run that completed it."""
    mark(connection, [CaseState(assignment_id, key, state, run_id, moment.now) for key, state in verdicts.items()])
    touch(connection, "studies", f"study:{get(connection, assignment_id).super_study_id}")


def mark(connection: Connection, states: Collection[CaseState]) -> None:
    """`mark_cases` for several runs. May stand in a journey of `store.driver`; the caller touches the studies."""
    if states:
        of_case = rows_of(connection, cases, ("assignment_id", "case_key", "state", "run_id"))
        execute(connection, _MARK, of_case, [it[:4] for it in states])
        weighed = {it.assignment_id: it.at for it in states}
        execute(connection, _WEIGH, rows_of(connection, assignments, ("id", "updated_at")), list(weighed.items()))


def learn_totals(connection: Connection, totals: Mapping[str, int]) -> None:
    """How many simulations there are, by assignment, where nobody knew. May stand in a journey of `store.driver`."""
    if totals:
        source = rows_of(connection, assignments, ("id", "expected_total"))
        execute(connection, _LEARN_TOTAL, source, list(totals.items()))


def _chunks(keys: Sequence[str], size: int = 500) -> Iterable[Sequence[str]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _touch(connection: Connection, row: Row[tuple[object, ...]]) -> None:
    touch(connection, "studies", "fleet", f"study:{row.super_study_id}")
