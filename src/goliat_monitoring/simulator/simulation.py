"""One simulation: setup, run, extraction and upload, in GOLIAT's words and at GOLIAT's pace."""

import json
import random
import time

from goliat_monitoring.simulator.clock import Cancelled, Clock
from goliat_monitoring.simulator.narrator import Narrator
from goliat_monitoring.simulator.post import Part, post_parts
from goliat_monitoring.simulator.results import ResultFolder
from goliat_monitoring.simulator.surroundings import Surroundings, hits
from goliat_monitoring.simulator.window import Bars
from goliat_monitoring.study.cases import Case, Phases

SETUP = (
    ("setup_load_phantom", "Load phantom"),
    ("setup_configure_scene", "Configure scene (bbox, plane wave)"),
    ("setup_materials", "Assign materials"),
    ("setup_solver", "Configure solver (gridding, boundaries, sensors)"),
    ("setup_voxelize", "Voxelize simulation"),
    ("setup_save_project", "Save project"),
)
EXTRACT = (
    ("PowerExtractor", "extract_input_power", "Extract input power"),
    ("SarExtractor", "extract_sar_statistics", "Extract SAR statistics"),
    ("PowerExtractor", "extract_power_balance", "Extract power balance"),
    ("SensorExtractor", "extract_point_sensors", "Extract point sensors"),
)
STEP_S, SOLVER_S, SOLVER_LINES, WAIT_S = 0.3, 3.5, 50, 5.0
FAILURE = "simulated failure"


class SetupFailed(Exception):
    """Setup raised."""


class OutOfMemory(Exception):
    """The solver ran out of memory a second time."""


class Simulation:
    """Plays one case. `kind` is GOLIAT's name for the study: `FarField` or `NearField`."""

    def __init__(
        self,
        case: Case,
        folder: ResultFolder,
        kind: str,
        to: Surroundings,
        narrator: Narrator,
        clock: Clock,
        bars: Bars,
    ) -> None:
        self._case, self._folder, self._kind = case, folder, kind
        self._to, self._narrator, self._clock, self._bars = to, narrator, clock, bars

    def play(self, phases: Phases) -> None:
        """From setup to upload.

        Raises:
            SetupFailed, OutOfMemory: as the mishaps ask.
            Cancelled, WindowClosed: a button was pressed.
        """
        self._narrator.enter(self._folder.path)
        if self._folder.is_done():
            self._narrator.say("Project already done, skipping.", "success", "ProjectManager.create_or_open_project")
            self._report(cached=True)
            return
        self._report(cached=False)
        if phases.do_setup:
            self._setup()
        if phases.do_run:
            self._run()
        if phases.do_extract:
            self._extract()

    def _setup(self) -> None:
        started = self._begin("setup", "Setup", "Setup simulation")
        self._narrator.mutter(
            "No metadata file found at config.json.", "info", "ProjectManager.verify_simulation_metadata"
        )
        if hits(self._to.mishaps.fail, self._case):
            self._end("setup", "Setup", "setup_simulation", started)
            raise SetupFailed(FAILURE)
        origin = f"{self._kind}Setup.run_full_setup"
        for index, (task, text) in enumerate(SETUP):
            self._step(text, task, origin, 100 * index / len(SETUP))
        self._folder.write_metadata(run_done=False, extract_done=False)
        self._end("setup", "Setup", "setup_simulation", started)

    def _run(self) -> None:
        narrator = self._narrator
        started = self._begin("run", "Run", "Run simulation total")
        narrator.mutter(
            f"Running simulation: EM_FDTD_{self._case.key.replace('/', '_')}", origin="SimulationRunner.run"
        )
        narrator.say("    - Execute iSolve...", origin="ISolveManualStrategy.run")
        narrator.tell("print", message="iSolve started by the simulator", stream="stdout")
        try:
            self._solve()
        except (Cancelled, OutOfMemory) as problem:
            if isinstance(problem, Cancelled):
                narrator.mutter(
                    "Stop signal detected, terminating iSolve subprocess...", "warning", "ISolveProcessManager"
                )
                narrator.say("An error occurred during simulation run: Study cancelled by user.", "error")
            self._end("run", "Run", "run_simulation_total", started)
            raise
        narrator.say("    - Wait for results...", origin="PostSimulationHandler.wait_and_reload")
        self._clock.wait(WAIT_S)
        self._folder.write_metadata(run_done=True, extract_done=False)
        narrator.mutter("Run deliverables verified. Updating metadata.", "warning", f"{self._kind}Study")
        self._end("run", "Run", "run_simulation_total", started)
        narrator.stage("Running Simulation", 1)

    def _solve(self) -> None:
        narrator = self._narrator
        speed = random.uniform(1900, 2600)  # noqa: S311 -- a figure to show
        for line in ("iSolve X64, Version 8.2.1.0", "Using commercial license features."):
            narrator.mutter(line, "default")
        if hits(self._to.mishaps.memory, self._case):
            self._run_out_of_memory()
        for index in range(SOLVER_LINES):
            percent = 100 * index // SOLVER_LINES
            left = round(self._clock.scaled(SOLVER_S) * (1 - index / SOLVER_LINES))
            rate = f"{speed * random.uniform(0.98, 1.02):.1f} MCells/s"  # noqa: S311 -- a figure to show
            narrator.mutter(
                f"[PROGRESS]: {percent}% [{percent * 500}/50000] Time Update, estimated remaining time {left} seconds "
                f"@ {rate}",
                "default",
            )
            if index * 3 % SOLVER_LINES < 3:
                shown = 33 * round(3 * index / SOLVER_LINES)
                narrator.say(f"      - FDTD: {shown}% (0:00:{left:02d} remaining @ {rate})", "default")
            self._bars.stage = percent
            self._clock.wait_or_stop(SOLVER_S / SOLVER_LINES)
        narrator.mutter("Simulation finished", "default")

    def _run_out_of_memory(self) -> None:
        error = "iSolve: Error: bad allocation"
        for attempt in (1, 2):
            self._clock.wait(1)
            self._narrator.mutter(error, "default")
            self._narrator.say(f"iSolve: {error}", "error")
            if attempt == 1:
                self._narrator.say(f"iSolve: Memory/allocation error detected (attempt 1): {error}", "warning")
        self._narrator.say(f"iSolve: Memory/allocation error detected after 2 attempts: {error}", "error")
        raise OutOfMemory

    def _extract(self) -> None:
        narrator = self._narrator
        started = self._begin("extract", "Extract", "Extract results total")
        for index, (part, task, text) in enumerate(EXTRACT):
            self._step(text, task, f"{part}._step", 100 * index / len(EXTRACT))
        self._folder.write_results()
        for label, name in (("SAR results", "sar_results.json"), ("HTML report", "sar_stats_all_tissues.html")):
            narrator.mutter(f"  - {label} saved to: {self._folder.path / name}", "info", "Reporter")
        narrator.say("    - Metadata extraction completed.", "success")
        self._folder.write_metadata(run_done=True, extract_done=True)
        self._end("extract", "Extract", "extract_results_total", started)
        self._upload()
        narrator.stage("Extracting Results", 1)

    def _upload(self) -> None:
        if not self._to.assignment_id:
            return
        origin = f"{self._kind}Study._upload_files_to_server"
        self._narrator.mutter("Uploading results to web dashboard...", "info", origin)
        parts: list[Part] = [("relativePath", None, "", self._case.relative_path.encode())]
        parts += [("files", path.name, "", path.read_bytes()) for path in self._folder.files()]
        if post_parts(self._to, f"/api/assignments/{self._to.assignment_id}/results", parts):
            self._narrator.mutter(f"Results uploaded successfully ({len(parts) - 1} files)", "success", origin)
        else:
            self._narrator.mutter("Failed to upload results", "warning", origin)

    def _report(self, *, cached: bool) -> None:
        """Tell the agent of which configuration this folder is, as soon as that is decided."""
        done = {
            "path": str(self._folder.path),
            "relative_path": self._case.relative_path,
            "config_hash": self._folder.config_hash,
            "cached": cached,
            "time": time.time(),
        }
        self._to.append("simulations.jsonl", json.dumps(done))

    def _step(self, text: str, task: str, origin: str, percent: float) -> None:
        self._bars.stage = percent
        self._narrator.say(f"    - {text}...", origin=origin)
        started = time.monotonic()
        self._clock.wait(STEP_S)
        took = time.monotonic() - started
        self._narrator.mutter(f"      - Subtask '{task}' done in {took:.2f}s", origin=origin)
        self._narrator.say(f"      - Done in {took:.2f}s", "success", origin)

    def _begin(self, phase: str, stage: str, text: str) -> float:
        self._bars.name, self._bars.stage = stage, 0.0
        self._narrator.stage(stage, 0)
        self._narrator.tell("start_animation", estimate=self._clock.scaled(4), end_value=100)
        self._narrator.mutter(f"--- Starting: {phase} ---", "header", "profile")
        self._narrator.stage(stage, 0, sub_stage=text)
        self._narrator.say(f"  - {text}...", origin=f"{self._kind}Study.subtask")
        return time.monotonic()

    def _end(self, phase: str, stage: str, task: str, started: float) -> None:
        took = time.monotonic() - started
        self._bars.stage = 100.0
        self._narrator.tell("end_animation")
        self._narrator.mutter(f"    - Subtask '{task}' done in {took:.2f}s", origin=f"{self._kind}Study.subtask")
        self._narrator.say(f"    - Done in {took:.2f}s", "success", f"{self._kind}Study.subtask")
        self._narrator.stage(stage, 1)
        self._narrator.mutter(f"--- Finished: {phase} (took {took:.2f}s) ---", "header", "profile")
