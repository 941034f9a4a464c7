"""The files of one simulation, as GOLIAT writes them: same names, same keys, numbers from a random source."""

import datetime
import hashlib
import json
import random
import secrets
from pathlib import Path
from typing import Any

from goliat_monitoring.study.cases import Case

UPLOADED = (
    "config.json",
    "verbose.log",
    "progress.log",
    "sar_results.json",
    "sar_stats_all_tissues.pkl",
    "sar_stats_all_tissues.html",
)
TISSUES = ("Brain", "Skin", "Eye (Cornea)", "Muscle", "Fat", "Bone (Cortical)", "Testis", "All Regions")


class ResultFolder:
    """The folder of one simulation below `results`."""

    def __init__(self, results: Path, case: Case, config: dict[str, Any]) -> None:
        self.path = results.joinpath(*case.relative_path.split("/")).absolute()
        self._case = case
        self._study_type = str(config.get("study_type"))
        self._snapshot = _snapshot(config, case)
        # As GOLIAT computes it: of the part of the config that decides this one simulation.
        self.config_hash = hashlib.sha256(json.dumps(self._snapshot, sort_keys=True).encode()).hexdigest()

    def is_done(self) -> bool:
        """Whether an earlier run of the same config left everything."""
        try:
            metadata = json.loads((self.path / "config.json").read_text("utf-8"))
        except (OSError, ValueError):
            return False
        same = metadata.get("config_hash") == self.config_hash and bool(metadata.get("extract_done"))
        return same and all((self.path / name).is_file() for name in UPLOADED)

    def write_metadata(self, *, run_done: bool, extract_done: bool) -> None:
        """What GOLIAT reads to skip phases that are done."""
        self.path.mkdir(parents=True, exist_ok=True)
        metadata = {
            "config_hash": self.config_hash,
            "config_snapshot": self._snapshot,
            "setup_timestamp": datetime.datetime.now().isoformat(),  # noqa: DTZ005 -- GOLIAT writes local time
            "run_done": run_done,
            "extract_done": extract_done,
        }
        (self.path / "config.json").write_text(json.dumps(metadata, indent=4), "utf-8")

    def write_results(self) -> None:
        """The extracted results; no two calls write the same bytes."""
        sar = _sar(self._case, self._study_type)
        (self.path / "sar_results.json").write_text(json.dumps(sar, indent=4), "utf-8")
        (self.path / "sar_stats_all_tissues.html").write_text(_table(sar["whole_body_sar"]), "utf-8")
        (self.path / "sar_stats_all_tissues.pkl").write_bytes(b"\x80\x04" + secrets.token_bytes(2048))

    def files(self) -> list[Path]:
        """The files to upload, in GOLIAT's order; missing ones are left out."""
        return [self.path / name for name in UPLOADED if (self.path / name).is_file()]


def _snapshot(config: dict[str, Any], case: Case) -> dict[str, Any]:
    kept = ("study_type", "simulation_parameters", "solver_settings", "manual_isolve", "gridding_parameters")
    frequency: object = int(case.frequency) if case.frequency.isdigit() else case.frequency
    own = {"phantom": case.phantom, "frequency_mhz": frequency, "placement": case.placement}
    return {key: config[key] for key in kept if key in config} | own


def _sar(case: Case, study_type: str) -> dict[str, Any]:
    """Of a plausible size: falling with frequency, no two alike."""
    dice = random.SystemRandom()
    highest = max(float(tone) for tone in case.frequency.split("+"))
    whole = 2.2e-6 * (700 / highest) ** 0.3 * dice.uniform(0.8, 1.25)
    groups = {"eyes": 1.4, "skin": 1.9, "brain": 0.6, "genitals": 0.9}
    power = 1.2e-3 * dice.uniform(0.9, 1.1)
    losses, radiated = power * 0.49, power * 0.5
    results: dict[str, Any] = {"input_power_W": power, "input_power_frequency_MHz": highest}
    for group, factor in groups.items():
        results[f"{group}_group_weighted_avg_sar"] = whole * factor * dice.uniform(0.9, 1.1)
        results[f"{group}_group_peak_sar"] = whole * factor * dice.uniform(2, 3)
    results["whole_body_sar"] = whole
    if study_type == "near_field":
        results["trunk_SAR" if "belly" in case.placement else "head_SAR"] = whole * 3
    return results | {
        "peak_sar_10g_W_kg": whole * dice.uniform(6, 9),
        "peak_sar_details": {
            "PeakValue": whole * dice.uniform(6, 9),
            "PeakLocation": [round(dice.uniform(-0.2, 0.2), 4) for _ in range(3)],
            "PeakCell": [dice.randrange(400) for _ in range(3)],
            "PeakCubeSideLength": 0.0216,
        },
        "power_balance": {
            "Pin": power,
            "DielLoss": losses,
            "RadPower": radiated,
            "Balance": 100 * (losses + radiated) / power,
        },
        "simulator": {"note": "random numbers, no physics", "random": secrets.token_hex(16)},
    }


def _table(whole: float) -> str:
    rows = "".join(
        f"<tr><td>{tissue}</td><td>{secrets.randbelow(20000) / 1000:.3f}</td>"
        f"<td>{whole * (1 + secrets.randbelow(900) / 1000):.3e}</td></tr>\n"
        for tissue in TISSUES
    )
    head = "<tr><th>Tissue</th><th>Total Mass</th><th>Mass-Averaged SAR</th></tr>\n"
    return f'<table border="1" class="dataframe">\n{head}{rows}</table>\n<!-- simulator {secrets.token_hex(16)} -->\n'
