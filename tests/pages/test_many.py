"""Pages of a fleet of 1,000 workers and 500 studies: light, and made without a look at logs or history."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import event

from goliat_monitoring.server.pages.study import TABS
from tests.support.app import App, in_app
from tests.support.studies import new_study

WORKERS, STUDIES, PARTS = 1_000, 500, 400
MOST_BYTES = 300_000
# Grow with every line, sample, picture or step of a run. Not `log_problems`, a row for each text of errors, nor
# `timings`, of which the forecast takes the newest few thousand twice a minute.
HISTORY = re.compile(
    r"\b(?:FROM|JOIN) (log_(?!problems)\w+|samples|screenshots|messages|events|study_history|evidence|phase_times)\b"
)


async def _fill(app: App) -> str:
    """Half of the workers run a part of one large study; the id of that study."""
    for number in range(WORKERS):
        machine = {"machineId": f"10.1.{number // 250}.{number % 250}", "hostname": f"win10-gpu-machine-{number:04}"}
        await app.post("/api/heartbeat", {**machine, "gpuName": "NVIDIA GeForce RTX 4090"})
    for number in range(STUDIES):
        await app.post("/api/super-studies", new_study(f"thelonious-far-field-{number:03}", 2))
    large = await app.post("/api/super-studies", new_study("a-large-one", PARTS))
    for part in await app.get(f"/api/super-studies/{large['id']}/assignments"):
        number = part["index"]
        machine_id = f"10.1.{number // 250}.{number % 250}"
        await app.post(f"/api/assignments/{part['id']}/claim", {"machineId": machine_id})
        text = f"  - Simulation of part {number} is under way, with a line of the usual length for a log"
        await app.gui(machine_id, type="status", message=text, log_type="progress")
    await app.pass_time(30)
    return str(large["id"])


@contextmanager
def _statements(app: App) -> Iterator[list[str]]:
    """What is read from the database meanwhile."""
    said: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    engine = app.services.db.read_engine
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", hear)


def test_pages_stay_light_and_read_no_history(tmp_path: Path) -> None:
    async def test(app: App) -> None:
        large = await _fill(app)
        run = next(it for it in await app.get("/api/runs") if it["superStudyId"] == large)
        study = f"/studies/{large}"
        lists = ("/", "/workers", "/workers?view=cards", "/studies", "/settings", "/studies/new", "/help", study)
        tabs = [f"{study}/{tab}" for tab in TABS]
        # Those of one thing show the history of that one.
        own = {f"{study}/burn-up", f"{study}/events", f"/runs/{run['id']}", f"/workers/{run['workerId']}"}
        asked = 0
        for path in {*lists, *tabs, *own}:
            with _statements(app) as said:
                answer = await app.http.get(path)
            assert answer.status_code == 200, path
            assert len(answer.content) < MOST_BYTES, (path, len(answer.content))
            asked += bool(said)
            if path not in own:
                assert [text for text in said if HISTORY.search(text)] == [], path
        # What two pages have in common is made once.
        assert asked >= len(lists), "the pages were made from the database"

    in_app(tmp_path, test)
