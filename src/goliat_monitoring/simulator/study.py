"""A whole study: its simulations one after the other, its end, and the exit code, as GOLIAT would give them."""

import os
import time
from pathlib import Path
from typing import Any

from goliat_monitoring.simulator.clock import Cancelled, Clock, WindowClosed
from goliat_monitoring.simulator.narrator import Narrator
from goliat_monitoring.simulator.results import ResultFolder
from goliat_monitoring.simulator.sender import Sender
from goliat_monitoring.simulator.simulation import OutOfMemory, SetupFailed, Simulation
from goliat_monitoring.simulator.surroundings import Surroundings, hits
from goliat_monitoring.simulator.window import Bars, Window
from goliat_monitoring.study.cases import Case, enumerate_cases, phases
from goliat_monitoring.study.extends import ConfigProblem

MEMORY_ERROR_CODE = 42
BANNER = "This is the simulator of goliat-monitoring, not GOLIAT: every number below is random."


class FatalError(Exception):
    """An exception in the study's own loop: GOLIAT logs it and calls the study successful."""


class ProcessExit(Exception):
    """The study process ended with a code of its own."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Study:
    """One `goliat study`. `config` is resolved; `problem`: why it could not be."""

    def __init__(self, name: str, config: dict[str, Any], problem: str, to: Surroundings, base: Path) -> None:
        self._name, self._config, self._problem, self._base = name, config, problem, base
        gui = bool(config.get("use_gui", True)) and bool(config.get("use_web", True))
        # Without the window or its bridge GOLIAT reports nothing.
        self._to = to
        self._sender = Sender(to if gui else Surroundings(speed=to.speed))
        self._narrator = Narrator(self._sender)
        self._clock = Clock(to)
        self._bars = Bars()
        self._window = Window(to, self._narrator, self._clock, self._bars) if gui else None
        self._kind = "NearField" if config.get("study_type") == "near_field" else "FarField"

    def run(self, *, auto_close: bool) -> int:
        """Run everything; the exit code of `goliat study`."""
        self._to.leave("gui-pid", str(os.getpid()))
        if self._window is not None:
            self._window.open()
        try:
            code = self._run_to_end()
        except WindowClosed:
            return 1
        finally:
            if self._window is not None:
                self._window.close()
            self._sender.close()
        # After an error of its process GOLIAT's window stays open, whatever it was told; after a memory error never.
        if code != MEMORY_ERROR_CODE and not (code == 0 and auto_close):
            self._clock.wait_for_close()
        return code

    def _run_to_end(self) -> int:
        code, closing = 0, "Finished"
        self._narrator.say(BANNER, "highlight")
        try:
            self._simulate()
        except OutOfMemory:
            code, closing = MEMORY_ERROR_CODE, "Memory Error"
            self._narrator.say(f"--- Memory/allocation error detected (exit code {code}) ---", "default")
            self._narrator.tell("memory_error", message="Memory/allocation error detected", exit_code=code)
        except ProcessExit as problem:
            code, closing = problem.code, "Error"
            self._narrator.say(str(problem), "default")
        if self._window is not None:
            self._window.take_pictures()
            self._window.close()
        for _ in range(5):
            self._narrator.tell("overall_progress", current=100, total=100)
            self._narrator.tell("stage_progress", name=closing, current=100, total=100)
            self._clock.wait(0.5)
        outcome = "successfully" if code == 0 else "with errors"
        self._narrator.tell("finished", message=f"Study finished {outcome}")
        self._to.leave("finished", str(time.time()))
        self._to.leave("study-exit", str(code))
        self._clock.wait(3)
        return code

    def _simulate(self) -> None:
        try:
            if self._problem:
                raise ConfigProblem(self._problem)
            cases = enumerate_cases(self._config)
        except ConfigProblem as problem:
            raise ProcessExit(1, f"FATAL ERROR in study process: {problem}") from problem
        label = "Near-Field" if self._kind == "NearField" else "Far-Field"
        self._narrator.say(f"--- Starting {label} Study: {self._name} ---", "header")
        started = time.monotonic()
        try:
            for index, case in enumerate(cases):
                if self._clock.cancelled:
                    raise Cancelled
                self._one(case, index, len(cases))
                self._narrator.enter(None)
                self._narrator.tell("overall_progress", current=index + 1, total=len(cases))
                mean = (time.monotonic() - started) / (index + 1)
                self._narrator.tell("profiler_update", eta_seconds=mean * (len(cases) - index - 1))
        except Cancelled:
            self._narrator.say("--- Study execution cancelled by user. ---", "warning")
        except FatalError as problem:
            self._narrator.say(f"--- FATAL ERROR in study: {problem} ---", "fatal")
        finally:
            self._narrator.enter(None)
        self._narrator.say(f"\n--- {self._kind}Study Finished ---", "success")
        self._narrator.tell("profiler_update", eta_seconds=0.0)

    def _one(self, case: Case, index: int, total: int) -> None:
        narrator, mishaps = self._narrator, self._to.mishaps
        details = case.details
        self._bars.overall, self._bars.label = 100 * index / total, f"{index + 1}/{total} {case.placement}"
        narrator.say(f"\n--- Processing Simulation {index + 1}/{total}: {details} ---", "header")
        narrator.tell("simulation_details", simulation_count=index + 1, total_simulations=total, current_case=details)
        narrator.tell("sim_details", count=index + 1, total=total, details=details)
        if hits(mishaps.crash, case):
            raise ProcessExit(1, "--- Process exited with code 1 ---")
        if hits(mishaps.fatal, case):
            raise FatalError("simulated fatal error")
        folder = ResultFolder(self._base / "results", case, self._config)
        simulation = Simulation(case, folder, self._kind, self._to, narrator, self._clock, self._bars)
        try:
            simulation.play(phases(self._config))
        except SetupFailed as problem:
            text = f"ERROR during simulation: {problem}"
            # A far-field study tells it to the terminal alone.
            tell = narrator.say if self._kind == "NearField" else narrator.mutter
            tell(text, "error", f"{self._kind}Study._run_single_simulation")
            narrator.mutter(f"Traceback (most recent call last):\n  ...\nException: {problem}", "default")
        narrator.mutter("Closing project document...", "info", "ProjectManager.close")
