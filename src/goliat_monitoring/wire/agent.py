"""The agent's conversation with the server, version 1, under `/api/agent/v1/`.

Every call carries `Authorization: Bearer <credential>`. Calls about a run also carry its fencing token in the
`X-Goliat-Fence` header. A refusal is an `ApiError`; 409 with `"fenced": true` means: the run is no longer yours,
end its process tree, keep delivering what it already produced.

    POST enrol                          Enrol          -> Enrolled      (with an admin or enrolment token, or open)
    POST session                        OpenSession    -> SessionOpened (each start of the agent)
    POST session/end                    EndSession     -> Accepted      (it ends itself, with nothing left to deliver)
    POST heartbeat                      Beat           -> BeatReply     (409 fenced: the run is another's)
    POST orders                         Listen         -> Orders        (held open up to `waitS` while nothing is asked)
    POST claim                          Claim          -> Claimed       (held open up to `waitS` while there is no work)
    POST runs/{id}/batch                Batch          -> Accepted      (exactly once by stream and offset)
    PUT  runs/{id}/artifacts?path=&name=&sha256=&cached=   raw body -> Stored
    PUT  runs/{id}/screenshots?tab=&at= raw JPEG body  -> Accepted
    POST runs/{id}/end                  End            -> Ended
"""

from typing import Any, Literal

import msgspec

FENCE_HEADER = "X-Goliat-Fence"
API_VERSION = 1

Directive = Literal["continue", "stop", "kill"]
Wish = Literal["active", "paused", "draining", "stopping", "removed"]


class Facts(msgspec.Struct, rename="camel", omit_defaults=True):
    """What a machine is. Sizes in bytes unless the name says otherwise."""

    hostname: str = ""
    os: str = ""
    gpu_name: str = ""
    gpu_count: int = 0
    vram_bytes: int = 0
    cpu_cores: int = 0
    ram_bytes: int = 0
    agent_version: str = ""
    goliat_version: str = ""
    python_version: str = ""
    tags: list[str] = []


class Fingerprint(msgspec.Struct, rename="camel", frozen=True):
    """Which boot of which machine speaks: tells a restarted agent from a cloned disk."""

    machine_id: str
    hostname: str
    boot_id: str


class Enrol(msgspec.Struct, rename="camel"):
    """`worker_id`: the id this state dir already holds, if any; `label` is shown to people."""

    fingerprint: Fingerprint
    facts: Facts
    worker_id: str | None = None
    label: str = ""


class Enrolled(msgspec.Struct, rename="camel"):
    """`credential` is shown once and stored hashed."""

    worker_id: str
    credential: str


class OpenSession(msgspec.Struct, rename="camel"):
    """Sent at each start. `sent_at`: the agent's clock, UTC microseconds, to measure skew."""

    fingerprint: Fingerprint
    facts: Facts
    sent_at: int


class SessionOpened(msgspec.Struct, rename="camel"):
    session_id: str
    epoch: str
    heartbeat_s: float
    ask_s: float


class EndSession(msgspec.Struct, rename="camel"):
    """The last word of an agent that ends in good order and leaves no run behind."""

    session_id: str


class RunSummary(msgspec.Struct, rename="camel", omit_defaults=True):
    """What the agent knows of the run it carries, beside what GOLIAT reports."""

    run_id: str
    goliat_alive: bool = False
    backlog_items: int = 0


class Beat(msgspec.Struct, rename="camel", omit_defaults=True):
    """Heartbeat. With a run it renews the run's lease; its fence goes in the header.

    `vitals`: latest sample, names as in `Sample`. `notes`: conditions a person should see, such as `disk_low`.
    """

    session_id: str
    sent_at: int
    run: RunSummary | None = None
    vitals: dict[str, float] = {}
    notes: list[str] = []


class BeatReply(msgspec.Struct, rename="camel", omit_defaults=True):
    """`lease_s`: seconds the run stays this worker's, counted from now on the agent's monotonic clock.

    `directive` is for the run; `wish` for the worker: `paused` and `draining` claim nothing new, `stopping` ends itself
    once its run is delivered.
    """

    epoch: str
    next_s: float
    wish: Wish = "active"
    directive: Directive = "continue"
    reason: str = ""
    lease_s: float | None = None


class Listen(msgspec.Struct, rename="camel", omit_defaults=True):
    """What the agent knows of what is asked: of its run, whose fence goes in the header, and of itself.

    `wait_s`: how long the server may hold the call while that is still so (at most 30).
    """

    session_id: str
    run_id: str | None = None
    directive: Directive = "continue"
    wish: Wish = "active"
    wait_s: float = 0


class Orders(msgspec.Struct, rename="camel", omit_defaults=True):
    """What is asked now; `directive` and `wish` as in `BeatReply`."""

    wish: Wish = "active"
    directive: Directive = "continue"
    reason: str = ""


class Claim(msgspec.Struct, rename="camel", omit_defaults=True):
    """Ask for work. `wait_s`: how long the server may hold the call while there is none (at most 30)."""

    session_id: str
    wait_s: float = 0


class CaseRef(msgspec.Struct, rename="camel"):
    """One expected simulation: stable key and the folder of its results below `results/`."""

    key: str
    relative_path: str
    details: str = ""


class Job(msgspec.Struct, rename="camel"):
    """A granted run. `config` keeps its key order. `cases` is empty while the config still has `extends`."""

    run_id: str
    fence: str
    assignment_id: str
    super_study_id: str
    study_name: str
    index: int
    attempt: int
    config: dict[str, Any]
    cases: list[CaseRef]
    lease_s: float


class Claimed(msgspec.Struct, rename="camel", omit_defaults=True):
    """`job` is absent when there is no work; ask again after `next_s`."""

    epoch: str
    next_s: float
    wish: Wish = "active"
    job: Job | None = None


class LineItem(msgspec.Struct, tag="line", tag_field="k", rename="camel", omit_defaults=True):
    """A log line, already in order. `time`: sender's clock, UTC microseconds."""

    time: int
    level: str
    source: str
    text: str


class MessageItem(msgspec.Struct, tag="message", tag_field="k", rename="camel"):
    """A GUI message that is no log line, as GOLIAT sent it (progress, stage, simulation, finished, ...)."""

    sent_at: int
    message: dict[str, Any]


class SampleItem(msgspec.Struct, tag="sample", tag_field="k", rename="camel"):
    """Vitals while a run goes on: `cpu`, `ram`, `gpu`, `vram` in percent, `gpu_temp` in C, `disk_free` in bytes,
    `disk_read` and `disk_write` in MB/s, `page_faults` that wait for the disk a second.
    """

    at: int
    values: dict[str, float]


class CasesItem(msgspec.Struct, tag="cases", tag_field="k", rename="camel"):
    """The cases of a config that the server could not resolve, learned on the machine."""

    cases: list[CaseRef]
    phases: dict[str, bool]


class GapItem(msgspec.Struct, tag="gap", tag_field="k", rename="camel"):
    """Lines that were given up because the machine's disk was full: how many, from when to when, why."""

    count: int
    first_at: int
    last_at: int
    reason: str


Item = LineItem | MessageItem | SampleItem | CasesItem | GapItem


class Batch(msgspec.Struct, rename="camel"):
    """Items `offset .. offset+len` of stream `stream`. A repeat is answered with the same 200 and changes nothing.

    An `offset` past the next expected one gets 409 with `next`.
    """

    stream: str
    offset: int
    items: list[Item]


class Accepted(msgspec.Struct, rename="camel", omit_defaults=True):
    """`next`: the first offset the server does not have. `late`: the run was over already; kept and marked."""

    next: int = 0
    late: bool = False
    directive: Directive = "continue"
    reason: str = ""


class Stored(msgspec.Struct, rename="camel"):
    """`version`: 1 for the first file of this path and name; the bytes of the newest again keep its version."""

    artifact_id: str
    version: int
    size: int
    sha256: str
    late: bool = False


EndCause = Literal["exited", "stopped", "killed", "fenced", "start_failed", "lost_process"]


class End(msgspec.Struct, rename="camel", omit_defaults=True):
    """How the process ended. Sent after the outbox up to the end has been delivered.

    `stream`, `next_offset`: how much this agent sent, so that the server can tell that it heard everything.
    `manifest`: (relative path, file name, sha256) of every file the agent uploaded for this run.
    """

    cause: EndCause
    exit_code: int | None
    ended_at: int
    stream: str
    next_offset: int
    reason: str = ""
    manifest: list[tuple[str, str, str]] = []


class Ended(msgspec.Struct, rename="camel", omit_defaults=True):
    """The server's judgement."""

    state: str
    reason: str = ""
