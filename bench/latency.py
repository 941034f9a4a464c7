"""How long an answer takes when 500 clients ask at once, and how much memory the server needs for that."""

from statistics import median

from bench.ingest import Beside, loaded
from bench.options import Options
from bench.product import product
from bench.rounds import take_turns
from bench.rows import Row, at_most, spread, whole
from bench.wrk import Load, gui_updates

CONNECTIONS = 500
P99_BAR_MS = 100
RSS_BAR_MB = 200


def p99(options: Options) -> list[Row]:
    """New connections as the real client makes them, and kept ones as an agent does."""
    fresh, kept = Beside(), Beside()

    def turn(beside: Beside, *, keep: bool) -> Load:
        def load(port: int, seconds: float, first: int) -> Load:
            return gui_updates(port, seconds, connections=CONNECTIONS, first=first, keep=keep)

        with options.scratch() as folder, product(folder / "data") as server:
            return loaded(server, options.seconds, beside, load, CONNECTIONS)

    turns = take_turns(
        options, {"new": lambda _number: turn(fresh, keep=False), "kept": lambda _number: turn(kept, keep=True)}
    )
    rows = []
    for name, what, beside in (("new", "a new one each time", fresh), ("kept", "kept open", kept)):
        worst = turns.p99_ms(name)
        rows.append(
            Row(
                what=f"p99 of an answer, {CONNECTIONS} connections, {what}",
                verdict=at_most(worst, P99_BAR_MS),
                ours=f"{worst:.0f} ms",
                bar=f"≤ {P99_BAR_MS} ms",
                note=f"rounds {spread([load.p99 / 1000 for load in turns.loads[name]])} ms; "
                f"{whole(turns.rate(name))} requests/s; {beside.note()}",
            )
        )
    most, added = max(median(fresh.mb), median(kept.mb)), max(median(fresh.rss_mb), median(kept.rss_mb))
    rows.append(
        Row(
            what=f"Memory of the server, {CONNECTIONS} connections",
            verdict=at_most(most, RSS_BAR_MB),
            ours=f"{most:.0f} MB",
            bar=f"≤ {RSS_BAR_MB} MB",
            note=f"at most, both processes, what they share counted once; their resident sets add up to {added:.0f} MB",
        )
    )
    return rows
