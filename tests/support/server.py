"""The server as a user starts it: a process with a data folder, ended, killed and started again on the same port."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

import httpx


class ServerProcess:
    """`goliat-monitoring serve` on loopback. `options` become GOLIAT_MONITORING_* variables."""

    def __init__(self, data_dir: Path, **options: object) -> None:
        self.data_dir = data_dir
        self.options = options
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, on the port it had before if it had one, and wait until it answers."""
        settings = {"data_dir": self.data_dir, "port": self.port, **self.options}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GOLIAT_")}
        environment = {**clean, **{f"GOLIAT_MONITORING_{name.upper()}": str(v) for name, v in settings.items()}}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "goliat_monitoring.cli.main", "serve"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+:(\d+)", line)
        assert found, f"the server did not start: {line}"
        self.port = int(found[1])
        # Whatever else it prints must not fill the pipe and stop it.
        threading.Thread(target=_drain, args=(self.process.stdout,), daemon=True).start()

    def client(self, **options: Any) -> httpx.Client:
        """A client of it."""
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, **options)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def stop(self) -> int:
        """Ask it to end, as a service manager would. Returns its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def close(self) -> None:
        """Make sure that it is gone."""
        if self.process is not None and self.process.poll() is None:
            self.kill()


def _drain(pipe: IO[str]) -> None:
    with pipe:
        for _ in pipe:
            pass
