"""What an unmodified GOLIAT puts on the wire: heartbeats and GUI updates. Unknown fields and types are kept."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

# What GOLIAT's logger knows as the kind of a line.
Level = Literal[
    "default", "progress", "info", "verbose", "warning", "error", "fatal", "success", "header", "highlight", "caller"
]


class Heartbeat(msgspec.Struct, rename="camel"):
    """POST /api/heartbeat. `machine_id` is a public IP or whatever the client was told to use."""

    machine_id: str | None = None
    ip_address: str | None = None
    hostname: str | None = None
    gpu_name: str | None = None
    cpu_cores: int | None = None
    total_ram_gb: float | None = msgspec.field(default=None, name="totalRamGB")


class GuiUpdate(msgspec.Struct, rename="camel"):
    """POST /api/gui-update. `timestamp` is the sender's unix time in seconds when the request was sent."""

    machine_id: str | None = None
    ip_address: str | None = None
    message: dict[str, Any] | None = None
    timestamp: Any = None


class LogEntry(msgspec.Struct, gc=False):
    """A line of a `LogBatch`. `timestamp`: unix seconds of its sender; larger ones may be milliseconds."""

    message: str
    log_type: Level
    timestamp: Annotated[float, Meta(ge=0, lt=1e11)]


class LogBatch(msgspec.Struct, tag_field="type", tag="log_batch", gc=False):
    """The one kind of message that comes by the hundred, as every GOLIAT writes it."""

    logs: list[LogEntry]
    sequence: Annotated[int, Meta(ge=0, lt=2**53)]


class LogUpdate(msgspec.Struct, rename="camel", gc=False):
    """A `GuiUpdate` with such a message. Whatever else a sender makes of it is read as a `GuiUpdate`."""

    machine_id: str
    message: LogBatch
    timestamp: float
