"""The hook inside the real GOLIAT 1.5.0: what arrives where, and what a folder can make its window do.

All runs of this module go on at the same time, a few at once; each serves several tests.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.goliat.environment import SMALL_STUDY, SUPER_STUDY, hooked_environment, make_project
from tests.goliat.process import GoliatProcess
from tests.goliat.recorder import Recorder, Request

pytestmark = pytest.mark.xdist_group("goliat-hook")  # or each process would make all the runs

PREFIX = "/r/018f-run"
MACHINE = "gpu-box-7"
CASES = [
    f"environmental_{direction}_{polarization}" for direction in ("x_pos", "y_neg") for polarization in ("theta", "phi")
]
STUDY = ["study", f"configs/{SMALL_STUDY}", "--auto-close"]
AT_ONCE = 3


class Run(NamedTuple):
    """What a run left behind.

    Attributes:
        code: exit code of the command.
        recorder: what the relay got.
        elsewhere: what any other host would have got: all of it ends at a proxy.
        folder: holds `project`, `control` and `spool`.
        notes: what the test saw on the way.
    """

    code: int
    recorder: Recorder
    elsewhere: list[Request]
    folder: Path
    notes: dict[str, Any]

    @property
    def control(self) -> Path:
        return self.folder / "control"

    def spooled(self) -> list[tuple[dict[str, Any], bytes]]:
        """Head and body of each request that was spooled, in order."""
        return spooled(self.folder)


def spooled(folder: Path) -> list[tuple[dict[str, Any], bytes]]:
    """Head and body of each request that was spooled, in order."""
    parted = [file.read_bytes().partition(b"\n") for file in sorted((folder / "spool").glob("*.req"))]
    return [(json.loads(head), body) for head, _, body in parted]


def spooled_lines(folder: Path) -> list[dict[str, Any]]:
    """The log lines among what was spooled, in order."""
    updates = [json.loads(body) for head, body in spooled(folder) if head["path"] == "/api/gui-update"]
    return [item for update in updates for item in update["message"].get("logs", ())]


During = Callable[[GoliatProcess, Recorder, Path, dict[str, Any]], None]


def run(
    folder: Path,
    arguments: list[str],
    during: During | None = None,
    assignments: list[dict[str, Any]] | None = None,
    close_after_s: float | None = None,
    **more: str,
) -> Run:
    """One run to its end, with the relay and a proxy that sees everything else."""
    project = folder / "project"
    if not project.exists():
        make_project(project)
    notes: dict[str, Any] = {}
    with Recorder(assignments) as relay, Recorder() as proxy:
        proxies = {"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url, "NO_PROXY": ""}
        environment = hooked_environment(
            relay.url + PREFIX,
            machine_id=MACHINE,
            control=folder / "control",
            spool=folder / "spool",
            assignment_id="a-1",
            token="secret",
            close_after_s=close_after_s,
            more={**proxies, **{name.lower(): value for name, value in proxies.items()}, **more},
        )
        with GoliatProcess(arguments, project, environment, folder / "output.txt") as goliat:
            notes["pid"] = goliat.pid
            if during:
                during(goliat, relay, folder, notes)
            code = goliat.wait()
    return Run(code, relay, proxy.requests, folder, notes)


def stop_in_second_simulation(goliat: GoliatProcess, relay: Recorder, folder: Path, notes: dict[str, Any]) -> None:
    goliat.until(lambda: len(relay.at("/results")) == 1, "first results")
    (folder / "control" / "stop").touch()


def close_after_end(goliat: GoliatProcess, relay: Recorder, folder: Path, notes: dict[str, Any]) -> None:
    goliat.until((folder / "control" / "finished").exists, "end of the study")
    goliat.until(lambda: any(message["type"] == "finished" for message in relay.messages()), "message of the end")
    # GOLIAT's farewell is over 3 s later; a window that closed by itself would be gone soon after.
    bye = time.monotonic() + 6
    goliat.until(lambda: time.monotonic() > bye, "time to close by itself")
    notes["was open"] = goliat.is_running()
    (folder / "control" / "close").touch()


def lose_the_relay(goliat: GoliatProcess, relay: Recorder, folder: Path, notes: dict[str, Any]) -> None:
    goliat.until(lambda: len(relay.at("/results")) == 1, "first results")
    port = int(relay.url.rpartition(":")[2])
    relay.close()
    third = folder / "project" / "results" / "far_field" / "duke" / "700MHz" / CASES[2]
    goliat.until((third / "config.json").exists, "third simulation")
    goliat.until(lambda: any(spooled_lines(folder)), "lines in the spool")  # a busy machine's window may lag behind
    notes["again"] = again = Recorder(port=port)
    again.__enter__()
    try:
        goliat.wait()
    finally:
        again.close()


def memory_error_and_again(folder: Path) -> Run:
    first, again = (run(folder, STUDY, FAKE_MEMORY_ONCE=str(folder / "marker")) for _ in range(2))
    return again._replace(notes={"first": first})


def plain_and_cached(folder: Path) -> Run:
    plain = run(folder, STUDY, FAKE_ISOLVE_S="5")  # its window gets the time for screenshots
    lines = (folder / "control" / "simulations.jsonl").read_text()
    (folder / "control" / "simulations.jsonl").unlink()
    again = run(folder, STUDY)
    return plain._replace(notes={**plain.notes, "lines": lines, "again": again})


def super_study_and_worker(folder: Path) -> Run:
    command = ["super_study", f"configs/{SUPER_STUDY}", "--name", "study", "--split-by", "frequency"]
    made = run(folder, command)
    (sent,) = [request.json() for request in made.recorder.at("/api/super-studies")]
    assignments = [
        {"id": f"a{index}", "index": index, "status": "PENDING", "splitConfig": assignment["splitConfig"]}
        for index, assignment in enumerate(sent["assignments"])
    ]
    worker = run(folder, ["worker", "1", "study", "--auto-close"], assignments=assignments)
    return worker._replace(notes={"made": made, "sent": sent})


RUNS: dict[str, Callable[[Path], Run]] = {
    "plain": plain_and_cached,
    "worker": super_study_and_worker,
    "memory": memory_error_and_again,
    "lost": lambda folder: run(folder, STUDY, lose_the_relay, FAKE_ISOLVE_S="1"),
    "stopped": lambda folder: run(folder, STUDY, stop_in_second_simulation, FAKE_ISOLVE_S="2"),
    "closed": lambda folder: run(folder, STUDY, close_after_end, FAKE_SETUP="exit1"),
    "closes": lambda folder: run(folder, STUDY, close_after_s=1, FAKE_SETUP="exit1"),
    "one fails": lambda folder: run(folder, STUDY, FAKE_FAIL_CASE="x_pos_phi"),
    "fatal": lambda folder: run(folder, STUDY, FAKE_SETUP="fatal", FAKE_FAIL_CASE="y_neg_theta"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Run]]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(make, tmp_path_factory.mktemp(name.replace(" ", "-"))) for name, make in RUNS.items()}
        pool.shutdown(cancel_futures=True)


@pytest.fixture
def plain(runs: dict[str, Future[Run]]) -> Run:
    return runs["plain"].result()


@pytest.fixture
def worker(runs: dict[str, Future[Run]]) -> Run:
    return runs["worker"].result()


@pytest.fixture
def lost(runs: dict[str, Future[Run]]) -> Run:
    return runs["lost"].result()


def test_all_traffic_goes_to_the_relay(plain: Run) -> None:
    assert plain.code == 0
    paths = Counter(request.path for request in plain.recorder.requests)
    assert set(paths) == {
        f"{PREFIX}/api/{path}" for path in ("heartbeat", "gui-update", "gui-screenshots", "assignments/a-1/results")
    }
    assert {request.headers["authorization"] for request in plain.recorder.requests} == {"Bearer secret"}


def test_nothing_goes_elsewhere(runs: dict[str, Future[Run]]) -> None:
    for name, future in runs.items():
        assert future.result().elsewhere == [], name


def test_machine_id_is_the_one_that_was_given(plain: Run) -> None:
    assert {request.json()["machineId"] for request in plain.recorder.at("/api/heartbeat")} == {MACHINE}
    assert {request.json()["machineId"] for request in plain.recorder.at("/api/gui-update")} == {MACHINE}


def test_each_request_has_its_own_id(plain: Run) -> None:
    ids = [request.headers["x-goliat-hook-id"] for request in plain.recorder.requests]
    assert len(set(ids)) == len(ids)


def test_results_of_each_simulation_arrive(plain: Run) -> None:
    uploads = [request.parts() for request in plain.recorder.at("/results")]
    assert [parts[0] for parts in uploads] == [
        ("relativePath", None, f"far_field/duke/700MHz/{case}".encode()) for case in CASES
    ]
    for parts in uploads:
        assert {"config.json", "progress.log", "sar_results.json"} <= {name for _, name, _ in parts}
        assert all(field == "files" for field, _, _ in parts[1:])


def test_screenshots_of_all_tabs_arrive(plain: Run) -> None:
    request = plain.recorder.at("/api/gui-screenshots")[0]
    assert [field for field, _, _ in request.parts()] == [
        "machineId",
        "Timings",
        "Timings_Piecharts",
        "Time_Remaining",
        "Overall_Progress",
        "System_Utilization",
        "Disk_I/O",
    ]


def test_estimates_of_the_time_left_arrive(plain: Run) -> None:
    assert [message for message in plain.recorder.messages() if message["type"] == "profiler_update"]


def test_window_tells_pid_end_and_exit_code(plain: Run) -> None:
    assert (plain.control / "gui-pid").read_text().isdigit()
    assert abs(float((plain.control / "finished").read_text()) - time.time()) < 3600
    assert (plain.control / "study-exit").read_text() == "0"


def simulations(text: str) -> dict[str, dict[str, Any]]:
    """The last line of each folder, in order."""
    return {line["relative_path"]: line for line in map(json.loads, text.splitlines())}


def test_hashes_are_those_of_the_result_folders(plain: Run) -> None:
    found = simulations(plain.notes["lines"])
    assert list(found) == [f"far_field/duke/700MHz/{case}" for case in CASES]
    for line in found.values():
        written = json.loads((Path(line["path"]) / "config.json").read_text())
        assert (line["config_hash"], line["cached"]) == (written["config_hash"], False)
    assert len({line["config_hash"] for line in found.values()}) == len(CASES)


def test_cached_simulations_are_said_to_be(plain: Run) -> None:
    again: Run = plain.notes["again"]
    found = simulations((again.control / "simulations.jsonl").read_text())
    before = simulations(plain.notes["lines"])
    assert again.code == 0
    assert [line["cached"] for line in found.values()] == [True] * len(CASES)
    assert [line["config_hash"] for line in found.values()] == [line["config_hash"] for line in before.values()]


def test_super_study_is_made_at_the_relay(worker: Run) -> None:
    made: Run = worker.notes["made"]
    assert made.code == 0
    assert [request.path for request in made.recorder.requests] == [f"{PREFIX}/api/super-studies"]
    frequencies = [assignment["splitConfig"]["frequencies_mhz"] for assignment in worker.notes["sent"]["assignments"]]
    assert frequencies == [[450], [700], [835], [1450]]


def test_worker_claims_and_reports_at_the_relay(worker: Run) -> None:
    assert worker.code == 0
    assert all(request.path.startswith(PREFIX + "/api/") for request in worker.recorder.requests)
    (claim,) = worker.recorder.at("/api/assignments/a1/claim")
    assert claim.json() == {"machineId": MACHINE}
    assert len(worker.recorder.at("/api/assignments/a1/results")) == len(CASES)
    assert worker.recorder.at("/api/heartbeat")


def test_stop_file_stops_the_study(runs: dict[str, Future[Run]]) -> None:
    stopped = runs["stopped"].result()
    assert stopped.code == 0
    assert "--- Study execution cancelled by user. ---" in stopped.recorder.log_lines()
    assert len(stopped.recorder.at("/results")) < len(CASES)


def test_close_file_ends_a_process_whose_window_stays_open(runs: dict[str, Future[Run]]) -> None:
    closed = runs["closed"].result()
    assert closed.notes["was open"]
    assert closed.code == 1
    assert (closed.control / "study-exit").read_text() == "1"


def test_window_closes_by_itself_when_asked_to(runs: dict[str, Future[Run]]) -> None:
    assert runs["closes"].result().code == 1


def study_lines(run: Run) -> set[str]:
    """The lines of the progress logs that GOLIAT keeps in its result folders."""
    text = "\n".join(file.read_text() for file in (run.folder / "project" / "results").rglob("progress.log"))
    stamp = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ - [A-Z]+ - ")
    lines = {re.sub(r" \[[\w.]+\]$", "", stamp.sub("", line)).strip() for line in text.splitlines()} - {""}
    # The log's own first line is for the file alone.
    return {line for line in lines if not line.startswith("--- Simulation-specific progress logging started")}


def test_no_line_is_lost_while_the_relay_is_away(lost: Run) -> None:
    updates = [json.loads(body) for head, body in lost.spooled() if head["path"] == "/api/gui-update"]
    items = spooled_lines(lost.folder)
    again: Recorder = lost.notes["again"]
    delivered = lost.recorder.log_lines() + again.log_lines()
    told = {line.strip() for text in (*delivered, *(item["message"] for item in items)) for line in text.splitlines()}
    assert lost.code == 0
    assert items
    assert again.log_lines()
    expected = study_lines(lost)
    assert len(expected) > 20
    assert expected - told == set()
    batches = [*lost.recorder.messages(), *again.messages(), *(update["message"] for update in updates)]
    numbers = sorted(message["sequence"] for message in batches if message["type"] == "log_batch")
    assert numbers == list(range(len(numbers)))


def test_results_wait_in_the_spool_too(lost: Run) -> None:
    again: Recorder = lost.notes["again"]
    spooled = [body for head, body in lost.spooled() if head["path"] == "/api/assignments/a-1/results"]
    assert len(spooled) >= 1
    assert len(lost.recorder.at("/results")) + len(spooled) + len(again.at("/results")) == len(CASES)
    assert all(b"sar_results.json" in body for body in spooled)


def test_spooled_request_is_complete(lost: Run) -> None:
    for head, body in lost.spooled():
        assert set(head) == {"method", "path", "headers", "time", "id"}
        assert head["method"] == "POST"
        assert "authorization" not in head["headers"]
        assert body
    assert not [file for file in (lost.folder / "spool").iterdir() if file.suffix != ".req"]


def test_one_simulation_of_several_can_fail(runs: dict[str, Future[Run]]) -> None:
    failed = runs["one fails"].result()
    assert failed.code == 0
    uploaded = [request.parts()[0][2].decode().rpartition("/")[2] for request in failed.recorder.at("/results")]
    assert uploaded == [case for case in CASES if "x_pos_phi" not in case]


def test_fatal_error_of_the_study_loop(runs: dict[str, Future[Run]]) -> None:
    fatal = runs["fatal"].result()
    assert [line for line in fatal.recorder.log_lines() if line.startswith("--- FATAL ERROR in study:")]
    assert len(fatal.recorder.at("/results")) == 2


def test_memory_error_then_success(runs: dict[str, Future[Run]]) -> None:
    again = runs["memory"].result()
    first: Run = again.notes["first"]
    assert first.code == 42
    assert "memory_error" in [message["type"] for message in first.recorder.messages()]
    assert again.code == 0
    assert len(again.recorder.at("/results")) == len(CASES)
