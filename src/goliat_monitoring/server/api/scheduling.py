"""What people ask of the queue: pause, resume, cancel, retry, split again, priority; and why something waits."""

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec
from litestar import get, patch, post
from litestar.params import FromPath, JSONBody

from goliat_monitoring.fleet.why import Why
from goliat_monitoring.server.api.split_shapes import Priority
from goliat_monitoring.server.api.study_shapes import AssignmentJson, StudyAnswer, assignment_json
from goliat_monitoring.server.api.super_studies import whole_study
from goliat_monitoring.server.context import Caller, Given
from goliat_monitoring.server.services import Services
from goliat_monitoring.store import actions, again, remains
from goliat_monitoring.store.read.studies import get_assignment
from goliat_monitoring.store.read.why import why
from goliat_monitoring.store.studies import free_name


class StudyChange(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What to change of a study. A higher `priority` is given out first, from the next claim on."""

    priority: Priority


class SplitAgain(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """How to cut what remains: in at least `num_splits` assignments, or balanced for so many equal `workers`; with
    neither in as few as it needs. With `preview` nothing is changed."""

    num_splits: int | None = None
    workers: int | None = None
    preview: bool = False


class FromMissing(SplitAgain, rename="camel", kw_only=True):
    """The `name` of the new study."""

    name: str
    description: str = ""


class PartJson(msgspec.Struct, rename="camel", kw_only=True):
    """`index`: None in a preview."""

    index: int | None
    label: str
    simulations: int


class SplitAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """`replaced`: indices of the assignments whose missing simulations the new ones ask for. `warnings`: where they
    are not what was asked for."""

    replaced: list[int]
    assignments: list[PartJson]
    warnings: list[str]


class MissingAnswer(SplitAnswer, rename="camel", kw_only=True):
    """`study`: None in a preview."""

    study: StudyAnswer | None


class RetriedStudy(StudyAnswer, rename="camel", kw_only=True):
    """`cut`: the failed assignments whose missing simulations no single config asks for alone, and those in their place
    that do; None where all wait as they were."""

    cut: SplitAnswer | None


class RetriedAssignment(AssignmentJson, rename="camel", kw_only=True):
    """`cut`: others that ask for its missing simulations, where no single config asks for them alone; None where it
    waits itself."""

    cut: SplitAnswer | None


class VerdictJson(msgspec.Struct, rename="camel", kw_only=True):
    rule: str
    ok: bool
    text: str


class WorkerWhyJson(msgspec.Struct, rename="camel", kw_only=True):
    """`ok`: it takes the assignment with its next claim, if it is its turn."""

    worker_id: str
    name: str
    ok: bool
    verdicts: list[VerdictJson]


class WhyAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """Why an assignment is not running. `answer`: in one sentence."""

    answer: str
    rules: list[VerdictJson]
    workers: list[WorkerWhyJson]


@patch("/api/super-studies/{study_id:str}", tags=["Super studies"])
async def change_study(
    services: Given, principal: Caller, study_id: FromPath[str], data: JSONBody[StudyChange]
) -> StudyAnswer:
    """Change the priority of a study while it runs."""
    return await _act(
        services, study_id, partial(actions.set_priority, study_id=study_id, priority=data.priority, actor=principal.id)
    )


@post("/api/super-studies/{study_id:str}/pause", status_code=200, tags=["Super studies"])
async def pause_study(services: Given, principal: Caller, study_id: FromPath[str]) -> StudyAnswer:
    """Give out nothing more of a study; what runs goes on."""
    return await _act(services, study_id, partial(actions.pause, study_id=study_id, actor=principal.id))


@post("/api/super-studies/{study_id:str}/resume", status_code=200, tags=["Super studies"])
async def resume_study(services: Given, principal: Caller, study_id: FromPath[str]) -> StudyAnswer:
    """Give out a study's assignments again, also where its retries had been stopped."""
    return await _act(services, study_id, partial(actions.resume, study_id=study_id, actor=principal.id))


@post("/api/super-studies/{study_id:str}/cancel", status_code=200, tags=["Super studies"])
async def cancel_study(services: Given, principal: Caller, study_id: FromPath[str]) -> StudyAnswer:
    """End all work on a study for good. Its results stay."""
    return await _act(services, study_id, partial(actions.cancel_study, study_id=study_id, actor=principal.id))


@post("/api/super-studies/{study_id:str}/retry", status_code=200, tags=["Super studies"])
async def retry_study(services: Given, principal: Caller, study_id: FromPath[str]) -> RetriedStudy:
    """Queue all failed assignments again; of each only the missing simulations are computed. Where no single config
    asks for them alone, others stand in its place, as after a split again."""
    begun = await services.db.read(lambda c: remains.begun(c, study_id))
    planned = await asyncio.to_thread(again.plan, begun)
    retry = partial(again.study, moment=services.moment(), study_id=study_id, planned=planned, actor=principal.id)
    indices = await services.db.write(retry)
    study = await whole_study(services, study_id)
    return RetriedStudy(**msgspec.structs.asdict(study), cut=_cut(planned, indices))


@post("/api/assignments/{assignment_id:str}/retry", status_code=200, tags=["Assignments"])
async def retry_assignment(services: Given, principal: Caller, assignment_id: FromPath[str]) -> RetriedAssignment:
    """Queue a failed or cancelled assignment again; only its missing simulations are computed. Where no single config
    asks for them alone, others stand in its place, as after a split again."""
    begun = await services.db.read(lambda c: remains.begun_one(c, assignment_id))
    planned, moment = await asyncio.to_thread(again.plan, begun), services.moment()
    retry = partial(again.one, moment=moment, assignment_id=assignment_id, planned=planned, actor=principal.id)
    indices = await services.db.write(retry)
    found = assignment_json(await services.db.read(lambda c: get_assignment(c, moment.now, assignment_id)))
    return RetriedAssignment(**msgspec.structs.asdict(found), cut=_cut(planned, indices))


@post("/api/super-studies/{study_id:str}/split-again", status_code=200, tags=["Super studies"])
async def split_again(
    services: Given, principal: Caller, study_id: FromPath[str], data: JSONBody[SplitAgain | None] = None
) -> SplitAnswer:
    """Cut what waits into other assignments. Each missing simulation stays asked for once; the old ones are kept."""
    wish = data or SplitAgain()
    waiting = await services.db.read(lambda c: remains.pending(c, study_id))
    made = await asyncio.to_thread(remains.cut, waiting, wish.num_splits, wish.workers)
    moment, indices = services.moment(), None
    if not wish.preview:
        indices = await services.db.write(
            partial(
                remains.replace, moment=moment, study_id=study_id, remainders=waiting, made=made, actor=principal.id
            )
        )
    return SplitAnswer(
        replaced=[it.index for it in waiting], assignments=_parts(made, indices), warnings=_shortfall(made, wish)
    )


@post("/api/super-studies/{study_id:str}/missing", status_code=200, tags=["Super studies"])
async def study_from_missing(
    services: Given, principal: Caller, study_id: FromPath[str], data: JSONBody[FromMissing]
) -> MissingAnswer:
    """Create a study from what is missing of this one: of assignments that failed or were cancelled."""
    await services.db.read(partial(free_name, asked=data.name))
    failed = await services.db.read(lambda c: remains.failed(c, study_id))
    made = await asyncio.to_thread(remains.cut, failed, data.num_splits, data.workers)
    moment, study = services.moment(), None
    if not data.preview:
        created = await services.db.write(
            partial(
                remains.create_from,
                moment=moment,
                study_id=study_id,
                name=data.name,
                made=made,
                actor=principal.id,
                description=data.description,
            )
        )
        study = await whole_study(services, created)
    parts = _parts(made, None if study is None else list(range(len(made.configs))))
    return MissingAnswer(
        replaced=[it.index for it in failed], assignments=parts, warnings=_shortfall(made, data), study=study
    )


@post("/api/assignments/{assignment_id:str}/cancel", status_code=200, tags=["Assignments"])
async def cancel_assignment(services: Given, principal: Caller, assignment_id: FromPath[str]) -> AssignmentJson:
    """Take an assignment out of its study. A machine that works on it ends its processes at once."""
    moment = services.moment()
    await services.db.write(
        partial(actions.cancel_assignment, moment=moment, assignment_id=assignment_id, actor=principal.id)
    )
    return assignment_json(await services.db.read(lambda c: get_assignment(c, moment.now, assignment_id)))


@get("/api/assignments/{assignment_id:str}/why", tags=["Assignments"])
async def why_not_running(services: Given, assignment_id: FromPath[str]) -> WhyAnswer:
    """Why an assignment is not running: each rule with its verdict, and for each worker why not there."""
    now = services.clock()
    return _why_json(await services.db.read(lambda c: why(c, now, assignment_id)))


async def _act(services: Services, study_id: str, action: Callable[..., object]) -> StudyAnswer:
    moment = services.moment()
    await services.db.write(partial(action, moment=moment))
    return await whole_study(services, study_id)


def _cut(planned: again.Plan, indices: list[int]) -> SplitAnswer | None:
    if not planned.replaced:
        return None
    parts = _parts(planned.made, indices)
    return SplitAnswer(replaced=[it.index for it in planned.replaced], assignments=parts, warnings=[])


def _parts(made: remains.Cut, indices: list[int] | None) -> list[PartJson]:
    return [
        PartJson(index=None if indices is None else indices[i], label=label, simulations=len(keys))
        for i, (label, keys) in enumerate(zip(made.labels, made.keys, strict=True))
    ]


def _shortfall(made: remains.Cut, wish: SplitAgain) -> list[str]:
    count = len(made.configs)
    if wish.num_splits is None or count >= wish.num_splits:
        return []
    return [f"It makes {count}, not {wish.num_splits}: what remains cannot be cut any further."]


def _why_json(found: Why) -> WhyAnswer:
    return WhyAnswer(
        answer=found.answer,
        rules=[VerdictJson(rule=it.rule, ok=it.ok, text=it.text) for it in found.rules],
        workers=[
            WorkerWhyJson(
                worker_id=worker.worker_id,
                name=worker.name,
                ok=worker.ok,
                verdicts=[VerdictJson(rule=it.rule, ok=it.ok, text=it.text) for it in worker.verdicts],
            )
            for worker in found.workers
        ],
    )
