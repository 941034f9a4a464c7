"""A GOLIAT process of a test: watched with a deadline, and never left behind."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from tests.goliat.environment import goliat_command

DEADLINE_S = 120.0
POLL_S = 0.1


class GoliatProcess:
    """`goliat ARGUMENTS` in a project folder; a context manager that ends the whole process tree.

    Args:
        arguments: what follows `goliat` on the command line.
        project: the folder in which it runs.
        environment: its variables, as `environment.hooked_environment` makes them.
        output: file for all that it prints.
    """

    def __init__(self, arguments: list[str], project: Path, environment: Mapping[str, str], output: Path) -> None:
        self._arguments = arguments
        self._project = project
        self._environment = environment
        self._output = output

    def __enter__(self) -> Self:
        with self._output.open("wb") as file:
            self._process = subprocess.Popen(
                goliat_command(*self._arguments),
                cwd=self._project,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # the window, the study's process and the solver
        self._process.wait()

    @property
    def pid(self) -> int:
        """The process id of the command."""
        return self._process.pid

    def is_running(self) -> bool:
        """Whether the command has not ended."""
        return self._process.poll() is None

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits until `condition` holds.

        Raises:
            AssertionError: the command ended, or the deadline passed, before that.
        """
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert self.is_running(), f"ended before {what}:\n{self.output()}"
            assert time.monotonic() < deadline, f"no {what} in {DEADLINE_S} s:\n{self.output()}"
            time.sleep(POLL_S)

    def wait(self) -> int:
        """Waits for the end; the exit code.

        Raises:
            AssertionError: the deadline passed before.
        """
        try:
            return self._process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {DEADLINE_S} s:\n{self.output()}") from None

    def output(self) -> str:
        """The end of what it has printed."""
        return self._output.read_text(errors="replace")[-5000:]
