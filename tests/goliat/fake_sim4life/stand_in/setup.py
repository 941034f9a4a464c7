"""Setting up a far-field simulation: the same steps and log lines, no phantom."""

import importlib
import sys
import time
from typing import Any

from . import switches

STEPS = {
    "setup_load_phantom": "Load phantom",
    "setup_configure_scene": "Configure scene (bbox, plane wave)",
    "setup_materials": "Assign materials",
    "setup_solver": "Configure solver (gridding, boundaries, sensors)",
    "setup_voxelize": "Voxelize simulation",
    "setup_save_project": "Save project",
}


def _init(self: Any, config: Any, phantom_name: str, frequency_mhz: Any, direction_name: str, polarization_name: str,
          project_manager: Any, verbose_logger: Any, progress_logger: Any, profiler: Any, gui: Any = None, **_: Any,
          ) -> None:  # fmt: skip  # GOLIAT's own signature
    self.__dict__.update(
        config=config,
        phantom_name=phantom_name,
        frequency_mhz=frequency_mhz,
        direction_name=direction_name,
        polarization_name=polarization_name,
        project_manager=project_manager,
        verbose_logger=verbose_logger,
        progress_logger=progress_logger,
        profiler=profiler,
        gui=gui,
    )


def _run_full_setup(self: Any, project_manager: Any) -> Any:
    mode = switches.setup_mode(project_manager.project_path)
    if mode == "raise":
        raise RuntimeError("the stand-in was told to fail in setup")
    if mode == "exit1":
        sys.exit(1)
    self._log("--- Setting up single Far-Field sim ---", log_type="header")
    for task, label in STEPS.items():
        self._log(f"    - {label}...", level="progress", log_type="progress")
        with self.profiler.subtask(task):
            time.sleep(switches.step_s())
            if task == "setup_solver":
                _say_one_line_of_each_kind(self)
            if task == "setup_save_project":
                simulation = _save(self, project_manager)
        elapsed = self.profiler.subtask_times[task][-1]
        self._log(f"      - Subtask '{task}' done in {elapsed:.2f}s", log_type="verbose")
        self._log(f"      - Done in {elapsed:.2f}s", level="progress", log_type="success")
    self._log("Common settings applied.", log_type="success")
    return simulation


def _say_one_line_of_each_kind(self: Any) -> None:
    print("print() from the study process")
    self._log("  - FREQUENCY RESOLUTION DOMINATES", level="progress", log_type="highlight")
    self._log("  - fake info", level="progress", log_type="info")
    self._log("  - fake warning", level="progress", log_type="warning")


def _save(self: Any, project_manager: Any) -> Any:
    s4l_v1 = importlib.import_module("s4l_v1")  # as late as GOLIAT does it

    frequency = "+".join(map(str, self.frequency_mhz)) if isinstance(self.frequency_mhz, list) else self.frequency_mhz
    name = f"EM_FDTD_{self.phantom_name}_{frequency}MHz_{self.direction_name}_{self.polarization_name}"
    simulation = s4l_v1.Simulation(name, project_manager.project_path)
    s4l_v1.document.AllSimulations.append(simulation)
    project_manager.save()
    return simulation


def apply(module: Any) -> None:
    """Replaces the constructor, which looks for a phantom, and the setup itself."""
    module.FarFieldSetup.__init__ = _init
    module.FarFieldSetup.run_full_setup = _run_full_setup
