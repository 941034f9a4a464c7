"""A real server process and a real browser, shared by all tests of a module; what a page complains about fails them."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, FloatRect, Locator, Page, sync_playwright

from tests.support.chromium import CHROMIUM

QUIET_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
]
# What loses something, in the light theme.
RED = "rgb(155, 10, 47)"
CONFIG: dict[str, Any] = {
    "study_type": "far_field",
    "phantoms": ["thelonious"],
    "frequencies_mhz": [700],
    "far_field_setup": {
        "type": "environmental",
        "environmental": {"incident_directions": ["x_pos"], "polarizations": ["theta", "phi"]},
    },
    "execution_control": {"do_setup": True, "do_run": True, "do_extract": True},
}


class Server:
    """One server process on a data folder of its own."""

    def __init__(self, data_dir: Path, admin_token: str = "") -> None:
        self.data_dir = data_dir
        self.admin_token = admin_token
        self.port = 0
        self.start()

    def start(self) -> None:
        """Start it, on the port it had before if it had one."""
        command = [sys.executable, "-m", "goliat_monitoring.cli.main", "serve"]
        environment = {
            **os.environ,
            "GOLIAT_MONITORING_DATA_DIR": str(self.data_dir),
            "GOLIAT_MONITORING_PORT": str(self.port),
            "GOLIAT_MONITORING_ADMIN_TOKEN": self.admin_token,
            # Lines get their numbers soon, and runs their verdict after that.
            "GOLIAT_MONITORING_REORDER_WINDOW_S": "0.7",
            "GOLIAT_MONITORING_JUDGE_DELAY_S": "1.5",
            "GOLIAT_MONITORING_SWEEP_INTERVAL_S": "0.2",
        }
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = ""
        found = None
        while found is None:
            line = self.process.stdout.readline()
            said += line
            assert line, f"the server ended: {said}"
            found = re.search(r"http://\S+?:(\d+)", line)
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"
        headers = {"Authorization": f"Bearer {self.admin_token}"} if self.admin_token else {}
        self.api = httpx.Client(base_url=self.url, headers=headers, timeout=20, trust_env=False)

    def stop(self) -> float:
        """End it in good order; returns the seconds that took."""
        began = time.monotonic()
        self.api.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return time.monotonic() - began

    def post(self, path: str, body: object) -> Any:
        """POST JSON and insist on 200."""
        answer = self.api.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        """GET JSON and insist on 200."""
        answer = self.api.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def heartbeat(self, machine: str, hostname: str) -> None:
        """What GOLIAT sends every 30 s."""
        self.post("/api/heartbeat", {"machineId": machine, "hostname": hostname, "gpuName": "NVIDIA RTX 4090"})

    def gui(self, machine: str, **message: object) -> None:
        """One message of a running GOLIAT."""
        self.post("/api/gui-update", {"machineId": machine, "message": message, "timestamp": time.time()})

    def log(self, machine: str, sequence: int, *texts: str, level: str = "default") -> None:
        """A batch of log lines."""
        logs = [{"type": "status", "message": text, "log_type": level, "timestamp": time.time()} for text in texts]
        self.gui(machine, type="log_batch", logs=logs, sequence=sequence)

    def study(self, name: str, parts: int = 2) -> dict[str, Any]:
        """A super study of equal parts."""
        return dict(
            self.post(
                "/api/super-studies",
                {
                    "name": name,
                    "description": "Two polarisations at 700 MHz",
                    "baseConfig": CONFIG,
                    "assignments": [{"splitConfig": CONFIG, "status": "PENDING"}] * parts,
                },
            )
        )

    def claim(self, assignment_id: str, machine: str) -> str:
        """Claim by name; returns the run's id."""
        self.post(f"/api/assignments/{assignment_id}/claim", {"machineId": machine})
        return str(self.get(f"/api/runs?assignmentId={assignment_id}")[0]["id"])


class Screen:
    """A browser context whose pages may not complain."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.complaints: list[str] = []
        # A test that breaks the connection on purpose sets this.
        self.tolerant = False

    def open(self, path: str) -> Page:
        """A page at `path`, listened to from its first moment."""
        page = self.context.new_page()
        page.on("console", lambda said: self._hear(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: self._hear(f"exception: {error}"))
        page.goto(self.url + path)
        return page

    def _hear(self, text: str) -> None:
        if not self.tolerant:
            self.complaints.append(text)


def mark(page: Page) -> None:
    """Leave a mark that a reload would wipe out."""
    page.evaluate("window.mark = 1")


def unreloaded(page: Page) -> bool:
    return bool(page.evaluate("window.mark === 1"))


def place(shown: Locator) -> FloatRect:
    """Where it is; the page may just be replacing it with its like."""
    for _ in range(80):
        found = shown.bounding_box()
        if found is not None:
            return found
        shown.page.wait_for_timeout(100)
    raise AssertionError(f"{shown} is nowhere to be seen")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A fresh server."""
    made = Server(tmp_path_factory.mktemp("pages"))
    yield made
    assert made.stop() < 10, "open pages must not hold up a shutdown"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The distribution's Chromium. No longer than a module: while it is open no other test can run an event loop."""
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET_FLAGS)
        yield made
        made.close()


@pytest.fixture
def screen(browser: Browser, server: Server) -> Iterator[Screen]:
    """Light theme, 1280 wide."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="Europe/Berlin")
    made = Screen(context, server.url)
    yield made
    context.close()
    assert not made.complaints
