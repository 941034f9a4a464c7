"""The commands on a real server, with the simulator as a client that has no agent."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from goliat_monitoring.cli.main import app
from tests.demo.conftest import wait_for

CONFIG = {
    "study_type": "far_field",
    "phantoms": ["duke"],
    "frequencies_mhz": [700],
    "far_field_setup": {"environmental": {"incident_directions": ["x_pos", "z_neg"], "polarizations": ["theta"]}},
}


def test_a_study_from_config_to_results(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def say(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments), env={"GOLIAT_MONITORING_URL": server, "COLUMNS": "200"})
        assert result.exit_code == 0, result.output
        return result.stdout

    def ask(*arguments: str) -> Any:
        return json.loads(say(*arguments, "--json"))

    config = tmp_path / "study.json"
    config.write_text(json.dumps(CONFIG))
    study = ask("study", "create", str(config), "--name", "trial")
    again = CliRunner().invoke(app, ["study", "create", str(config), "--name", "trial", "--server", server])
    assert again.exit_code == 1
    assert "trial" in again.stderr
    assignment = ask("study", "show", "trial")["assignments"][0]["id"]
    claimed = httpx.post(f"{server}/api/assignments/{assignment}/claim", json={"machineId": "10.0.0.7"})
    assert claimed.status_code == 200

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLIAT_MACHINE_ID", "10.0.0.7")
    monkeypatch.setenv("GOLIAT_ASSIGNMENT_ID", assignment)
    monkeypatch.setenv("GOLIAT_SIMULATOR_SPEED", "50")
    say("simulate", "study", str(config), "--auto-close")
    wait_for(lambda: ask("study", "show", study["id"])["status"] == "COMPLETED", 30)

    (run,) = ask("runs", "list", "--assignment", assignment)
    assert run["state"] == "succeeded"
    lines = [json.loads(line) for line in say("run", "log", run["id"], "--follow", "--json").splitlines()]
    assert [line["n"] for line in lines] == list(range(1, run["lines"] + 1))
    assert lines[0]["text"].startswith("This is the simulator")
    rest = say("run", "log", run["id"], "--after", str(run["lines"] - 1)).splitlines()
    assert len(rest) == 1
    assert re.match(r" *\d+  \d\d:\d\d:\d\d  ", rest[0])

    say("study", "download", "trial", "-o", "results.zip")
    with zipfile.ZipFile("results.zip") as archive:
        results = [name for name in archive.namelist() if name.endswith("/sar_results.json")]
    assert len(results) == 2

    (worker,) = ask("workers", "list")
    say("worker", "rename", worker["id"], "gpu-7")
    assert "gpu-7" in say("worker", "list")
    assert "trial" in say("study", "list")
    assert "gpu-7" in say("run", "list")


def test_configs_go_into_the_library_and_out_of_it(server: str, tmp_path: Path) -> None:
    def say(*arguments: str) -> Any:
        return CliRunner().invoke(app, list(arguments), env={"GOLIAT_MONITORING_URL": server, "COLUMNS": "200"})

    file = tmp_path / "base.json"
    file.write_text(json.dumps(CONFIG))
    assert say("config", "add", str(file)).stdout == "base.json is in the library, version 1.\n"
    file.write_text(json.dumps(CONFIG | {"run_tag": "two"}))
    named = say("config", "add", str(file), "--name", "goliat/config/defaults/root.json", "--json")
    assert json.loads(named.stdout)[0]["version"] == 1
    assert json.loads(say("config", "add", str(file), "--json").stdout)[0]["version"] == 2
    listed = say("config", "list").stdout
    assert "base.json" in listed
    assert "goliat/config/defaults/root.json" in listed
    assert json.loads(say("config", "show", "base").stdout) == CONFIG | {"run_tag": "two"}
    assert say("config", "remove", "base").stdout == "base.json is out of the library.\n"
    again = say("config", "remove", "base")
    assert again.exit_code == 1
    assert "no such config in the library" in again.stderr
    assert "ends in .json" in say("config", "add", str(file), "--name", "x/y").stderr


def test_tokens_and_settings(server: str) -> None:
    def say(*arguments: str) -> Any:
        return CliRunner().invoke(app, list(arguments), env={"GOLIAT_MONITORING_URL": server, "COLUMNS": "200"})

    secret = say("token", "add", "nightly", "--role", "viewer", "--days", "2").stdout.strip()
    assert len(secret) > 30
    assert len(say("token", "enrol", "--hours", "1").stdout.strip()) > 30
    (made,) = [it for it in json.loads(say("token", "list", "--json").stdout) if it["label"] == "nightly"]
    assert secret not in say("token", "list").stdout
    refused = say("settings", "currency", "USD", "--token", secret)
    assert refused.exit_code == 1
    assert "may only look" in refused.stderr
    assert "is revoked" in say("token", "revoke", made["id"]).stdout
    assert "not valid any more" in say("token", "revoke", made["id"]).stderr

    assert say("settings", "keep", "keep_logs_d", "7").stdout == "keep_logs_d is 7 days now.\n"
    assert "stored" in say("settings", "show").stdout
    assert say("settings", "keep", "keep_logs_d").stdout == "keep_logs_d is 30 days now.\n"
    assert "unknown setting" in say("settings", "keep", "host", "7").stderr
    assert say("settings", "gpu-price", "RTX 4090", "0.45").stdout == "RTX 4090 costs 0.45 an hour now.\n"
    assert say("settings", "currency", "CHF").exit_code == 0
    found = json.loads(say("settings", "show", "--json").stdout)
    assert (found["currency"], found["gpuPrices"]) == ("CHF", {"RTX 4090": 0.45})
