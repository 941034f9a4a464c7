"""The replica of GOLIAT's first tab for any run: bars, case, elapsed and remaining time, warnings and errors."""

from typing import NamedTuple

from sqlalchemy import Connection

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.server.pages.numbers import span, span_range, whole_percent
from goliat_monitoring.store.read.at_work import AtWork, at_work
from goliat_monitoring.store.read.runs import RunSummary
from goliat_monitoring.wire.clock import SECOND

# Further away than this an end is told with its day.
SOON = 20 * 3600
HOUR = 3600


class Stage(NamedTuple):
    """GOLIAT's stage. `percent`: of its bar, an animation; `about`: it is still moving; `expects`: how long GOLIAT
    reckons for the stage, "" where it said nothing."""

    name: str
    percent: int | None
    about: bool
    expects: str


class Left(NamedTuple):
    """Time to go by the server's reckoning. `text`: a range; `first_at`, `last_at`: p10 and p90, UTC microseconds;
    `soon`: the same day or so."""

    text: str
    first_at: int
    last_at: int
    soon: bool


class Panel(NamedTuple):
    """`overall`: whole percent by weights, None where they are not known. `left`: None before it can be told, and
    `left_note` says why. `lost`: what ending the run now throws away, in words."""

    run: RunSummary
    overall: int | None
    stage: Stage | None
    solver: int | None
    mcells_per_s: float | None
    left: Left | None
    left_note: str
    lost: str


def panel(connection: Connection, run: RunSummary, future: Outlook, now: int) -> Panel:
    """What the panel shows of `run` at `now`, UTC microseconds."""
    work = at_work(connection, run)
    left = _left(run, future, now)
    return Panel(
        run=run,
        overall=whole_percent(work.share),
        stage=_stage(run, work, now),
        solver=whole_percent(work.solver, proven=True),
        mcells_per_s=work.mcells_per_s,
        left=left,
        left_note="after the first simulation" if run.live and run.assignment_id is not None and left is None else "",
        lost=_lost(run, work, now),
    )


def _stage(run: RunSummary, work: AtWork, now: int) -> Stage | None:
    if not run.stage:
        return None
    moving = run.animation if run.live else None
    percent = run.stage_percent
    estimate = float(moving["estimate"]) if moving else 0.0
    if moving and estimate > 0:
        # The bar moves evenly to its end in the estimated time; what was heard of it may be seconds old.
        elapsed = (now + work.clock_skew - int(moving["at"])) / SECOND
        percent = max(percent or 0.0, min(100 * max(elapsed, 0.0) / estimate, 100.0))
    whole = whole_percent(percent, proven=not moving)
    return Stage(run.stage, whole, bool(moving), span(estimate) if estimate > 0 else "")


def _left(run: RunSummary, future: Outlook, now: int) -> Left | None:
    told = future.runs.get(run.id) if run.live else None
    if told is None:
        return None
    first, last = (now + round(seconds * SECOND) for seconds in (told.p10, told.p90))
    return Left(span_range(told.p10, told.p90), first, last, told.p90 < SOON)


def _lost(run: RunSummary, work: AtWork, now: int) -> str:
    """What went into simulations that are not done: `3.2 GPU h`, or minutes where it is less than one."""
    seconds = max((now - run.claimed_at) / SECOND - work.proven_s, 0.0)
    return f"{seconds / HOUR:.1f} GPU h" if seconds >= HOUR else f"{round(seconds / 60)} GPU min"
