"""Ten million lines: their room on disk, and how long it takes to read some of them."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import httpx

from bench.fleet_list import ask
from bench.lines import NEEDLE
from bench.options import Options
from bench.product import product
from bench.rows import NoFigure, Row, at_most, not_measured, whole
from bench.seed import assignments, database, fill, fleet
from goliat_monitoring.store.read.logs import newest_lines, read_log
from goliat_monitoring.store.storage import Storage

RUNS = 10
PAGE = 1000
BYTES_BAR, NEWEST_BAR_MS, MIDDLE_BAR_MS, SEARCH_BAR_MS = 40, 5, 10, 300
# The server seals what lies open in its own time; longer than this it is not waited for.
SETTLE_S = 600.0
QUIET_S = 15.0


def log_store(options: Options) -> list[Row]:
    """Room on disk; then newest lines, a page from the middle and a search, by the store's functions and by HTTP."""
    each = options.size(1_000_000, 10_000)
    with options.scratch() as folder:
        data = folder / "data"
        with database(folder / "empty"):
            pass
        began = time.monotonic()
        with database(data) as db:
            assignments(db, RUNS)
            seats = fleet(db, RUNS)
            for number, seat in enumerate(seats):
                fill(db, seat.run_id, number, each, batch=100, needle=each // 3, sealed=True)
                options.say(f"  run {number + 1} of {RUNS} has its {whole(each)} lines")
        seeded = time.monotonic() - began
        with product(data):
            settled = settle(data)
        room = _room(data) - _room(folder / "empty")
        run_id = seats[RUNS // 2].run_id
        rows = [_disk_row(room, RUNS * each, seeded, settled)]
        rows += _store_rows(data, run_id, each, options.rounds * 4)
        with product(data) as server, server.client() as http:
            rows += _http_rows(http, run_id, each, options.rounds * 4)
    return rows


def settle(data: Path) -> float:
    """Wait until the server leaves the files alone. Returns the seconds until the last change."""
    began = changed = time.monotonic()
    last = _state(data)
    while time.monotonic() < min(began + SETTLE_S, changed + QUIET_S):
        time.sleep(0.5)
        now = _state(data)
        if now != last:
            last, changed = now, time.monotonic()
    return changed - began


def _state(data: Path) -> list[tuple[str, int, int]]:
    files = (path for path in sorted(data.rglob("*")) if path.is_file())
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]


def _room(data: Path) -> int:
    """Bytes of all files that a stopped server left, sealed lines wherever they lie included."""
    return sum(path.stat().st_size for path in data.rglob("*") if path.is_file())


def _disk_row(room: int, lines: int, seeded: float, settled: float) -> Row:
    return Row(
        what=f"{whole(lines)} lines on disk",
        verdict=at_most(room / lines, BYTES_BAR),
        ours=f"{room / lines:.1f} bytes a line",
        bar=f"≤ {BYTES_BAR} bytes a line",
        note=f"{room / 1e6:.0f} MB in all files beyond an empty database, once the server let them be "
        f"({settled:.0f} s after its start); written in {seeded:.0f} s",
    )


def _store_rows(data: Path, run_id: str, each: int, times: int) -> list[Row]:
    load = Storage((data / "files").as_uri(), data).read_part
    newest_page = partial(newest_lines, run_id=run_id, load=load, limit=PAGE)
    middle_page = partial(read_log, run_id=run_id, load=load, after=each // 2, limit=PAGE)
    with database(data) as db:
        newest = _timed(lambda: len(db.read_now(newest_page).lines), times)
        middle = _timed(lambda: len(db.read_now(middle_page).lines), times)
    return [
        _time_row(f"Newest {whole(PAGE)} lines, store", newest, NEWEST_BAR_MS),
        _time_row(f"{whole(PAGE)} lines from the middle, store", middle, MIDDLE_BAR_MS),
    ]


def _timed(read: Callable[[], int], times: int) -> list[float]:
    """Milliseconds of each of `times` reads after a first one. Raises `NoFigure` when a read is not complete."""
    found = []
    for number in range(times + 1):
        began = time.perf_counter()
        count = read()
        took = (time.perf_counter() - began) * 1000
        if count != PAGE:
            raise NoFigure(f"{count} lines were read, {PAGE} should be")
        if number:
            found.append(took)
    return found


def _http_rows(http: httpx.Client, run_id: str, each: int, times: int) -> list[Row]:
    path = f"/api/runs/{run_id}/log"
    newest, middle = f"{path}?tail=true&limit={PAGE}", f"{path}?after={each // 2}&limit={PAGE}"
    for one in (newest, middle):
        if len(http.get(one).json()["lines"]) != PAGE:
            raise NoFigure(f"{one} did not answer {PAGE} lines")
    return [
        _time_row(f"Newest {whole(PAGE)} lines, HTTP", ask(http, newest, times)[0], NEWEST_BAR_MS),
        _time_row(f"{whole(PAGE)} lines from the middle, HTTP", ask(http, middle, times)[0], MIDDLE_BAR_MS),
        _search_row(http, f"{path}/search?q={NEEDLE}", each, times),
    ]


def _search_row(http: httpx.Client, path: str, each: int, times: int) -> Row:
    what, bar = f"Search of a rare word in {whole(each)} lines, HTTP", f"≤ {SEARCH_BAR_MS} ms"
    answer = http.get(path)
    if answer.status_code == 404:
        return not_measured(what, "the server has no search", bar)
    answer.raise_for_status()
    if answer.text.count(NEEDLE) < 1:
        raise NoFigure(f"{path} did not find the line")
    return _time_row(what, ask(http, path, times)[0], SEARCH_BAR_MS)


def _time_row(what: str, times: list[float], bar: float) -> Row:
    typical = median(times)
    return Row(
        what=what,
        verdict=at_most(typical, bar),
        ours=f"{typical:.1f} ms",
        bar=f"≤ {bar:g} ms",
        note=f"median of {len(times)}, {min(times):.1f} to {max(times):.1f} ms, files in the page cache",
    )
