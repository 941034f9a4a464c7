"""What GOLIAT is started with."""

import os
from pathlib import Path

from goliat_monitoring.agent.launcher import command_line, environment


def made(base: dict[str, str], close_after_s: float | None = None) -> dict[str, str]:
    return environment(
        base,
        relay="http://127.0.0.1:4000/r/run",
        relay_token="secret",
        worker_id="worker",
        run_id="run",
        assignment_id="assignment",
        spool=Path("/s/spool"),
        control=Path("/s/control"),
        close_after_s=close_after_s,
    )


def test_the_hook_comes_first_on_the_path() -> None:
    hook, *rest = made({"PYTHONPATH": "/mine"})["PYTHONPATH"].split(os.pathsep)
    assert (Path(hook) / "sitecustomize.py").is_file()
    assert rest == ["/mine"]


def test_an_empty_python_path_stays_without_empty_parts() -> None:
    """An empty part would mean the working folder."""
    assert os.pathsep not in made({})["PYTHONPATH"]


def test_goliat_is_told_its_relay_and_its_run() -> None:
    env = made({"GOLIAT_MONITORING_URL": "https://elsewhere.example", "GOLIAT_MACHINE_ID": "mine"})
    assert env["GOLIAT_MONITORING_RELAY"] == env["GOLIAT_MONITORING_URL"] == "http://127.0.0.1:4000/r/run"
    assert env["GOLIAT_MONITORING_RELAY_TOKEN"] == "secret"
    assert env["GOLIAT_MACHINE_ID"] == "worker"
    assert env["GOLIAT_ASSIGNMENT_ID"] == "assignment"
    assert env["GOLIAT_MONITORING_RUN_ID"] == "run"
    assert env["GOLIAT_MONITORING_SPOOL"] == str(Path("/s/spool"))
    assert env["GOLIAT_MONITORING_CONTROL"] == str(Path("/s/control"))


def test_a_proxy_is_not_asked_for_this_machine() -> None:
    assert made({"NO_PROXY": "intern.example"})["NO_PROXY"] == "intern.example,127.0.0.1,localhost"


def test_the_hook_closes_the_window_only_where_goliat_cannot() -> None:
    assert "GOLIAT_MONITORING_CLOSE_AFTER_S" not in made({"GOLIAT_MONITORING_CLOSE_AFTER_S": "7"})
    assert made({}, 2.0)["GOLIAT_MONITORING_CLOSE_AFTER_S"] == "2"
    config = Path("/w/configs/a.json")
    assert command_line(["goliat"], config, auto_close=True) == ["goliat", "study", str(config), "--auto-close"]
    assert command_line(["py", "-m", "cli"], config, auto_close=False) == ["py", "-m", "cli", "study", str(config)]
