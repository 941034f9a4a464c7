"""Starts GOLIAT for a run, or takes over one that lives, and watches it to its end."""

import logging
import os
import threading
import time
from pathlib import Path

import psutil

from goliat_monitoring.agent import launcher, process_tree, windows_job
from goliat_monitoring.agent.clock import now_micros
from goliat_monitoring.agent.config_file import write_config
from goliat_monitoring.agent.job import Ending
from goliat_monitoring.agent.probe import Goliat
from goliat_monitoring.agent.run import Run
from goliat_monitoring.agent.settings import AgentSettings
from goliat_monitoring.wire.agent import EndCause

log = logging.getLogger(__name__)
# For a GOLIAT that does not know `--auto-close`, as long as that one waits.
CLOSE_AFTER_S = 2.0
OUTPUT_LINES = 100
OUTPUT_BYTES = 64 * 1024


class Supervisor:
    """One run's. `watch` returns how it ended, or None when the agent is told to end first: GOLIAT goes on then."""

    def __init__(self, run: Run, settings: AgentSettings, stop: threading.Event) -> None:
        self._run = run
        self._settings = settings
        self._intervals = settings.intervals
        self._stop = stop
        self._started: launcher.Started | None = None
        self._stop_asked: float | None = None
        self._close_asked: float | None = None
        self._close_reason = ""

    def start(self, goliat: Goliat, relay: str) -> Ending | None:
        """Start GOLIAT; an ending if that failed."""
        run, record = self._run, self._run.record
        job = record.job
        try:
            config = write_config(self._settings.workdir, job)
            command = launcher.command_line(self._settings.goliat_command, config, auto_close=goliat.auto_close)
            env = launcher.environment(
                os.environ,
                relay=relay,
                relay_token=record.relay_token,
                worker_id=record.worker_id,
                run_id=job.run_id,
                assignment_id=job.assignment_id,
                spool=run.folder.spool,
                control=run.folder.control,
                close_after_s=None if goliat.auto_close else CLOSE_AFTER_S,
            )
            record.config_path = str(config)
            # Before the start, so that an agent that dies in between looks for the process by its mark.
            record.phase = "starting"
            run.save()
            self._started = launcher.start(
                command, workdir=self._settings.workdir, env=env, run_id=job.run_id, folder=run.folder.path
            )
        except (OSError, ValueError) as error:
            run.note(f"GOLIAT could not be started: {error}", "fatal")
            return self._ending("start_failed", None, f"GOLIAT could not be started: {error}")
        record.pid, record.pid_started = self._started.pid, self._started.started
        record.phase = "running"
        run.save()
        run.process = process_tree.find(record.pid, record.pid_started)
        name = f"GOLIAT {goliat.version}".strip()
        run.note(f"Started {name} as process {record.pid}: {' '.join(command)}")
        return None

    def take_over(self) -> Ending | None:
        """Find the GOLIAT of a run that an earlier agent started; an ending if it is gone."""
        run, record = self._run, self._run.record
        if record.pid:
            run.process = process_tree.find(record.pid, record.pid_started)
        if run.process is None:
            # The first process may be gone while its study's process goes on, or its pid was never written down.
            marked = process_tree.marked(run.folder.path.parent, lambda run_id: run_id == run.run_id)
            if record.phase == "starting" and (root := process_tree.root_of(marked)):
                run.process = root
                record.pid, record.pid_started = root.pid, root.create_time()
        if run.process is not None:
            record.phase = "running"
            run.save()
            run.note(f"The agent was restarted and took over GOLIAT, process {run.process.pid}.")
            return None
        self._end_all()
        if run.finished_at is not None or (run.folder.control / "finished").exists():
            return self._ending("exited", self._told_exit_code(), "ended while no agent watched")
        return self._ending("lost_process", self._told_exit_code(), "GOLIAT was gone when the agent came back")

    def watch(self) -> Ending | None:
        """Until GOLIAT's process is gone, with everything it started."""
        run = self._run
        while self._is_running():
            if self._stop.is_set():
                return None
            cause = self._act()
            if cause is not None:
                return cause
            run.orders.wait(self._intervals.watch_s)
        code = self._exit_code()
        left = self._end_all()
        if left:
            run.note(f"Processes {left} of this run could not be ended.", "warning")
        return self._judge(code)

    def _judge(self, code: int | None) -> Ending:
        orders = self._run.orders
        if orders.fenced:
            return self._ending("fenced", code, orders.reason)
        if self._stop_asked is not None:
            return self._ending("stopped", code, orders.reason)
        if code not in (0, None) or not self._run.spoke:
            self._tell_output()
        self._run.note(f"GOLIAT's process ended with exit code {'unknown' if code is None else code}.")
        return self._ending("exited", code, self._close_reason)

    def _act(self) -> Ending | None:
        """One look at what is asked of the run and how its study does."""
        run, orders = self._run, self._run.orders
        now = time.monotonic()
        if orders.fenced:
            run.note(f"This run is no longer this machine's{_why(orders.reason)}: ending GOLIAT.", "warning")
            return self._kill("fenced", orders.reason)
        if orders.kill:
            run.note(f"Asked to kill GOLIAT{_why(orders.reason)}.", "warning")
            return self._kill("killed", orders.reason or "killed on request")
        if orders.stop:
            if self._stop_asked is None:
                self._stop_asked = now
                self._touch("stop")
                run.note(f"Asked GOLIAT to stop{_why(orders.reason)}.", "warning")
            elif now - self._stop_asked > self._intervals.stop_grace_s:
                run.note(f"GOLIAT did not stop within {self._intervals.stop_grace_s:g} s: ending it.", "warning")
                return self._kill("stopped", orders.reason)
        if run.finished_at is None and (run.folder.control / "finished").exists():
            run.finished_at = now
        if run.finished_at is not None:
            return self._close_window(now, run.finished_at)
        return None

    def _close_window(self, now: float, finished_at: float) -> Ending | None:
        """After an error the window stays open for ever, and nobody sits in front of it."""
        # Who pressed Stop waits for the end, not for the window.
        patience = min(self._intervals.close_after_s, 5.0) if self._stop_asked else self._intervals.close_after_s
        if self._close_asked is None:
            if now - finished_at > patience:
                self._close_asked = now
                self._close_reason = "the window was closed after the study's end"
                self._touch("close")
                self._run.note("The study is over and its window still open: closing it.")
        elif now - self._close_asked > self._intervals.close_grace_s:
            self._run.note("The window did not close: ending GOLIAT.", "warning")
            return self._kill("stopped" if self._stop_asked else "exited", self._close_reason)
        return None

    def _kill(self, cause: EndCause, reason: str) -> Ending:
        left = self._end_all()
        if left:
            self._run.note(f"Processes {left} of this run could not be ended.", "error")
        # The code of a process that was made to end says nothing about its study.
        return self._ending(cause, self._told_exit_code() if cause == "exited" else None, reason)

    def _end_all(self) -> list[int]:
        run = self._run
        left = process_tree.end(run.processes, self._intervals.term_grace_s)
        windows_job.terminate(run.run_id)
        if self._started is not None:
            # Reaped, or it would stay as a zombie for as long as the agent lives.
            self._started.popen.poll()
        return left

    def _is_running(self) -> bool:
        if self._started is not None:
            return self._started.popen.poll() is None
        return self._run.alive()

    def _exit_code(self) -> int | None:
        if self._started is not None:
            return self._started.popen.returncode
        return self._told_exit_code()

    def _told_exit_code(self) -> int | None:
        """What the hook wrote down of the study's own process; GOLIAT's window ends with the same code."""
        try:
            return int((self._run.folder.control / "study-exit").read_text())
        except (OSError, ValueError):
            return None

    def _touch(self, name: str) -> None:
        try:
            (self._run.folder.control / name).touch()
        except OSError as error:
            log.warning("cannot write %s: %s", name, error)

    def _tell_output(self) -> None:
        """The last of what the process wrote: often the only trace of why it ended."""
        lines = []
        for stream in ("stdout", "stderr"):
            lines += [(stream, line) for line in _tail(self._run.folder.path / f"{stream}.log")]
        if lines:
            self._run.note("The last lines that GOLIAT's process wrote:")
            self._run.tell_output(lines)

    def _ending(self, cause: EndCause, code: int | None, reason: str) -> Ending:
        return Ending(cause, code, now_micros(), reason)


def end_orphans(runs: Path, live_run: str | None, grace_s: float) -> list[int]:
    """End what earlier runs left running; the pids that were found."""

    def orphans() -> list[psutil.Process]:
        return process_tree.marked(runs, lambda run_id: run_id != live_run)

    found = [process.pid for process in orphans()]
    if found:
        log.warning("ending processes of earlier runs: %s", found)
        process_tree.end(orphans, grace_s)
    return found


def _why(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _tail(file: Path) -> list[str]:
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - OUTPUT_BYTES))
            text = stream.read().decode(errors="replace")
    except OSError:
        return []
    return [line.replace("\0", "") for line in text.splitlines()[-OUTPUT_LINES:]]
