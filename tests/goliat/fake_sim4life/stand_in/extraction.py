"""Extracting results: invented numbers, handed to GOLIAT's own code, which writes the files."""

import importlib
import time
from collections.abc import Callable
from typing import Any

from . import switches

COLUMNS = [
    "Tissue",
    "Total Mass",
    "Mass-Averaged SAR",
    "Max Local SAR",
    "Peak Spatial-Average SAR[IEEE/IEC62704-1] (10g)",
]
ROWS = [
    ["Brain", 1.31, 1.2e-6, 3.3e-6, 2.2e-6],
    ["Skin", 2.4, 4.1e-6, 1.9e-5, 8.8e-6],
    ["Eye (Cornea)", 0.001, 3e-6, 6e-6, 5e-6],
    ["All Regions", 18.6, 2.2e-6, 5.1e-5, 1.7e-5],
]
GROUPS = {"eyes_group": ["Eye (Cornea)"], "skin_group": ["Skin"], "brain_group": ["Brain"]}
GROUP_SAR = {
    "eyes_group": {"weighted_avg_sar": 3e-6, "peak_sar": 5e-6},
    "skin_group": {"weighted_avg_sar": 4.1e-6, "peak_sar": 8.8e-6},
    "brain_group": {"weighted_avg_sar": 1.2e-6, "peak_sar": 2.2e-6},
}


def _step(self: Any, label: str, task: str, work: Callable[[], None]) -> None:
    profiler = self.parent.study.profiler
    log = getattr(self, "_log", None) or self.parent._log  # 1.3 has no log of its own in some extractors
    log(f"    - {label}...", level="progress", log_type="progress")
    with profiler.subtask(task):
        time.sleep(switches.step_s())
        work()
    elapsed = profiler.subtask_times[task][-1]
    log(f"      - Subtask '{task}' done in {elapsed:.2f}s", log_type="verbose")
    log(f"      - Done in {elapsed:.2f}s", level="progress", log_type="success")


def _input_power(self: Any, _results: Any) -> None:
    frequency = 0.0 if isinstance(self.frequency_mhz, list) else float(self.frequency_mhz)
    found = {"input_power_W": 1.2345e-3, "input_power_frequency_MHz": frequency}
    _step(self, "Extract input power", "extract_input_power", lambda: self.results_data.update(found))


def _power_balance(self: Any, _results: Any) -> None:
    balance = {"Pin": 1.2345e-3, "DielLoss": 6e-4, "RadPower": 6.1e-4, "Balance": 98.01}
    found = {"power_balance": balance}
    _step(self, "Extract power balance", "extract_power_balance", lambda: self.results_data.update(found))


def _sar_statistics(self: Any, _results: Any) -> None:
    pandas = importlib.import_module("pandas")  # there only in GOLIAT's environment, and slow to load

    table = pandas.DataFrame(ROWS, columns=COLUMNS)

    def work() -> None:
        if hasattr(self, "_store_temporary_data"):
            self._store_temporary_data(table, GROUPS, GROUP_SAR)
        if hasattr(self, "_store_group_sar"):
            self._store_group_sar(GROUP_SAR)
        else:
            flat = {f"{group}_{key}": value for group, sar in GROUP_SAR.items() for key, value in sar.items()}
            self.results_data.update(flat)
        self._store_all_regions_sar(table)
        details = {"MaxLocalSAR": 5.1e-5, "PeakCubeSideLength": 0.0216, "PeakCell": [10, 20, 30]}
        self.results_data["peak_sar_details"] = details

    _step(self, "Extract SAR statistics", "extract_sar_statistics", work)


def _point_sensors(self: Any, _results: Any) -> None:
    found: dict[str, object] = {"point_sensor_data": {}}
    _step(self, "Extract point sensors", "extract_point_sensors", lambda: self.results_data.update(found))


def apply(module: Any) -> None:
    """Replaces what reads the solver's fields; the reports are GOLIAT's own."""
    module.PowerExtractor.extract_input_power = _input_power
    module.PowerExtractor.extract_power_balance = _power_balance
    module.SarExtractor.extract_sar_statistics = _sar_statistics
    module.SensorExtractor.extract_point_sensor_data = _point_sensors
