"""Live runs that get nowhere: one that waits for a licence, and one whose process lives and does nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from goliat_monitoring.fleet.timing import MINUTE, STALLED

Flag = Literal["", "stalled", "waiting_for_licence"]

# GOLIAT starts a solver that failed again without a pause, for ever, and warns each time. One failure heals itself.
RETRIES = 3
# The solver tells its progress every few seconds; a start on a large grid takes minutes.
NO_PROGRESS = 5 * MINUTE
# A retry seldom takes longer than this to fail again: older ones are over.
RETRYING = 15 * MINUTE
# A GPU that shows a desktop, and a computer that does nothing: percent of the GPU, cores of the processor.
IDLE_GPU = 5.0
IDLE_CORES = 0.5
# A window that moves takes a GPU for a moment; only a computation takes as much of it as this, in percent.
COMPUTING_GPU = 50.0
# Samples must cover this share of the silence, or nobody can tell what the machine did.
COVERED = 0.8


@dataclass(frozen=True, slots=True)
class Retries:
    """The solver's failed starts for the simulation that it is at: how many, and when the last was (server's clock)."""

    count: int = 0
    last_at: int = 0


@dataclass(frozen=True, slots=True)
class Vitals:
    """One sample: when it came, GPU use in percent and processor use in cores; None where it is not known."""

    at: int
    gpu: float | None
    cores: float | None


@dataclass(frozen=True, slots=True)
class Life:
    """What is known of a live run's life. Times: server's clock, UTC microseconds.

    `life_at`: the last sign of the study itself (a log line, a stage, a simulation). `progress_at`: the solver's last
    progress line. `licence`: the newest warning or error that names a licence, and `licence_at` its time.
    """

    began_at: int
    life_at: int | None = None
    progress_at: int | None = None
    retries: Retries = Retries()
    licence: str = ""
    licence_at: int = 0
    vitals: Sequence[Vitals] = ()


@dataclass(frozen=True, slots=True)
class Stall:
    """`flag`: "" for a run that does well. `sure`: the machine was watched all along and did nothing."""

    flag: Flag = ""
    reason: str = ""
    sure: bool = False


def stall_of(life: Life, now: int) -> Stall:
    """Whether a live run gets nowhere.

    `waiting_for_licence`: the solver was started three times or more without any progress between, or a line that
    names a licence was the last that happened. `stalled`: for half an hour no log and no progress, while GPU and
    processor were idle as far as they are known. A machine that was seen to compute is never stalled; a desktop on its
    GPU is no computation.
    """
    progressed = max(life.progress_at or 0, life.began_at)
    waited = now - max(progressed, 0)
    if life.retries.count >= RETRIES and now - life.retries.last_at <= RETRYING and (
        life.retries.last_at > progressed and waited >= NO_PROGRESS
    ):  # fmt: skip
        return Stall(
            "waiting_for_licence",
            f"the solver failed {life.retries.count} times and made no progress for {waited // MINUTE} min; "
            "most often no licence is free",
        )
    if life.licence and life.licence_at > progressed and now - life.licence_at <= RETRYING and waited >= NO_PROGRESS:
        return Stall("waiting_for_licence", life.licence[:300])
    heard = max(life.life_at or 0, life.progress_at or 0, life.began_at)
    silent = now - heard
    if silent <= STALLED:
        return Stall()
    watched = [sample for sample in life.vitals if sample.at > heard]
    on_gpu = [it.gpu for it in watched if it.gpu is not None]
    gpu, cores = _middle(on_gpu), _middle([it.cores for it in watched if it.cores is not None])
    if (gpu or 0) > IDLE_GPU or max(on_gpu, default=0) > COMPUTING_GPU or (cores or 0) > IDLE_CORES:
        return Stall()
    minutes = silent // MINUTE
    if gpu is None:
        return Stall("stalled", f"no log and no progress for {minutes} min; the use of the GPU is not known")
    span = max(it.at for it in watched) - min(it.at for it in watched)
    sure = cores is not None and span >= COVERED * silent
    return Stall("stalled", f"no log, no progress and no use of the GPU for {minutes} min", sure)


def _middle(values: Sequence[float]) -> float | None:
    """The median: an update that runs for a minute is no sign of the study."""
    return sorted(values)[len(values) // 2] if values else None
