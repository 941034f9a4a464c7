"""What a group of messages changes of one run: summary, lines, evidence, samples, times. Collected, written at once.

Of each value the newest by the sender's clock counts, because three threads race. Nothing here touches the database.
"""

import math
from typing import Any

import msgspec

from goliat_monitoring.fleet.signs import Sign, SignKind, signs_of_message
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.timing import SECOND
from goliat_monitoring.store.ingest.reading import Reading
from goliat_monitoring.store.log.phases import Took
from goliat_monitoring.store.samples import progress

# Kept as they came. The rest is folded into the run's summary; an unknown type is always kept.
FOLDED = frozenset(
    {"log_batch", "status", "terminal_only", "print", "overall_progress", "stage_progress", "simulation_details",
     "start_animation", "end_animation"}
)  # fmt: skip
MESSAGES_KEPT = 20_000
# Signs that the study itself lives, not only its window: a crashed study's window repeats its last percentage.
LIFELESS = frozenset({"overall_progress", "profiler_update", "end_animation"})
# A value that only says when something was last heard is written again when it is this much older.
COARSE = SECOND
# The smallest time between two samples of one kind that are kept of a run; its end is sampled whenever it comes.
SAMPLE_EVERY = 5 * SECOND
LIVE = frozenset(state.value for state in RunState if not state.terminal)
# A terminal state is final, and so is its summary. Counts still say what the log holds.
COUNTED_LATE = frozenset({"warnings", "errors", "evidence_count", "last_line", "last_line_sender_at"})


class RunDraft:
    """One run as its row says, and over it what was heard since. `now`: the newest moment heard, server's clock."""

    def __init__(self, run: Any) -> None:
        """`run`: a row of the table, or a `store.ingest.round.RunRow`."""
        self.run = run
        self.late = run.state not in LIVE
        self.values: dict[str, Any] = {}
        self.now = 0
        # Lines in order, to be numbered, with the time they were received; and rows that wait in the window.
        self.lines: list[tuple[int, Reading]] = []
        self.held: list[tuple[int, Reading]] = []
        self.signs: list[tuple[int, Sign]] = []
        self.kept: list[tuple[int, int, str, str]] = []
        self.samples: list[tuple[str, int, int, str]] = []
        self.times: list[tuple[int, Took]] = []
        self.alive = False
        # The sender's time of the newest progress that no sample holds yet.
        self._progressed_at: int | None = None

    def get(self, name: str) -> Any:
        """The value of a column as it stands now."""
        values = self.values
        return values[name] if name in values else getattr(self.run, name)

    def hear_lines(self, reading: Reading, now: int, *, proves: bool, hold: bool) -> None:
        """Log lines. `hold`: they race and must wait for their neighbours before they are numbered."""
        if reading.warnings:
            self.values["warnings"] = self.get("warnings") + reading.warnings
        if reading.errors:
            self.values["errors"] = self.get("errors") + reading.errors
        if proves:
            self.signs.extend((now, sign) for sign in reading.signs)
        if reading.solver is not None:
            at, found = reading.solver
            self._take("solver_sender_at", at, solver_percent=found.percent, mcells_per_s=found.mcells_per_s)
        self.times.extend(reading.times)
        if reading.newest is not None:
            self._last_line(*reading.newest, now, numbered_later=hold)
        self.alive = True
        (self.held if hold else self.lines).append((now, reading))

    def _last_line(self, time: int, text: str, now: int, *, numbered_later: bool) -> None:
        """The newest line, for lists. Of one that waits for its number, not at each message: numbering sets it again.

        A line that is numbered at once changes its run's row anyway, and nothing would set it later.
        """
        since = self.get("last_line_sender_at")
        written = self.run.last_life_at
        if not numbered_later or since is None or written is None or now - written >= COARSE or self.values:
            self._newest("last_line_sender_at", time, last_line=text[:500])

    def hear_message(self, message: dict[str, Any], sent_at: int, now: int, *, proves: bool) -> None:
        """One GUI message that is no log line, as GOLIAT sent it."""
        kind = message.get("type")
        kind = kind if isinstance(kind, str) else "unknown"
        self.alive = self.alive or kind not in LIFELESS
        if proves:
            for sign in signs_of_message(message, sent_at):
                self.signs.append((now, sign))
                if sign.kind is SignKind.SIM_STARTED and sign.ordinal is not None:
                    self._take("sim_sender_at", sign.at, sim_index=sign.ordinal + 1, sim_total=sign.total,
                               sim_details=sign.text)  # fmt: skip
        self._summarise(kind, message, sent_at)
        if kind not in FOLDED:
            self.kept.append((now, sent_at, kind[:100], msgspec.json.encode(message).decode()))

    def hear_vitals(self, values: dict[str, float], at: int, now: int) -> None:
        """Vitals of the machine while it runs this; kept at a bounded rate."""
        if self._due("vitals_sampled_at", now):
            self.samples.append(("vitals", at, now, msgspec.json.encode(values).decode()))

    def settle(self) -> None:
        """Everything was heard: what follows from all of it together."""
        if self.late:
            self.values = {name: value for name, value in self.values.items() if name in COUNTED_LATE}
            return
        self.set_coarse("last_sign_at", self.now)
        if self.alive:
            self.set_coarse("last_life_at", self.now)
        if self.run.first_sign_at is None:
            self.values["first_sign_at"] = self.now
        if self._progressed_at is not None and self._due("progress_sampled_at", self.now):
            self.samples.append(("progress", self._progressed_at, self.now, progress.body_of(self.get)))

    def set_coarse(self, name: str, value: int) -> None:
        """Set a time that nobody reads to the microsecond, unless what is written is nearly the same."""
        if not is_near(self.get(name), value):
            self.values[name] = value

    def _due(self, clock: str, now: int) -> bool:
        known = self.get(clock)
        if known is not None and now - known < SAMPLE_EVERY:
            return False
        self.values[clock] = now
        return True

    def _newest(self, clock: str, sent_at: int, **values: Any) -> bool:
        """Take `values` if no newer message (by its sender's clock) gave them already."""
        known = self.get(clock)
        if known is not None and sent_at < known:
            return False
        self.values[clock] = sent_at
        self.values.update(values)
        return True

    def _take(self, clock: str, sent_at: int, **values: Any) -> None:
        """`_newest` for what a sample of the progress shows."""
        if self._newest(clock, sent_at, **values):
            self._progressed_at = max(sent_at, self._progressed_at or 0)

    def _summarise(self, kind: str, message: dict[str, Any], sent_at: int) -> None:
        if kind == "overall_progress":
            percent = _percent(message)
            if percent is not None:
                self._take("percent_sender_at", sent_at, percent=percent)
        elif kind == "stage_progress":
            name = message.get("name")
            if isinstance(name, str):
                self._take("stage_sender_at", sent_at, stage=name[:100], stage_percent=_percent(message))
        elif kind == "profiler_update":
            self._take("eta_sender_at", sent_at, eta_seconds=_number(message.get("eta_seconds")))
        elif kind == "start_animation":
            estimate = _number(message.get("estimate"))
            if estimate is not None:
                body = msgspec.json.encode({"estimate": estimate, "at": sent_at}).decode()
                self._newest("animation_sender_at", sent_at, animation=body)
        elif kind == "end_animation":
            self._newest("animation_sender_at", sent_at, animation=None)


def is_near(known: int | None, value: int) -> bool:
    """Whether a coarse time is written already, or one so near `value` that it stays."""
    return known is not None and abs(value - known) < COARSE


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
