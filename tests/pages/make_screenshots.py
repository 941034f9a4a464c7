"""Pictures of the dashboard for the docs: `python -m tests.pages.make_screenshots [--all]`, from the repository root.

Starts a server of its own, feeds it as machines would, and writes `docs/img/dashboard.png`; with `--all` a picture of
every page in both themes and at phone width into `docs/img/pages/`.
"""

import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from tests.pages.conftest import CHROMIUM, QUIET_FLAGS, Server

IMAGES = Path(__file__).parents[2] / "docs" / "img"
MACHINES = ("win10-rtx4090", "cloud-a6000-1", "cloud-a6000-2", "lab-rtx3090", "win11-a5000")
CASES = ("thelonious, 700MHz, x_pos, theta", "thelonious, 700MHz, x_pos, phi")
FOLDERS = ("environmental_x_pos_theta", "environmental_x_pos_phi")


def feed(server: Server) -> dict[str, str]:
    """A study under way: two parts completed, one failed, three running. Returns the address of each page."""
    for machine in MACHINES:
        server.heartbeat(machine, machine)
    study = server.study("thelonious-700-far-field", parts=10)
    parts = [part["id"] for part in study["assignments"]]
    for number in range(2):
        run = _run(server, parts[number], MACHINES[number], 2)
        _end(server, MACHINES[number], run, "Study finished successfully")
    failed = _run(server, parts[2], MACHINES[3], 1)
    server.log(MACHINES[3], 7, "ERROR: material 'Skin' is missing from the database", level="error")
    _end(server, MACHINES[3], failed, "Study finished with errors")
    shares = ((MACHINES[0], 1, 71.4), (MACHINES[1], 1, 52.0), (MACHINES[2], 0, 23.9))
    running = [
        _run(server, parts[3 + number], machine, done, percent)
        for number, (machine, done, percent) in enumerate(shares)
    ]
    server.log(MACHINES[2], 8, "The licence server answers slowly, trying again", level="warning")
    time.sleep(2)
    workers = {worker["hostname"]: worker["id"] for worker in server.get("/api/workers")}
    return {
        "overview": "/",
        "workers": "/workers",
        "worker": f"/workers/{workers[MACHINES[0]]}",
        "studies": "/studies",
        "study": f"/studies/{study['id']}",
        "run": f"/runs/{running[0]}",
        "run-failed": f"/runs/{failed}",
    }


def _run(server: Server, assignment: str, machine: str, done: int, percent: float = 100) -> str:
    run = server.claim(assignment, machine)
    server.log(machine, 0, "--- Starting Far-Field Study ---", level="header")
    for number in range(min(done + 1, 2)):
        server.gui(machine, type="sim_details", count=number + 1, total=2, details=CASES[number])
        server.log(
            machine,
            3 * number + 1,
            f"--- Processing Simulation {number + 1}/2: {CASES[number]} ---",
            "  - Setup simulation...",
            "    - Loading phantom 'thelonious'",
            "    - Voxelising, 48.2 million cells",
            level="progress",
        )
        server.log(machine, 3 * number + 2, "  - Run simulation on the GPU", "    - iSolve: step 12400 of 20000")
        server.gui(machine, type="stage_progress", name="Run", current=62, total=100)
        if number < done:
            path = f"far_field/thelonious/700MHz/{FOLDERS[number]}"
            for name in ("sar_results.json", "sar_stats_all_tissues.pkl", "point_sensor_data.png"):
                answer = server.api.post(
                    f"/api/assignments/{assignment}/results",
                    data={"relativePath": path},
                    files=[("files", (name, f"{run}{name}".encode() * 900, "application/octet-stream"))],
                )
                assert answer.status_code == 200, answer.text
            server.log(machine, 3 * number + 3, "    - Done in 812.40 s", level="success")
    server.gui(machine, type="overall_progress", current=percent, total=100)
    server.gui(machine, type="profiler_update", eta_seconds=11_580.0)
    return run


def _end(server: Server, machine: str, run: str, message: str) -> None:
    server.gui(machine, type="finished", message=message)
    deadline = time.monotonic() + 20
    while server.get(f"/api/runs/{run}")["run"]["live"]:
        assert time.monotonic() < deadline, "the run was not judged"
        time.sleep(0.1)


def picture(browser: Browser, address: str, target: Path, theme: str, width: int) -> None:
    """One page as a PNG."""
    size = ViewportSize(width=width, height=800)
    context = browser.new_context(color_scheme="dark" if theme == "dark" else "light", viewport=size)
    page = context.new_page()
    page.goto(address)
    page.locator("#connection[data-state=live]").wait_for()
    page.wait_for_timeout(300)
    target.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=target, full_page=True)
    context.close()


def main(arguments: list[str]) -> None:
    """Make the pictures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET_FLAGS)
        try:
            pages = feed(server)
            picture(browser, server.url + pages["overview"], IMAGES / "dashboard.png", "light", 1280)
            if "--all" in arguments:
                for name, path in pages.items():
                    for theme, width in (("light", 1280), ("dark", 1280), ("phone", 360)):
                        target = IMAGES / "pages" / f"{name}-{theme}.png"
                        picture(browser, server.url + path, target, theme, width)
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
