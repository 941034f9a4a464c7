"""The demo from start to end."""

import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from goliat_monitoring.cli import show
from goliat_monitoring.cli.client import Client
from goliat_monitoring.cli.demo import plan
from goliat_monitoring.cli.demo.check import check, manifests
from goliat_monitoring.cli.demo.fleet import Fleet, free_port
from goliat_monitoring.wire.errors import Refused

AGENTS = 3
SPEED = "6"
FOLDER = Path("demo-data")
READY_S, STUDY_S, SETTLE_S = 30.0, 300.0, 20.0
OVER = ("COMPLETED", "FAILED", "CANCELLED")


def demo(
    leave: Annotated[
        bool, typer.Option("--exit", help="Stop everything at the end; exit code 0 if all arrived.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the dashboard, or another one if it is taken.")] = 8000,
    folder: Annotated[Path, typer.Option(help="Where everything is kept; emptied at each start.")] = FOLDER,
    stop: Annotated[bool, typer.Option("--stop", help="Only end what an earlier demo left running.")] = False,
) -> None:
    """A server, three agents and a study of 24 simulated simulations, on this machine."""
    fleet = Fleet(folder.absolute())
    ended = fleet.stop()
    if stop:
        show.console.print(f"Ended {ended} processes." if ended else "No demo is running.")
        return
    shutil.rmtree(fleet.folder, ignore_errors=True)
    fleet.folder.mkdir(parents=True)
    # SIGTERM ends the demo as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    finished = False
    try:
        finished = _play(fleet, free_port(port))
    except Refused as refused:
        raise Refused(refused.status, refused.error, f"{refused.details} (logs: {fleet.folder / 'logs'})") from refused
    finally:
        if leave or not finished:
            fleet.stop()
    if not leave:
        show.console.print(f"Everything stays up. To end it: {_again(folder)} --stop", markup=False, soft_wrap=True)


def _play(fleet: Fleet, port: int) -> bool:
    started = time.monotonic()
    address = f"http://127.0.0.1:{port}"
    server = fleet.start(
        "server", "serve", "--host", "127.0.0.1", "--port", str(port), "--data-dir", str(fleet.folder / "server")
    )
    with Client(address) as api:
        _wait_until_ready(api, server)
        show.console.print(f"Dashboard: {address}/", markup=False)
        state_dirs = _run_study(fleet, api)
    show.console.print(
        f"{len(plan.expected())} simulations, {len(manifests(state_dirs))} files: downloaded over HTTP, "
        f"all as the agents sent them. {time.monotonic() - started:.0f} s.",
        markup=False,
        soft_wrap=True,
    )
    show.console.print(f"Dashboard: {address}/", markup=False)
    return True


def _run_study(fleet: Fleet, api: Client) -> list[Path]:
    """Create the study, run it, check its results; the agents' state dirs."""
    config = plan.base_config()
    study: dict[str, Any] = api.post(
        "/api/super-studies",
        {
            "name": plan.NAME,
            "description": "Three phantoms at two frequencies, played by the simulator",
            "baseConfig": config,
            "assignments": [{"splitConfig": part, "status": "PENDING"} for part in plan.assignments(config)],
        },
    )
    state_dirs = [_start_agent(fleet, api.server, number) for number in range(1, AGENTS + 1)]
    _watch(api, study["id"])
    wrong = _settle(api, study["id"], state_dirs, fleet.folder)
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise Refused(500, f"{len(wrong)} results are wrong", "; ".join(wrong[:3]) + more)
    return state_dirs


def _start_agent(fleet: Fleet, address: str, number: int) -> Path:
    name = f"gpu-{number}"
    state_dir, workdir = fleet.folder / name / "state", fleet.folder / name / "work"
    workdir.mkdir(parents=True)
    fleet.start(
        name,
        *("agent", "--server", address, "--state-dir", str(state_dir), "--workdir", str(workdir), "--label", name),
        *("--goliat-command", f'"{sys.executable}" -m goliat_monitoring.simulator'),
        GOLIAT_SIMULATOR_SPEED=SPEED,
    )
    return state_dir


def _wait_until_ready(api: Client, pid: int) -> None:
    until = time.monotonic() + READY_S
    while True:
        try:
            api.get("/readyz")
        except Refused as refused:
            if time.monotonic() > until or not _is_running(pid):
                raise Refused(503, "the server did not start", refused.error) from refused
            time.sleep(0.1)
        else:
            return


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _watch(api: Client, study_id: str) -> None:
    """Show how far the study is until it is over."""
    until = time.monotonic() + STUDY_S
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=show.console) as progress:
        bar = progress.add_task("Starting", total=100)
        while True:
            study = api.get(f"/api/super-studies/{study_id}")
            done = f"{study['completedAssignments']} of {study['totalAssignments']} assignments"
            progress.update(bar, description=done, completed=study["masterProgress"] or 0)
            if study["status"] in OVER:
                break
            if time.monotonic() > until:
                raise Refused(504, f"the study is not over after {STUDY_S:.0f} s", done)
            time.sleep(0.5)
    if study["status"] != "COMPLETED":
        raise Refused(500, f"the study ended as {study['status']}", done)


def _settle(api: Client, study_id: str, state_dirs: list[Path], folder: Path) -> list[str]:
    """Check, giving the last manifest the time to be written."""
    until = time.monotonic() + SETTLE_S
    while True:
        wrong = check(api, study_id, plan.expected(), state_dirs, folder)
        if not wrong or time.monotonic() > until:
            return wrong
        time.sleep(1)


def _again(folder: Path) -> str:
    """The command by which the demo was called."""
    called = Path(sys.argv[0])
    command = "goliat-monitoring" if called.stem == "goliat-monitoring" else f"{sys.executable} -m goliat_monitoring"
    return f"{command} demo" + ("" if folder == FOLDER else f" --folder {folder}")
