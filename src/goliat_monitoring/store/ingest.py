"""What a run's sender says, applied to the run: summary, simulations, evidence, log.

One `Ingest` lives for one unit of work. It collects what changes in the run's row and writes that row once, however
many messages it was given. Of each value the newest by the sender's clock counts, because three threads race.
"""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update

from goliat_monitoring.fleet.evidence import Sign, SignKind
from goliat_monitoring.fleet.signs import sign_of_line, signs_of_message
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.timing import OVERTAKE
from goliat_monitoring.store import assignments, logs, runs, tables, verdicts
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.study.results import key_of_details
from goliat_monitoring.wire.lines import Line, lines_of_message, plain

simulations = tables.simulations

# Kept as they came. The rest is folded into the run's summary; an unknown type is always kept.
FOLDED = frozenset(
    {"log_batch", "status", "terminal_only", "print", "overall_progress", "stage_progress", "simulation_details",
     "start_animation", "end_animation"}
)  # fmt: skip
MESSAGES_KEPT = 20_000
# Signs that the study itself lives, not only its window: a crashed study's window repeats its last percentage.
LIFELESS = frozenset({"overall_progress", "profiler_update", "end_animation"})


class Ingest:
    """Applies messages and lines to one run. Call `save` at the end of the unit of work."""

    def __init__(
        self, connection: Connection, moment: Moment, run: Row[tuple[object, ...]], *, proves: bool = True
    ) -> None:
        """`proves`: whether what is heard may count as evidence (not while the sender's identity is ambiguous)."""
        self._connection = connection
        self._moment = moment
        self._run = run
        self._proves = proves
        self._late = RunState(run.state).terminal
        self._values: dict[str, Any] = {}
        self._lines: list[Line] = []
        self._signs: list[Sign] = []
        self._kept: list[dict[str, Any]] = []
        self._alive = False

    @property
    def late(self) -> bool:
        """The run was over before this unit of work."""
        return self._late

    def lines(self, lines: Sequence[Line]) -> None:
        """Log lines, in the order in which they are to be numbered (or held)."""
        for line in lines:
            self._lines.append(line)
            text = plain(line.text)
            # What a study prints may quote anything; only its log proves something.
            sign = None if line.source == "print" else sign_of_line(line.level, text, line.time)
            if sign is not None:
                self._signs.append(sign)
            if line.level == "warning":
                self._values["warnings"] = self._get("warnings") + 1
            elif line.level in ("error", "fatal"):
                self._values["errors"] = self._get("errors") + 1
            if text.strip():
                self._newest("last_line_sender_at", line.time, last_line=text.strip()[:500])
            self._alive = True

    def message(self, message: dict[str, Any], sent_at: int) -> None:
        """One GUI message as GOLIAT sent it. Its log lines are applied too."""
        kind = message.get("type")
        kind = kind if isinstance(kind, str) else "unknown"
        self._alive = self._alive or kind not in LIFELESS
        found = list(lines_of_message(message, sent_at))
        if found:
            self.lines(found)
        else:
            # Log lines gave their signs above; the others speak for themselves.
            self._signs.extend(signs_of_message(message, sent_at))
        self._summarise(kind, message, sent_at)
        if kind not in FOLDED:
            self._kept.append(
                {
                    "run_id": self._run.id,
                    "received_at": self._moment.now,
                    "sender_at": sent_at,
                    "type": kind[:100],
                    "body": msgspec.json.encode(message).decode(),
                }
            )

    def sample(self, values: dict[str, float], at: int) -> None:
        """Vitals of the machine while it runs this."""
        self._connection.execute(
            insert(tables.samples).values(
                run_id=self._run.id,
                received_at=self._moment.now,
                sender_at=at,
                body=msgspec.json.encode(values).decode(),
            )
        )

    def renew(self, lease_until: int, sender_ip: str, sequence0_at: int | None) -> None:
        """A bare run's lease, its sender's address, and the time of its first line where this message tells it."""
        self._values.update(lease_until=lease_until, sender_ip=sender_ip)
        known = self._run.sequence0_sender_at
        if sequence0_at is not None and (known is None or sequence0_at < known):
            self._values["sequence0_sender_at"] = sequence0_at

    def save(self, *, hold: bool) -> None:
        """Write everything. `hold`: the lines race and must wait for their neighbours before they are numbered."""
        connection, moment, run = self._connection, self._moment, self._run
        if self._lines:
            if hold:
                logs.hold(connection, moment, run.id, self._lines)
            else:
                logs.append(connection, moment, run.id, self._lines, late=self._late)
        if self._kept and self._run.evidence_count < MESSAGES_KEPT:
            connection.execute(insert(tables.messages), self._kept)
        if self._signs and self._proves:
            self._values["evidence_count"] = verdicts.keep(
                connection, moment, run.id, self._get("evidence_count"), self._signs
            )
            if not self._late:
                self._follow_simulations()
        if self._late:
            # A terminal state is final, and so is its summary. Counts still say what the log holds.
            self._values = {
                name: value
                for name, value in self._values.items()
                if name in ("warnings", "errors", "evidence_count", "last_line", "last_line_sender_at")
            }
        else:
            self._live()
        if self._values:
            connection.execute(update(tables.runs).where(tables.runs.c.id == run.id).values(**self._values))
        runs.touched(connection, run.id, run.worker_id)

    def _live(self) -> None:
        now, run = self._moment.now, self._run
        self._values["last_sign_at"] = now
        if self._alive:
            self._values["last_life_at"] = now
        if run.first_sign_at is None:
            self._values["first_sign_at"] = now
        if run.state != RunState.RUNNING:
            runs.change_state(self._connection, self._moment, run, RunState.RUNNING, "heard from it")
            if run.state == RunState.UNREACHABLE:
                logs.note(self._connection, self._moment, run.id, "Heard from the machine again.")
        if self._proves and any(sign.kind in (SignKind.FINISHED, SignKind.MEMORY_ERROR) for sign in self._signs):
            self._heard_the_end()

    def _heard_the_end(self) -> None:
        now = self._moment.now
        finished = [sign.at for sign in self._signs if sign.kind is SignKind.FINISHED]
        if finished:
            self._values["finished_at"] = self._run.finished_at or now
            self._values["finished_sender_at"] = max(finished)
        # An agent reports the end itself, when all was delivered. For a bare client this is all there will be.
        if self._run.kind == "bare" and (finished or self._run.judge_at is None):
            self._values["judge_at"] = now + self._moment.judge_delay

    def _get(self, name: str) -> int:
        value = self._values.get(name, getattr(self._run, name))
        return int(value)

    def _newest(self, clock: str, sent_at: int, **values: Any) -> bool:
        """Take `values` if no newer message (by its sender's clock) gave them already."""
        known = self._values.get(clock, getattr(self._run, clock))
        if known is not None and sent_at < known:
            return False
        self._values[clock] = sent_at
        self._values.update(values)
        return True

    def _summarise(self, kind: str, message: dict[str, Any], sent_at: int) -> None:
        if kind == "overall_progress":
            percent = _percent(message)
            if percent is not None:
                self._newest("percent_sender_at", sent_at, percent=percent)
        elif kind == "stage_progress":
            name = message.get("name")
            if isinstance(name, str):
                self._newest("stage_sender_at", sent_at, stage=name[:100], stage_percent=_percent(message))
        elif kind == "profiler_update":
            eta = _number(message.get("eta_seconds"))
            self._newest("eta_sender_at", sent_at, eta_seconds=eta)
        elif kind == "start_animation":
            estimate = _number(message.get("estimate"))
            if estimate is not None:
                body = msgspec.json.encode({"estimate": estimate, "at": sent_at}).decode()
                self._newest("animation_sender_at", sent_at, animation=body)
        elif kind == "end_animation":
            self._newest("animation_sender_at", sent_at, animation=None)

    def _follow_simulations(self) -> None:
        """Keep the table of simulations at what the signs say so far; the verdict at the end decides."""
        settled = False
        for sign in self._signs:
            if sign.kind is SignKind.SIM_STARTED and sign.ordinal is not None:
                self._simulation_started(sign, sign.ordinal + 1)
            elif sign.kind in (SignKind.EXTRACTED, SignKind.CACHED):
                settled = self._simulation_done(sign) or settled
        if settled:
            self._values["done_cases"] = self._connection.execute(
                select(func.count()).where(simulations.c.run_id == self._run.id, simulations.c.state == "done")
            ).scalar_one()

    def _simulation_started(self, sign: Sign, ordinal: int) -> None:
        connection, run = self._connection, self._run
        total = sign.total
        clock = "started_line_at" if sign.line else "started_sender_at"
        if not sign.line:
            self._newest("sim_sender_at", sign.at, sim_index=ordinal, sim_total=total, sim_details=sign.text)
        known = connection.execute(
            select(simulations.c.id, simulations.c[clock].label("began")).where(
                simulations.c.run_id == run.id, simulations.c.ordinal == ordinal
            )
        ).one_or_none()
        if known is None:
            connection.execute(
                insert(simulations).values(
                    run_id=run.id,
                    ordinal=ordinal,
                    case_key=sign.case_key or self._case_of(sign.text, ordinal, total),
                    details=sign.text,
                    **{clock: sign.at},
                )
            )
        elif known.began is None or sign.at < known.began:
            connection.execute(update(simulations).where(simulations.c.id == known.id).values({clock: sign.at}))
        if run.assignment_id is not None and total is not None:
            # A config that nobody could resolve tells its size only here.
            connection.execute(
                update(tables.assignments)
                .where(tables.assignments.c.id == run.assignment_id, tables.assignments.c.expected_total.is_(None))
                .values(expected_total=total)
            )

    def _case_of(self, details: str, ordinal: int, total: int | None) -> str | None:
        if self._run.assignment_id is None:
            return key_of_details(details)
        cases = tables.cases
        of_assignment = select(cases.c.case_key).where(cases.c.assignment_id == self._run.assignment_id)
        by_text = self._connection.execute(
            of_assignment.where(func.lower(cases.c.details) == details.lower())
        ).scalars().first()  # fmt: skip
        if by_text is not None:
            return str(by_text)
        expected = self._connection.execute(
            select(tables.assignments.c.expected_total).where(tables.assignments.c.id == self._run.assignment_id)
        ).scalar_one()
        if total != expected:
            return key_of_details(details)
        by_order = self._connection.execute(of_assignment.where(cases.c.ordinal == ordinal - 1)).scalar()
        return key_of_details(details) if by_order is None else str(by_order)

    def _simulation_done(self, sign: Sign) -> bool:
        connection, run = self._connection, self._run
        # Like is compared with like: a message waits in GOLIAT's queue, a line carries the time it was written.
        began = simulations.c.started_line_at if sign.line else simulations.c.started_sender_at
        row = connection.execute(
            select(simulations)
            .where(simulations.c.run_id == run.id, began <= (sign.at if sign.line else sign.at - OVERTAKE))
            .order_by(began.desc())
            .limit(1)
        ).one_or_none()
        if row is None:
            return False
        connection.execute(
            update(simulations).where(simulations.c.id == row.id).values(state="done", ended_sender_at=sign.at)
        )
        if run.assignment_id is not None and row.case_key is not None:
            assignments.mark_cases(connection, self._moment, run.assignment_id, run.id, {row.case_key: "done"})
        touch(connection, f"run:{run.id}")
        return True


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and abs(number) < 1e12 else None


def _percent(message: dict[str, Any]) -> float | None:
    current, total = _number(message.get("current")), _number(message.get("total"))
    if current is None or not total:
        return None
    return min(max(current / total * 100, 0.0), 100.0)
