"""The whole demo as a person starts it: server, agents, simulator, results."""

import subprocess
import sys
import time
from pathlib import Path

import psutil


def test_every_result_arrives_and_nothing_is_left_running(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "goliat_monitoring.cli.main", "demo", "--exit", "--port", "0"]
    started = time.monotonic()
    result = subprocess.run(
        [*command, "--folder", str(folder)], capture_output=True, text=True, timeout=300, check=False
    )
    logs = "\n".join(f"== {path.name}\n{path.read_text()[-2000:]}" for path in folder.glob("logs/*.log"))
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}\n{logs}"
    assert "24 simulations" in result.stdout
    assert time.monotonic() - started < 90
    assert not [process for process in psutil.process_iter() if str(folder) in " ".join(_words(process))]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
