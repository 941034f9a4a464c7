"""What remains of a study: cut again into other assignments, or made into a study of its own. Nothing is computed
twice, nothing is forgotten: each missing case is asked for once, checked before anything is written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, select, update

from goliat_monitoring.fleet.states import AssignmentState
from goliat_monitoring.store import actions, assignments, studies, tables
from goliat_monitoring.store.events import record
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.queue import requirements_of
from goliat_monitoring.study.balance import Share, balanced_shares, cut_shares
from goliat_monitoring.study.cases import enumerate_cases
from goliat_monitoring.study.extends import ConfigProblem
from goliat_monitoring.study.missing import exact_parts
from goliat_monitoring.study.requirements import Requirements
from goliat_monitoring.study.space import Part, label, space_of
from goliat_monitoring.study.split import MAX_PARTS
from goliat_monitoring.wire.errors import Refused

parts, cases = tables.assignments, tables.cases


@dataclass(frozen=True, slots=True)
class Remainder:
    """One assignment of which something is missing: `missing` are the keys of its cases, `seen` says what it was,
    `base` is the config of its study."""

    id: str
    index: int
    config: dict[str, Any]
    requirements: Requirements
    missing: frozenset[str]
    seen: tuple[str, int, int]
    base: dict[str, Any]


class Cut(NamedTuple):
    """New assignments for what remains. `configs`: with their requirements; `labels`: in words; `keys`: the cases that
    each asks for; `origins`: the id of the assignment in whose place it is."""

    configs: list[tuple[dict[str, Any], Requirements]]
    labels: list[str]
    keys: list[frozenset[str]]
    origins: list[str]


def pending(connection: Connection, study_id: str) -> list[Remainder]:
    """What waits in a study. Raises `Refused` 404, or 409 where nothing waits or its cases are not known."""
    row = actions.study_row(connection, study_id)
    if row.cancelled:
        raise Refused(409, "the super study is cancelled", "create a study from what is missing of it")
    found = _remainders(connection, row, [AssignmentState.PENDING])
    if not found:
        raise Refused(409, "nothing waits", f"{row.name} has no pending assignment with a missing simulation")
    return found


def failed(connection: Connection, study_id: str) -> list[Remainder]:
    """What nobody will compute unless asked: of assignments that failed or were cancelled.

    Raises `Refused` 404, or 409 where nothing is missing or its cases are not known.
    """
    row = actions.study_row(connection, study_id)
    found = _remainders(connection, row, [AssignmentState.FAILED, AssignmentState.CANCELLED])
    if not found:
        raise Refused(
            409, "nothing is missing", f"no failed or cancelled assignment of {row.name} lacks a simulation"
        )  # fmt: skip
    return found


def begun(connection: Connection, study_id: str) -> list[Remainder]:
    """What failed in a study after a part of it was done, where its cases are known. Raises `Refused` 404."""
    row = actions.study_row(connection, study_id)
    return _begun(connection, row, parts.c.state == AssignmentState.FAILED)


def begun_one(connection: Connection, assignment_id: str) -> list[Remainder]:
    """This assignment, if a part of it is done, nobody runs it and its cases are known. Raises `Refused` 404."""
    study_id = assignments.get(connection, assignment_id).super_study_id
    idle = parts.c.state.in_([AssignmentState.FAILED, AssignmentState.CANCELLED, AssignmentState.PENDING])
    return _begun(connection, actions.study_row(connection, study_id), parts.c.id == assignment_id, idle)


def cut(remainders: Sequence[Remainder], number: int | None = None, workers: int | None = None) -> Cut:
    """Configs for what remains: in at least `number` parts, or balanced for so many equal `workers`, else as few as
    can be. Takes seconds for the largest studies: not for the event loop.

    Raises `Refused` 400 for a number that cannot be, for both numbers, or where the parts do not cover what is missing.
    """
    for name, value in (("numSplits", number), ("workers", workers)):
        if value is not None and not 1 <= value <= MAX_PARTS:
            raise Refused(400, f"bad {name}", f"it must lie between 1 and {MAX_PARTS}")
    if number is not None and workers is not None:
        raise Refused(400, "numSplits and workers exclude each other", "say one of them")
    try:
        shares, of, blocks = _shares(remainders)
        if number is not None:
            shares = cut_shares(shares, number)
        elif workers is not None:
            shares, _ = balanced_shares(shares, workers, MAX_PARTS)
        if len(shares) > MAX_PARTS:
            raise Refused(400, "too many assignments", f"{len(shares)}, of at most {MAX_PARTS}")
        configs = [share.space.config_of(share.part) for share in shares]
        keys = [frozenset(case.key for case in enumerate_cases(config)) for config in configs]
    except ConfigProblem as problem:
        raise Refused(400, "the config cannot be used", str(problem)) from None
    if Counter(key for own in keys for key in own) != blocks:
        raise Refused(400, "what remains cannot be cut", "its parts would not cover each missing simulation once")
    base = _base(remainders)
    labels = [_label(share, base) for share in shares]
    origins = [of[id(share.space)] for share in shares]
    demand = [it.requirements for it in origins]
    return Cut(list(zip(configs, demand, strict=True)), labels, keys, [it.id for it in origins])


def replace(
    connection: Connection, moment: Moment, study_id: str, remainders: Sequence[Remainder], made: Cut, actor: str
) -> list[int]:
    """Put the new assignments in the place of those that wait. Returns their indices.

    The old ones stay, as CANCELLED, with the runs and cases they have. Raises `Refused` 409 where one of them was
    claimed since they were read.
    """
    check_unchanged(connection, study_id, remainders)
    return put(connection, moment, study_id, remainders, made, actor)


def check_unchanged(connection: Connection, study_id: str, remainders: Sequence[Remainder]) -> None:
    """Raises `Refused` 409 where one of them is not any more what was read."""
    now = _now(connection, study_id, remainders)
    if any(it.id not in now or _seen(now[it.id]) != it.seen for it in remainders):
        raise Refused(409, "the study went on meanwhile", "some of its assignments changed since; ask again")


def put(
    connection: Connection, moment: Moment, study_id: str, remainders: Sequence[Remainder], made: Cut, actor: str
) -> list[int]:
    """`replace`, in a transaction that has checked what they are."""
    now = _now(connection, study_id, remainders)
    old = [now[it.id] for it in remainders]
    assignments.settle_all(connection, moment, old, AssignmentState.CANCELLED, actor=actor, replaced=True)
    moved: dict[str, set[str]] = {it.id: set() for it in remainders}
    for origin, keys in zip(made.origins, made.keys, strict=True):
        moved[origin] |= keys
    done: dict[str, dict[str, str]] = {}
    for it in remainders:
        own = cases.c.assignment_id == it.id
        known = connection.execute(select(cases.c.case_key, cases.c.state, cases.c.run_id).where(own)).all()
        gone = [row for row in known if row.case_key in moved[it.id]]
        done[it.id] = {row.case_key: row.run_id for row in gone if row.state == "done"}
        for start in range(0, len(gone), 500):
            some = [row.case_key for row in gone[start : start + 500]]
            connection.execute(update(cases).where(own, cases.c.case_key.in_(some)).values(state="moved"))
        kept = sum(connection.execute(select(cases.c.weight).where(own, cases.c.state == "done")).scalars())
        connection.execute(update(parts).where(parts.c.id == it.id).values(weight=kept, done_weight=kept))
    indices = studies.add(connection, moment, study_id, made.configs)
    _stay_done(connection, moment, study_id, indices, made, done)
    record(
        connection, moment.now, "study_split_again", actor=actor, super_study_id=study_id,
        replaced=[it.index for it in remainders], made=indices,
    )  # fmt: skip
    return indices


def create_from(
    connection: Connection, moment: Moment, study_id: str, name: str, made: Cut, actor: str, description: str = ""
) -> str:
    """A new study of what is missing of another. Returns its id. Raises `Refused` as `studies.create`."""
    row = actions.study_row(connection, study_id)
    return studies.create(
        connection,
        moment,
        name=name,
        description=description or f"What was missing of {row.name}",
        base_config=msgspec.json.decode(row.base_config),
        split_configs=[config for config, _ in made.configs],
        actor=actor,
        split={"missingOf": row.name},
        priority=row.priority,
        requirements=[demand for _, demand in made.configs],
    )


def _stay_done(
    connection: Connection,
    moment: Moment,
    study_id: str,
    indices: Sequence[int],
    made: Cut,
    done: Mapping[str, Mapping[str, str]],
) -> None:
    """What is done and comes again, since GOLIAT combines it with what is missing, stays done until then.

    `done`: by assignment that was replaced, the run that completed a case.
    """
    if not any(done.values()):
        return
    ids = {row.place: row.id for row in _rows(connection, study_id, parts.c.index >= min(indices))}
    assignments.mark(
        connection,
        [
            assignments.CaseState(ids[index], key, "done", done[origin][key], moment.now)
            for index, keys, origin in zip(indices, made.keys, made.origins, strict=True)
            for key in sorted(keys & done[origin].keys())
        ],
    )


def _shares(remainders: Sequence[Remainder]) -> tuple[list[Share], dict[int, Remainder], Counter[str]]:
    """Parts of each assignment's own config, whose each space is, and the cases that all of them ask for."""
    shares: list[Share] = []
    of: dict[int, Remainder] = {}
    wanted: Counter[str] = Counter()
    for it in remainders:
        space = space_of(it.config)
        own = exact_parts(space, it.missing)
        of[id(space)] = it
        shares += [Share(space, part) for part in own]
        asked = {case.key for part in own for case in enumerate_cases(space.config_of(part))}
        if not it.missing <= asked:
            raise ConfigProblem(f"Assignment {it.index}: some of its missing simulations are not in its config.")
        wanted.update(asked)
    return shares, of, wanted


def _base(remainders: Sequence[Remainder]) -> Part | None:
    """The whole study, None where its config cannot be read: its assignments may have come ready-made."""
    try:
        return space_of(remainders[0].base).whole if remainders else None
    except ConfigProblem:
        return None


def _label(share: Share, base: Part | None) -> str:
    """Which part of the study it is; of its assignment, where that is no part of the study's own config."""
    if base is not None and {it.name for it in share.part.scenarios} <= {it.name for it in base.scenarios}:
        return label(share.part, base)
    return label(share.part, share.space.whole)


def _begun(connection: Connection, study: Row[Any], *which: ColumnElement[bool]) -> list[Remainder]:
    base = msgspec.json.decode(study.base_config)
    rows = _rows(connection, study.id, *which, parts.c.done_weight > 0)
    return [it for row in rows if (it := _remainder(row, base, _known(connection, row))) is not None]


def _remainders(connection: Connection, study: Row[Any], states: Sequence[AssignmentState]) -> list[Remainder]:
    found = []
    base = msgspec.json.decode(study.base_config)
    for row in _rows(connection, study.id, parts.c.state.in_(states)):
        known = _known(connection, row)
        if not known:
            raise Refused(
                409, f"the simulations of assignment {row.place} are not known", "its config extends another one that "
                "only the machine has",
            )  # fmt: skip
        one = _remainder(row, base, known)
        if one is not None:
            found.append(one)
    return found


def _known(connection: Connection, row: Row[Any]) -> Sequence[Any]:
    query = select(cases.c.case_key, cases.c.state).where(cases.c.assignment_id == row.id)
    return connection.execute(query).all()


def _remainder(row: Row[Any], base: dict[str, Any], known: Sequence[Any]) -> Remainder | None:
    """What is missing of an assignment, None where nothing is."""
    missing = frozenset(it.case_key for it in known if it.state not in ("done", "moved"))
    if not missing:
        return None
    config, demand = msgspec.json.decode(row.config), requirements_of(row.requirements)
    return Remainder(row.id, row.place, config, demand, missing, _seen(row), base)


def _rows(connection: Connection, study_id: str, *which: ColumnElement[bool]) -> Sequence[Any]:
    return connection.execute(
        select(parts.c.index.label("place"), *(column for column in parts.c if column.name != "index"))
        .where(parts.c.super_study_id == study_id, parts.c.replaced_at.is_(None), *which)
        .order_by(parts.c.index)
    ).all()


def _now(connection: Connection, study_id: str, remainders: Sequence[Remainder]) -> dict[str, Row[Any]]:
    """Their rows, by id."""
    ids = [it.id for it in remainders]
    chunks = (ids[start : start + 500] for start in range(0, len(ids), 500))
    return {row.id: row for some in chunks for row in _rows(connection, study_id, parts.c.id.in_(some))}


def _seen(row: Row[Any]) -> tuple[str, int, int]:
    return row.state, row.attempts, row.updated_at
