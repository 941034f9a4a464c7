"""Acknowledged log batches of bare clients: 100 clients, ten lines each time, a new connection for each request."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from bench import raw_inserts
from bench.options import Options
from bench.postgres import NoPostgres, databases
from bench.product import drained, line_counts, product, usage_of
from bench.rounds import Turns, against_echo, ceiling_row, echo_row
from bench.rows import NoFigure, Row, Verdict, not_measured, ratio_of, whole
from bench.wrk import Load, gui_updates
from tests.support.server import ServerProcess

CLIENTS = 100
SQLITE_BAR, POSTGRESQL_BAR = 0.50, 0.45
# All machines have spoken by then: what is measured is a run that goes on, whose start is known.
WARM_UP_S = 3.0
# Far from the sequences of the warm-up, which begin at 0 as those of GOLIAT do: that is how a run is known.
MEASURED_FROM = 1_000_000


@dataclass(slots=True)
class Beside:
    """What was seen beside the rates, by round: the server's CPU cores and MB (at most, and with what its processes
    share counted in each), seconds to the last number.
    """

    cores: list[float] = field(default_factory=list)
    mb: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    drain_s: list[float] = field(default_factory=list)

    def note(self) -> str:
        """All of it in words."""
        return (
            f"server {median(self.cores):.2f} cores, {median(self.mb):.0f} MB at most; "
            f"last line numbered {median(self.drain_s):.1f} s after the load"
        )


def loaded(
    server: ServerProcess, seconds: float, beside: Beside, load: Callable[[int, float, int], Load], clients: int
) -> Load:
    """Warm up, load, and check what the server holds. `load(port, seconds, first sequence)`."""
    load(server.port, WARM_UP_S, 0)
    before = settled(server)
    usage = usage_of(server)
    seen = load(server.port, seconds, MEASURED_FROM)
    beside.cores.append(usage.cores())
    beside.mb.append(usage.peak_memory() / 1e6)
    beside.rss_mb.append(usage.peak_rss() / 1e6)
    refuse_failures(seen)
    beside.drain_s.append(drained(server, before, seen.requests, clients))
    return seen


def settled(server: ServerProcess) -> int:
    """Numbered lines of all runs once none waits any more."""
    drained(server, 0, 0, 10**9)
    return sum(line_counts(server).values())


def refuse_failures(load: Load) -> None:
    """A load with refusals or broken connections is no figure. Raises `NoFigure`."""
    if load.failures:
        raise NoFigure(f"{load.failures} of {load.requests} requests failed: {load}")


def one_round(options: Options, beside: Beside, **settings: object) -> Load:
    """A server with an empty database, loaded once."""

    def load(port: int, seconds: float, first: int) -> Load:
        return gui_updates(port, seconds, connections=CLIENTS, first=first)

    with options.scratch() as folder, product(folder / "data", **settings) as server:
        return loaded(server, options.seconds, beside, load, CLIENTS)


def sqlite(options: Options) -> list[Row]:
    """Against the echo, and against the bare inserts of the same lines."""
    beside, raw = Beside(), list[float]()

    def ours(_number: int) -> Load:
        with options.scratch() as folder:
            raw.append(raw_inserts.sqlite(folder / "raw.sqlite", options.seconds / 3))
        return one_round(options, beside)

    turns = against_echo(options, gui_updates, {"ours": ours})
    row = echo_row("Log batches, SQLite", turns, "ours", SQLITE_BAR, beside.note())
    return [
        ceiling_row("Log batches, SQLite", turns),
        row,
        raw_row("Log batches, SQLite", turns, raw, "sqlite3 executemany"),
    ]


def postgresql(options: Options) -> list[Row]:
    """The same with PostgreSQL, each round in a database of its own."""
    what, beside, raw = "Log batches, PostgreSQL", Beside(), list[float]()
    try:
        with databases(options.folder) as new_database:

            def ours(_number: int) -> Load:
                raw.append(raw_inserts.postgresql(new_database(), options.seconds / 3))
                return one_round(options, beside, database_url=new_database())

            turns = against_echo(options, gui_updates, {"ours": ours})
    except NoPostgres as problem:
        return [not_measured(what, str(problem), f"≥ {POSTGRESQL_BAR:.2f} of the echo")]
    row = echo_row(what, turns, "ours", POSTGRESQL_BAR, beside.note())
    return [ceiling_row(what, turns), row, raw_row(what, turns, raw, "COPY")]


def raw_row(what: str, turns: Turns, raw: list[float], how: str) -> Row:
    """The same ratio against nothing but inserts."""
    return Row(
        what=f"{what}, against bare inserts",
        verdict=Verdict.SHOWN,
        ours=f"{whole(turns.rate('ours'))} requests/s",
        limit=f"{how} {whole(median(raw))} requests/s",
        ratio=f"{ratio_of(turns.rates('ours'), raw):.2f}",
        note="one row of ten lines a request, 100 requests a commit, one connection, no HTTP",
    )
