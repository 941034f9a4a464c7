"""What a heartbeat says of its machine: vitals, how busy the GPU was, and since when what is wrong is wrong."""

import msgspec

from goliat_monitoring.fleet.presence import clock_is_off
from goliat_monitoring.fleet.trace import Trace, follow
from goliat_monitoring.wire.agent import Beat

# An agent reports a handful of conditions by short names; more is not kept.
MOST_NOTES = 20
NOTE_LENGTH = 100
_conditions = msgspec.json.Decoder(dict[str, int])
_trace = msgspec.json.Decoder(Trace)
_NO_TRACE = Trace()


def heard(conditions: str, gpu_trace: str | None, now: int, said: Beat) -> dict[str, str]:
    """Columns of the worker as they follow from this heartbeat and from what two of them were. `now`: server's clock,
    UTC microseconds.
    """
    notes = [note[:NOTE_LENGTH] for note in said.notes[:MOST_NOTES]]
    known = since(conditions)
    wrong = [*notes, "clock_off"] if clock_is_off(said.sent_at - now) else notes
    values = {
        "vitals": msgspec.json.encode(said.vitals).decode(),
        "notes": msgspec.json.encode(notes).decode(),
        "conditions": msgspec.json.encode({note: known.get(note, now) for note in wrong}).decode(),
    }
    gpu = said.vitals.get("gpu")
    if gpu is not None:
        values["gpu_trace"] = msgspec.json.encode(follow(trace(gpu_trace), gpu, now)).decode()
    return values


def since(text: str) -> dict[str, int]:
    """By condition the time since which it holds, UTC microseconds."""
    return _conditions.decode(text)


def trace(text: str | None) -> Trace:
    """The trace in the column's text."""
    return _trace.decode(text) if text else _NO_TRACE
