"""Every table, as SQLAlchemy Core. Keys that are dear to change are those of the design; times are UTC microseconds.

Columns named `..._at` hold the server's receive time unless `sender` is in the name.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite only counts up by itself on INTEGER; PostgreSQL wants 64 bits.
Serial = BigInteger().with_variant(Integer, "sqlite")

LIVE_RUN = text("state IN ('claimed', 'running', 'unreachable')")

# Spelled once, so that a query matches the partial index. 262144: see store.log.chunk.SEAL_BYTES.
TO_SEAL = text("tail_size >= 262144")
PENDING = text("state = 'PENDING'")
AGAIN = text("state = 'PENDING' AND attempts > 0")
FAILED = text("state = 'FAILED'")
COMPLETED = text("state = 'COMPLETED'")
FAILED_ALIKE = text("failure_key IS NOT NULL")
OVER_UNSEALED = text("ended_at IS NOT NULL AND tail_size > 0")
TO_LEARN = text("state = 'done' AND NOT learned")

server_facts = Table(
    "server_facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # agent | bare
    # Identity of a bare client. NULL for agents, whose identity is the id itself.
    Column("machine_id", Text),
    Column("hostname", Text, nullable=False, server_default=""),
    Column("label", Text, nullable=False, server_default=""),
    Column("ip", Text, nullable=False, server_default=""),
    Column("facts", Text, nullable=False, server_default="{}"),  # JSON of wire.agent.Facts
    Column("wish", Text, nullable=False, server_default="active"),
    Column("notes", Text, nullable=False, server_default="[]"),  # JSON list of flags its agent reports
    Column("vitals", Text, nullable=False, server_default="{}"),  # JSON of the latest sample
    # JSON {condition: since}: each of `notes`, and clock_off, as its agent's heartbeats tell.
    Column("conditions", Text, nullable=False, server_default="{}"),
    Column("gpu_trace", Text),  # JSON of fleet.trace.Trace; NULL until its agent told how busy its GPU is
    Column("clock_skew", BigInteger),  # sender minus server, microseconds
    Column("price_per_hour", Float),  # euro; NULL while nobody said
    Column("last_seen", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("left_at", BigInteger),  # its agent said that it ends itself; if it was heard since, it is back
    UniqueConstraint("machine_id", "hostname"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("worker_id", Text, ForeignKey("workers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("fingerprint", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", Text, primary_key=True),
    Column("secret_hash", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),  # api | enrolment | agent
    Column("role", Text, nullable=False, server_default=""),
    Column("worker_id", Text, ForeignKey("workers.id", ondelete="CASCADE")),
    Column("label", Text, nullable=False, server_default=""),  # what people call it
    Column("created_by", Text, nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),  # of API tokens, to a few minutes
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
)

# Configs that others extend. Replaced as a whole; studies hold what they were resolved to.
library_configs = Table(
    "library_configs",
    metadata,
    Column("name", Text, primary_key=True),  # as `extends` looks it up
    Column("name_key", Text, nullable=False, unique=True),  # casefolded: Windows does not tell case apart
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),  # the file as it came
    Column("size", Integer, nullable=False),  # bytes
    Column("sha256", Text, nullable=False),
    Column("extends", Text, nullable=False, server_default=""),
    Column("stored_by", Text, nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

# What people changed at run time of what the environment says; JSON values.
stored_settings = Table(
    "stored_settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("stored_by", Text, nullable=False, server_default=""),
    Column("updated_at", BigInteger, nullable=False),
)

# What an hour of a worker with such a GPU costs, where the worker has no price of its own.
gpu_prices = Table(
    "gpu_prices",
    metadata,
    Column("gpu", Text, primary_key=True),  # part of the GPU's name, word for word
    Column("price_per_hour", Float, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

super_studies = Table(
    "super_studies",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False, unique=True),  # casefolded: Windows folders do not tell case apart
    Column("description", Text, nullable=False, server_default=""),
    Column("base_config", Text, nullable=False),  # JSON, key order kept
    Column("base_sha256", Text, nullable=False),
    Column("split", Text, nullable=False, server_default="{}"),
    Column("sources", Text, nullable=False, server_default="[]"),  # JSON list of store.read.library.Source
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("cancelled", Boolean, nullable=False, server_default=text("false")),
    # Why nothing of it is tried again until a person says go on.
    Column("retries_stopped", Text, nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("updated_at", BigInteger, nullable=False),
)

assignments = Table(
    "assignments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("super_study_id", Text, ForeignKey("super_studies.id", ondelete="CASCADE"), nullable=False),
    Column("index", Integer, nullable=False),
    Column("config", Text, nullable=False),
    Column("weight", Float, nullable=False, server_default="1"),
    Column("requirements", Text, nullable=False, server_default="{}"),
    Column("state", Text, nullable=False),
    Column("phases", Text, nullable=False, server_default="{}"),  # JSON: do_setup, do_run, do_extract
    Column("expected_total", Integer),  # NULL while nobody knows
    Column("done_weight", Float, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("memory_errors", Integer, nullable=False, server_default="0"),
    # Attempts up to this number are not held against it: a person asked again after them.
    Column("counts_from", Integer, nullable=False, server_default="0"),
    Column("not_before", BigInteger),
    # Till then not on a worker that failed it, nor on a GPU with no more memory than this.
    Column("prefer_until", BigInteger),
    Column("vram_above", BigInteger),
    Column("ask", Text, nullable=False, server_default=""),  # what a person must decide
    Column("cancel_asked", Boolean, nullable=False, server_default=text("false")),
    Column("replaced_at", BigInteger),  # others ask for its missing cases now
    # The newest run, so that lists need no look at other runs.
    Column("last_run_id", Text),
    Column("started_at", BigInteger),
    Column("completed_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("super_study_id", "index"),
    # The queue: from here each study's first assignment of each demand is found without a look at the others.
    Index("ix_assignments_queue", "super_study_id", "requirements", "index", sqlite_where=PENDING,
          postgresql_where=PENDING),
    Index("ix_assignments_again", "not_before", sqlite_where=AGAIN, postgresql_where=AGAIN),
    # What the overview counts and names, without a look at all there ever was.
    Index("ix_assignments_failed", "updated_at", sqlite_where=FAILED, postgresql_where=FAILED),
    Index("ix_assignments_completed", "completed_at", sqlite_where=COMPLETED, postgresql_where=COMPLETED),
)  # fmt: skip

cases = Table(
    "cases",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("assignment_id", Text, ForeignKey("assignments.id", ondelete="CASCADE"), nullable=False),
    Column("case_key", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("phantom", Text, nullable=False, server_default=""),
    Column("frequency", Text, nullable=False, server_default=""),
    Column("placement", Text, nullable=False, server_default=""),
    Column("details", Text, nullable=False, server_default=""),
    Column("relative_path", Text, nullable=False, server_default=""),
    Column("weight", Float, nullable=False, server_default="1"),
    Column("state", Text, nullable=False, server_default="pending"),  # pending | done | failed | moved
    Column("run_id", Text),  # the run that completed it
    UniqueConstraint("assignment_id", "case_key"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("assignment_id", Text, ForeignKey("assignments.id", ondelete="CASCADE")),
    Column("worker_id", Text, ForeignKey("workers.id"), nullable=False),
    Column("session_id", Text),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("kind", Text, nullable=False),  # agent | bare
    Column("fence_hash", Text),
    Column("sender_ip", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("exit_code", Integer),
    Column("directive", Text, nullable=False, server_default="continue"),  # what people asked: continue | stop | kill
    Column("claimed_at", BigInteger, nullable=False),
    Column("first_sign_at", BigInteger),
    Column("last_sign_at", BigInteger),  # any message of the run
    Column("last_life_at", BigInteger),  # a sign that the study itself lives
    Column("lease_until", BigInteger, nullable=False),
    Column("finished_at", BigInteger),  # `finished` was heard
    Column("finished_sender_at", BigInteger),  # the same on the sender's clock: later messages belong elsewhere
    Column("judge_at", BigInteger),  # when the outcome is decided
    Column("ended_at", BigInteger),
    # Boundaries of a bare session: the first line of sequence 0, on the sender's clock.
    Column("sequence0_sender_at", BigInteger),
    # The summary that lists show. Each value carries the sender time of the message it came from.
    Column("percent", Float),
    Column("percent_sender_at", BigInteger),
    Column("stage", Text),
    Column("stage_percent", Float),
    Column("stage_sender_at", BigInteger),
    Column("sim_index", Integer),
    Column("sim_total", Integer),
    Column("sim_details", Text),
    Column("sim_sender_at", BigInteger),
    Column("eta_seconds", Float),
    Column("eta_sender_at", BigInteger),
    Column("animation", Text),  # JSON {estimate, endValue, at} or NULL
    Column("animation_sender_at", BigInteger),
    Column("warnings", Integer, nullable=False, server_default="0"),
    Column("errors", Integer, nullable=False, server_default="0"),
    Column("line_count", BigInteger, nullable=False, server_default="0"),  # numbered lines
    Column("last_line", Text),
    Column("last_line_sender_at", BigInteger),
    Column("log_key", Text),  # sort key of the last numbered bare line, JSON [time, sequence, position]
    Column("log_token", BigInteger, nullable=False, server_default="0"),  # another one after each addition to the log
    Column("tail_size", BigInteger, nullable=False, server_default="0"),  # the sum of `log_tail.size`
    # Rows of `log_window` up to this id are numbered, and lie there until they are swept away.
    Column("numbered_to", BigInteger, nullable=False, server_default="0"),
    # The solver's own progress, from its log lines.
    Column("solver_percent", Float),
    Column("mcells_per_s", Float),
    Column("solver_sender_at", BigInteger),
    # When the newest sample of each kind was kept: their rate is bounded.
    Column("progress_sampled_at", BigInteger),
    Column("vitals_sampled_at", BigInteger),
    Column("evidence_count", Integer, nullable=False, server_default="0"),
    Column("done_cases", Integer, nullable=False, server_default="0"),
    Column("cause", Text, nullable=False, server_default=""),  # fleet.causes.Cause, once it ended without success
    Column("failure_key", Text),  # the same for the same early failure
    # What the sweep found of a live run: fleet.stalls.Flag, why, since when.
    Column("flag", Text, nullable=False, server_default=""),
    Column("flag_reason", Text, nullable=False, server_default=""),
    Column("flagged_at", BigInteger),
    UniqueConstraint("assignment_id", "attempt"),
    Index("ix_runs_worker_claimed", "worker_id", "claimed_at"),
    Index("uq_runs_one_live", "assignment_id", unique=True, sqlite_where=LIVE_RUN, postgresql_where=LIVE_RUN),
    Index("ix_runs_live", "lease_until", sqlite_where=LIVE_RUN, postgresql_where=LIVE_RUN),
    # A free worker that asks for work has many runs behind it and none of these.
    Index("ix_runs_live_of_worker", "worker_id", sqlite_where=LIVE_RUN, postgresql_where=LIVE_RUN),
    Index("ix_runs_claimed_at", "claimed_at"),
    Index("ix_runs_to_seal", "tail_size", sqlite_where=TO_SEAL, postgresql_where=TO_SEAL),
    Index("ix_runs_over_unsealed", "ended_at", sqlite_where=OVER_UNSEALED, postgresql_where=OVER_UNSEALED),
    Index("ix_runs_ended_at", "ended_at"),
    Index("ix_runs_failure_key", "failure_key", sqlite_where=FAILED_ALIKE, postgresql_where=FAILED_ALIKE),
)

# What a run was given to compute, where that is less than its assignment's config asks for.
run_configs = Table(
    "run_configs",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("config", Text, nullable=False),
)

# What ended runs took, so that a list of studies need not look at them.
study_hours = Table(
    "study_hours",
    metadata,
    Column("super_study_id", Text, ForeignKey("super_studies.id", ondelete="CASCADE"), primary_key=True),
    Column("worker_id", Text, ForeignKey("workers.id", ondelete="CASCADE"), primary_key=True),
    Column("seconds", Float, nullable=False),
)

# Workers that get nothing more of a study. `lifted_at`: a person took that back; failures before it do not count.
set_aside = Table(
    "set_aside",
    metadata,
    Column("super_study_id", Text, ForeignKey("super_studies.id", ondelete="CASCADE"), primary_key=True),
    Column("worker_id", Text, ForeignKey("workers.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("lifted_at", BigInteger),
)

simulations = Table(
    "simulations",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("ordinal", Integer, nullable=False),  # 1-based, as the study announces it
    Column("case_key", Text),
    Column("details", Text, nullable=False, server_default=""),
    # Announced twice: by a message, stamped when sent, and by a log line, stamped when written.
    Column("started_sender_at", BigInteger),
    Column("started_line_at", BigInteger),
    Column("ended_sender_at", BigInteger),
    Column("state", Text, nullable=False, server_default="running"),  # running | done | failed | missing | unproven
    Column("why", Text, nullable=False, server_default=""),
    # It was looked at once it was done: what it taught, if anything, is among the timings.
    Column("learned", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("run_id", "ordinal"),
    Index("ix_simulations_to_learn", "id", sqlite_where=TO_LEARN, postgresql_where=TO_LEARN),
)

# What a simulation that is done taught about time.
timings = Table(
    "timings",
    metadata,
    Column("simulation_id", Serial, ForeignKey("simulations.id", ondelete="CASCADE"), primary_key=True,
           autoincrement=False),
    Column("super_study_id", Text, nullable=False),
    Column("worker_id", Text, nullable=False),
    Column("gpu", Text, nullable=False),
    Column("phantom", Text, nullable=False),
    Column("frequency", Text, nullable=False),
    Column("predicted_s", Float, nullable=False),  # by the cost model, for that GPU
    Column("seconds", Float, nullable=False),  # 0 where they are not known or it was not computed
    Column("cached", Boolean, nullable=False),
    # From samples, so to a few seconds; NULL where they do not tell.
    Column("setup_s", Float),
    Column("run_s", Float),
    Column("extract_s", Float),
    Column("learned_at", BigInteger, nullable=False, index=True),
)  # fmt: skip

study_history = Table(
    "study_history",
    metadata,
    Column("super_study_id", Text, ForeignKey("super_studies.id", ondelete="CASCADE"), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("progress", Float, nullable=False),  # 0 to 100
    Column("done_weight", Float, nullable=False),
    # When it will be done, UTC microseconds; NULL while nobody can tell.
    Column("p10_at", BigInteger),
    Column("p50_at", BigInteger),
    Column("p90_at", BigInteger),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", Text, nullable=False),  # fleet.evidence.SignKind
    Column("sender_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("text", Text, nullable=False, server_default=""),
    Column("case_key", Text),
    Column("ordinal", Integer),
    Column("total", Integer),
    Column("line", Boolean, nullable=False, server_default=text("false")),  # told by a log line, so event time
)

streams = Table(
    "streams",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("stream_id", Text, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)

log_tail = Table(
    "log_tail",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("first_line", BigInteger, primary_key=True),  # 1-based number of the first line of the batch
    Column("count", Integer, nullable=False),
    Column("size", Integer, nullable=False),  # characters of its texts, with a line break each
    Column("first_sender_at", BigInteger, nullable=False),
    Column("last_sender_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("late", Boolean, nullable=False, server_default=text("false")),
    Column("body", LargeBinary, nullable=False),  # JSON list of [time, level, source, text]
)

log_chunks = Table(
    "log_chunks",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("first_line", BigInteger, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("first_sender_at", BigInteger, nullable=False),
    Column("last_sender_at", BigInteger, nullable=False),
    Column("last_received_at", BigInteger, nullable=False),
    Column("levels", Text, nullable=False),  # JSON {level/source: lines}, {level: lines} of old ones
    Column("raw_size", Integer, nullable=False),  # bytes of text before compression
    Column("text_size", Integer, nullable=False),
    Column("meta_size", Integer, nullable=False),
    Column("storage_key", Text),
    Column("storage_offset", BigInteger),
    # zstd frames, see store.log.chunk. NULL once they lie in the artifact storage: first the text, then the meta, from
    # `storage_offset` of the file `storage_key`. They stand last, as SQLite reads through a long value to what follows.
    Column("text", LargeBinary),
    Column("meta", LargeBinary),
)

# The one thing that changes of a line after it was numbered: how often it was repeated.
log_repeats = Table(
    "log_repeats",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("line", BigInteger, primary_key=True),
    Column("count", BigInteger, nullable=False),  # with the first
    Column("period", Integer, nullable=False),  # so many lines were repeated together
    Column("position", Integer, nullable=False),  # of this line among them, from 0
    Column("last_sender_at", BigInteger, nullable=False),
    Column("last_text", Text),  # where it differs from the first
    Column("kind", Text, nullable=False),  # repeat | progress | bar, see store.log.fold
)

# Warnings and errors grouped by text, kept as they arrive so that nobody reads a log to count them.
log_problems = Table(
    "log_problems",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("level", Text, primary_key=True),
    Column("text_key", Text, primary_key=True),  # the text without its numbers
    Column("text", Text, nullable=False),  # the first of them
    Column("count", BigInteger, nullable=False),
    Column("first_line", BigInteger, nullable=False),
    Column("last_line", BigInteger, nullable=False),
    Column("first_sender_at", BigInteger, nullable=False),
    Column("last_sender_at", BigInteger, nullable=False),
)

log_window = Table(
    "log_window",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("first_sender_at", BigInteger, nullable=False),
    Column("last_sender_at", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),  # as store.log.held says
    # One index that grows at its end: what each message writes must lie together. Rows are few, so that those of one
    # run are found by a look through it.
    Index("ix_log_window_due", "received_at", "run_id", "first_sender_at", "last_sender_at"),
    # No id is given twice, or `numbered_to` of some run would be true of a row that came later.
    sqlite_autoincrement=True,
)

messages = Table(
    "messages",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("received_at", BigInteger, nullable=False),
    Column("sender_at", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),
)

samples = Table(
    "samples",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, primary_key=True),  # progress | vitals
    Column("step", Integer, primary_key=True),  # seconds that one row stands for; 0: as it came
    Column("sender_at", BigInteger, primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    # JSON {name: value}; rolled up as store.samples.buckets says.
    Column("body", Text, nullable=False),
    # Those of a run lie together, so that rolling them up touches few pages.
    sqlite_with_rowid=False,
)

# What GOLIAT's lines say about the time that its phases and their subtasks took.
phase_times = Table(
    "phase_times",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("phase", Text, primary_key=True),
    Column("subtask", Text, primary_key=True),  # "" for the whole phase
    Column("sender_at", BigInteger, primary_key=True),
    Column("seconds", Float, nullable=False),
    sqlite_with_rowid=False,
)

screenshots = Table(
    "screenshots",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("tab", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("sender_at", BigInteger),
    Column("size", Integer, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("storage_key", Text, nullable=False),
    Index("ix_screenshots_run_tab", "run_id", "tab", "received_at"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("relative_path", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("case_key", Text),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("storage_key", Text, nullable=False),
    Column("late", Boolean, nullable=False, server_default=text("false")),
    Column("received_at", BigInteger, nullable=False),
    UniqueConstraint("run_id", "relative_path", "filename", "version"),
)

unattributed_uploads = Table(
    "unattributed_uploads",
    metadata,
    Column("id", Text, primary_key=True),
    Column("assignment_id", Text, ForeignKey("assignments.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("sender_ip", Text, nullable=False, server_default=""),
    Column("relative_path", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("storage_key", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False, server_default=""),
    Column("worker_id", Text),
    Column("super_study_id", Text),
    Column("assignment_id", Text),
    Column("run_id", Text, index=True),
    Column("data", Text, nullable=False, server_default="{}"),
    Index("ix_events_super_study_id", "super_study_id", "id"),
)
