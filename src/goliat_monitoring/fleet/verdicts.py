"""Whether one case is done, from the signs of that case alone."""

import re
from dataclasses import dataclass
from typing import Literal

from goliat_monitoring.fleet.attribution import Slot
from goliat_monitoring.fleet.signs import Sign, SignKind
from goliat_monitoring.study.cases import Phases

# The combination of beams after the simulations of one phantom and frequency: no error of the last simulation.
AUTO_INDUCED = re.compile(
    r"auto-induced|focus search|No focus candidates|for candidate #|ERROR combining fields", re.IGNORECASE
)
# One tone of several could not be extracted; GOLIAT goes on and announces the extraction all the same.
_TONE = re.compile(r"ERROR extracting at\b")
_NO_EXTRACT = "Deliverables for 'extract' phase not found"
_NO_RUN = "Deliverables for 'run' phase not found"


@dataclass(frozen=True, slots=True)
class CaseVerdict:
    """`state`: done; failed (an error that nothing healed); missing (never begun); unproven (begun or possibly begun,
    no error, no proof). `why`: for a person. `ended_at`: the end of its last phase on the sender's clock, where
    heard."""

    state: Literal["done", "failed", "missing", "unproven"]
    why: str
    ended_at: int | None = None


def verdict(slot: Slot, phases: Phases, ended: bool) -> CaseVerdict:
    """The verdict on one case. `ended`: GOLIAT was heard to the end, or its process ended with code 0.

    With extraction: proof is its result, the extraction's end, or the cache. Without: the end of the run phase.
    Without both: its announcement, in a study that ended and named no error. A later proof outweighs earlier errors,
    a result any error, with these exceptions, where GOLIAT reports an end that was none: a tone that could not be
    extracted, a phase that left no files, a run that failed (only the solver's own lines heal there). The end of a
    phase that may be the next simulation's proves nothing.
    """
    proof, since = _proof(slot, phases, ended)
    ended_at = max((sign.at for sign in slot.signs if sign.kind in _ENDS), default=None)
    for sign in slot.signs:
        if sign.kind is SignKind.ERROR and not _healed(sign, proof, since, slot, phases):
            return CaseVerdict("failed", sign.text or "an error", ended_at)
    if proof is not None:
        return CaseVerdict("done", _WORDS[proof], ended_at)
    if slot.started:
        return CaseVerdict("unproven", "it began, but nothing proves that it was finished")
    if slot.skipped:
        return CaseVerdict("unproven", "its beginning was not heard, although later ones were")
    return CaseVerdict("missing", "it never began")


_ENDS = frozenset({SignKind.EXTRACTED, SignKind.CACHED, SignKind.RUN_DONE})
_WORDS = {
    SignKind.RESULT: "its result arrived",
    SignKind.EXTRACTED: "its results were extracted",
    SignKind.CACHED: "it was already done",
    SignKind.RUN_DONE: "it was run",
    SignKind.FINISHED: "it was set up",
}


def _proof(slot: Slot, phases: Phases, ended: bool) -> tuple[SignKind | None, int]:
    """The best proof and its time; FINISHED where the end of the study is all that can be had."""
    kinds = [SignKind.RESULT, SignKind.CACHED, SignKind.EXTRACTED]
    if phases.do_run and (phases.only_write_input or not phases.do_extract):
        kinds.append(SignKind.RUN_DONE)
    if slot.doubtful:
        kinds = [SignKind.RESULT, SignKind.CACHED]
    for kind in kinds:
        times = [sign.at for sign in slot.signs if sign.kind is kind]
        if times:
            # Errors are weighed against the last proof of any kind.
            return kind, max(sign.at for sign in slot.signs if sign.kind in kinds)
    if phases.do_setup and not phases.do_run and not phases.do_extract and slot.started and ended:
        return SignKind.FINISHED, -1
    return None, -1


def _healed(error: Sign, proof: SignKind | None, since: int, slot: Slot, phases: Phases) -> bool:
    """Whether `error` is outweighed by `proof`, the last of which came at `since`."""
    text, later = error.text, error.at <= since
    cached = proof is SignKind.CACHED
    arrived = cached or proof is SignKind.RESULT
    if AUTO_INDUCED.search(text):
        healed = True
    elif _TONE.search(text):
        healed = cached
    elif text.startswith(_NO_EXTRACT):
        # Of several tones the files lie elsewhere: GOLIAT misses them each time.
        healed = slot.tones > 1 or arrived
    elif text.startswith(_NO_RUN):
        healed = phases.only_write_input or arrived or proof is SignKind.EXTRACTED
    elif proof is SignKind.RUN_DONE:
        healed = later and text.startswith("iSolve")
    else:
        healed = proof is SignKind.RESULT or (proof is not None and later)
    return healed
