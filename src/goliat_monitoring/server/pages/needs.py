"""What needs a person: of runs, workers and studies, newest first, each with a link to where to act."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.fleet.strangers import Offer
from goliat_monitoring.server.pages.flags import ADVICE
from goliat_monitoring.server.pages.numbers import plural, span
from goliat_monitoring.server.pages.words import Sign, sign
from goliat_monitoring.server.pages.workers import WorkerRow
from goliat_monitoring.store.read import overview as read
from goliat_monitoring.store.read.studies import StudySummary
from goliat_monitoring.wire.clock import SECOND

OF_RUN = ("stalled", "waiting_for_licence", "silent_claim")
GONE = "Not heard while holding a run. If the machine is gone, its work goes to another by itself."
GONE_BY_HAND = "Not heard while holding a run started by hand. If the machine is gone, its work is lost."


class Need(NamedTuple):
    """Something that waits for a person. `href` leads to what it is about, `act` to where to act, under `label`.

    `at`: since when, UTC microseconds, None where nobody noted it. `take_back`: the worker and the study of which it
    gets no more. `offer`: the claim and the machine that one click joins.
    """

    key: str
    sign: Sign
    name: str
    why: str
    href: str
    at: int | None
    act: str = ""
    label: str = ""
    take_back: tuple[str, str] | None = None
    offer: Offer | None = None


def needs_of(
    workers: Sequence[WorkerRow],
    failures: Iterable[read.Failure],
    aside: Iterable[read.SetAside],
    stopped: Iterable[read.Stopped],
    unfit: Iterable[StudySummary],
    offers: Sequence[Offer],
) -> list[Need]:
    """All of it, newest first; what has no time comes last. `unfit`: studies of which no worker may have what waits."""
    by_id = {worker.view.id: worker for worker in workers}
    # Who never spoke and who spoke instead are one matter, and one click ends it.
    answered = {f"{it.silent.worker_id}-silent_claim" for it in offers}
    found = [_offered(it) for it in offers]
    found += [_failed(it) for it in failures]
    found += [need for worker in workers for need in _of_worker(worker) if need.key not in answered]
    found += [_set_aside(it, by_id) for it in aside if it.worker_id in by_id]
    found += [_stopped(it) for it in stopped]
    found += [_unfit(it) for it in unfit]
    found.sort(key=lambda need: -(need.at or 0))
    return found


def unfit_studies(studies: Iterable[StudySummary], outlook: Outlook) -> list[StudySummary]:
    """Studies of which something can be taken by nobody, though there are workers that take work."""
    if not outlook.takers:
        return []
    waits = [study for study in studies if study.counts.get("PENDING") and not study.retries_stopped]
    return [study for study in waits if (future := outlook.studies.get(study.id)) is not None and future.stuck]


def _offered(it: Offer) -> Need:
    silent, key = it.silent, f"{it.silent.run_id}-{it.stranger.run_id}"
    name, here = f"{silent.study_name} #{silent.index}", f"/runs/{silent.run_id}"
    return Need(key, sign("flag", "silent_claim"), name, "", here, silent.claimed_at, offer=it)


def _failed(it: read.Failure) -> Need:
    # What the log says first is most often the cause; the verdict follows from it.
    reason = it.ask or it.error or it.reason or "no reason was given"
    line = f"#L{it.error_line}" if it.error_line else ""
    return Need(
        f"{it.assignment_id}-failed",
        sign("assignment", "FAILED"),
        f"{it.study_name} #{it.index}",
        f"After {plural(it.attempts, 'try', 'tries')}: {reason}",
        f"/studies/{it.study_id}",
        it.at,
        f"/runs/{it.run_id}{line}" if it.run_id else f"/studies/{it.study_id}",
        (f"log L{it.error_line}" if line else "run") if it.run_id else "study",
    )


def _of_worker(worker: WorkerRow) -> list[Need]:
    view, run = worker.view, worker.run
    here = f"/workers/{view.id}"
    found = []
    if worker.lost and run is not None:
        look = worker.presence_sign
        why = GONE if run.assignment_id is not None else GONE_BY_HAND
        found.append(Need(f"{view.id}-lost", look, view.name, why, here, view.last_seen, f"/runs/{run.id}", "run"))
    for flag in worker.flags:
        # Of each study of which it gets no more there is a row of its own.
        if flag == "set_aside":
            continue
        look, key = sign("flag", flag), f"{view.id}-{flag}"
        if flag in OF_RUN and run is not None:
            why = f"{run.flag_reason.capitalize()}. {ADVICE[flag]}" if run.flag_reason else ADVICE[flag]
            at = run.claimed_at if flag == "silent_claim" else run.flagged_at
            found.append(Need(key, look, view.name, why, here, at, f"/runs/{run.id}#log", "log"))
        else:
            skew = span(abs(view.clock_skew or 0) / SECOND)
            why = ADVICE.get(flag, "Its agent says so.").format(skew=skew)
            found.append(Need(key, look, view.name, why, here, view.conditions.get(flag), here, "worker"))
    return found


def _set_aside(it: read.SetAside, workers: Mapping[str, WorkerRow]) -> Need:
    name = workers[it.worker_id].view.name
    why = f"{it.reason[:1].upper()}{it.reason[1:]}. It gets no more of {it.study_name} until somebody takes it back."
    key = f"{it.worker_id}-{it.study_id}-aside"
    here = f"/workers/{it.worker_id}"
    return Need(key, sign("flag", "set_aside"), name, why, here, it.at, here, "worker", (it.worker_id, it.study_id))


def _stopped(it: read.Stopped) -> Need:
    look = Sign("two-bars", "Retries stopped", "bad")
    why = f"Nothing of it is tried again: {it.reason}. Resume it when the cause is found."
    here = f"/studies/{it.study_id}"
    return Need(f"{it.study_id}-stopped", look, it.study_name, why, here, it.at, here, "study")


def _unfit(it: StudySummary) -> Need:
    look = Sign("hourglass", "No worker fits", "warn")
    why = "No worker may have what is left of it. Add a worker that meets its requirements, or change them."
    here = f"/studies/{it.id}"
    return Need(f"{it.id}-unfit", look, it.name, why, here, it.updated_at, here, "study")
