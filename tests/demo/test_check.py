"""The demo's verdict: nothing missing, nothing altered, nothing twice."""

import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from goliat_monitoring.agent.uploads import Uploads
from goliat_monitoring.cli.client import Client
from goliat_monitoring.cli.demo import command, plan
from goliat_monitoring.cli.demo.check import check
from goliat_monitoring.cli.demo.fleet import Fleet
from goliat_monitoring.cli.main import app
from goliat_monitoring.study.cases import Case, enumerate_cases

Files = dict[str, bytes]
CASES = plan.expected()[:2]


class Download(Client):
    """A server that hands out these files."""

    def __init__(self, files: Files) -> None:
        super().__init__("http://127.0.0.1:9")
        self.files = files

    def download(self, path: str, target: Path) -> int:
        """Write the zip."""
        with zipfile.ZipFile(target, "w") as archive:
            for name, content in self.files.items():
                archive.writestr(name, content)
        return target.stat().st_size


def sent(folder: Path, files: Files) -> list[Path]:
    """State dirs of one agent that sent these files."""
    run = folder / "state" / "runs" / "run-1"
    run.mkdir(parents=True)
    uploads = Uploads(run / "uploads.sqlite")
    for index, (name, content) in enumerate(files.items()):
        (run / str(index)).write_bytes(content)
        folder_name, _, file_name = name.rpartition("/")
        uploads.add(folder_name, file_name, run / str(index))
        waiting = uploads.next_waiting(1)
        assert waiting is not None
        uploads.settle(waiting, "stored")
    uploads.close()
    return [folder / "state"]


def results(cases: list[Case]) -> Files:
    """A result for each case."""
    return {f"{case.relative_path}/sar_results.json": case.key.encode() for case in cases}


def verdict(tmp_path: Path, received: Files) -> list[str]:
    """What is wrong when the agents sent everything and this can be downloaded."""
    return check(Download(received), "s", CASES, sent(tmp_path, results(CASES)), tmp_path)


def test_all_is_well(tmp_path: Path) -> None:
    assert verdict(tmp_path, results(CASES)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda files: files.popitem(), ["cannot be downloaded", "has no sar_results.json"]),
        (lambda files: files.update({next(iter(files)): b"other"}), ["other content"]),
        (lambda files: files.update({"far_field/x/verbose.log": b""}), ["in no agent's manifest"]),
        (
            lambda files: files.update(dict.fromkeys(files, b"same")),
            ["other content", "other content", "each is random"],
        ),
    ],
)
def test_whatever_is_wrong_is_said(tmp_path: Path, change: Callable[[Files], object], said: list[str]) -> None:
    received = results(CASES)
    change(received)
    found = verdict(tmp_path, received)
    assert len(found) == len(said)
    assert all(part in text for part, text in zip(said, found, strict=True))


def test_a_missing_result_is_an_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def start(_fleet: Fleet, name: str, *_arguments: str, **_environment: str) -> int:
        started.append(name)
        return 1

    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(Fleet, "start", start)
    for step in ("_wait_until_ready", "_watch"):
        monkeypatch.setattr(command, step, lambda *_: None)
    monkeypatch.setattr(Client, "post", lambda *_: {"id": "s"})
    monkeypatch.setattr(command, "SETTLE_S", 0.0)
    for wrong, code in (([], 0), (["x has no sar_results.json"], 1)):
        monkeypatch.setattr(command, "check", lambda *_, wrong=wrong: wrong)
        ended = CliRunner().invoke(app, ["demo", "--exit", "--port", "0", "--folder", str(tmp_path / "demo")])
        assert ended.exit_code == code, ended.output
        assert ("has no sar_results.json" in ended.output) == bool(code)
    assert started == ["server", "gpu-1", "gpu-2", "gpu-3"] * 2


def test_the_plan_covers_24_simulations_in_six_assignments() -> None:
    parts = plan.assignments(plan.base_config())
    keys = [case.key for part in parts for case in enumerate_cases(part)]
    assert (len(parts), len(keys)) == (6, 24)
    assert sorted(keys) == sorted(case.key for case in plan.expected())


def test_only_what_was_started_is_ended(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    ours = fleet.start("ours", "simulate", "study", "/dev/null/none")
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        # The number of a process that ended long ago, and now belongs to another.
        known = json.loads((tmp_path / "processes.json").read_text())
        known.append([other.pid, psutil.Process(other.pid).create_time() - 1000])
        (tmp_path / "processes.json").write_text(json.dumps(known))
        fleet.stop()
        assert other.poll() is None
        assert not psutil.pid_exists(ours)
    finally:
        other.communicate()
