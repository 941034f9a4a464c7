"""Starts GOLIAT so that it outlives the agent, with all its dashboard traffic led to the relay."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import psutil

from goliat_monitoring import goliat_hook
from goliat_monitoring.agent import windows_job
from goliat_monitoring.agent.process_tree import RUN_MARK, SPOOL_MARK

LOOPBACK = ("127.0.0.1", "localhost")


def command_line(goliat: list[str], config: Path, *, auto_close: bool) -> list[str]:
    """`goliat study CONFIG --auto-close`, the last left out for a GOLIAT that does not know it."""
    return [*goliat, "study", str(config), *(["--auto-close"] if auto_close else [])]


def environment(
    base: Mapping[str, str],
    *,
    relay: str,
    relay_token: str,
    worker_id: str,
    run_id: str,
    assignment_id: str,
    spool: Path,
    control: Path,
    close_after_s: float | None,
) -> dict[str, str]:
    """The environment that hands a GOLIAT to the hook. `close_after_s`: for a GOLIAT without `--auto-close`."""
    env = dict(base)
    hook = str(Path(goliat_hook.__file__).parent / "site")
    env["PYTHONPATH"] = os.pathsep.join([hook, *([env["PYTHONPATH"]] if env.get("PYTHONPATH") else [])])
    env["GOLIAT_MONITORING_RELAY"] = relay
    env["GOLIAT_MONITORING_RELAY_TOKEN"] = relay_token
    env["GOLIAT_MONITORING_CONTROL"] = str(control)
    env[SPOOL_MARK] = str(spool)
    env[RUN_MARK] = run_id
    env["GOLIAT_MACHINE_ID"] = worker_id
    env["GOLIAT_ASSIGNMENT_ID"] = assignment_id
    # Names the agent's server or a person's; GOLIAT's own command line must speak to the relay instead.
    env["GOLIAT_MONITORING_URL"] = relay
    env.pop("GOLIAT_MONITORING_CLOSE_AFTER_S", None)
    if close_after_s is not None:
        env["GOLIAT_MONITORING_CLOSE_AFTER_S"] = f"{close_after_s:g}"
    for name in ("NO_PROXY", "no_proxy"):
        known = [host for host in env.get(name, "").split(",") if host]
        env[name] = ",".join([*known, *(host for host in LOOPBACK if host not in known)])
    return env


class Started:
    """A GOLIAT that this agent started and whose exit code it will learn."""

    def __init__(self, popen: "subprocess.Popen[bytes]", started: float) -> None:
        self.popen = popen
        self.pid = popen.pid
        self.started = started


def start(command: list[str], *, workdir: Path, env: Mapping[str, str], run_id: str, folder: Path) -> Started:
    """Start `command` as a group of its own; its output goes to files in `folder`, which outlive the agent.

    Raises OSError when it cannot be started.
    """
    with (folder / "stdout.log").open("ab") as out, (folder / "stderr.log").open("ab") as err:
        popen = _popen(command, workdir, env, out, err)
    if sys.platform == "win32":
        # The handle has no public name, and no place in the type stubs.
        windows_job.adopt(run_id, int(vars(popen)["_handle"]))
    try:
        started = psutil.Process(popen.pid).create_time()
    except psutil.Error:
        # So short a life that it is over; its exit code tells the rest.
        started = 0.0
    return Started(popen, started)


def _popen(
    command: list[str], workdir: Path, env: Mapping[str, str], out: IO[bytes], err: IO[bytes]
) -> "subprocess.Popen[bytes]":
    def start(flags: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            command,
            cwd=workdir,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            creationflags=flags,
            start_new_session=sys.platform != "win32",
        )

    if sys.platform == "win32":
        try:
            # Out of the job in which a service manager or terminal may hold the agent, or it would die with that.
            return start(subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_BREAKAWAY_FROM_JOB)
        except PermissionError:
            return start(subprocess.CREATE_NEW_PROCESS_GROUP)
    else:
        return start(0)
