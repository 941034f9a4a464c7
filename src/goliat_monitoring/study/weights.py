"""How long one simulation takes, predicted: the weight of a case in splits, progress and time estimates.

    seconds = fixed + per-cell work + cells · steps / rate of the GPU

Steps follow from the simulated time (a multiple of the box diagonal at the speed of light) and the Courant limit, so
the solver's share grows with the fourth power of 1 / grid step and not of the frequency. Constants: two logged
tutorial studies on an RTX 4090, checked against the cell counts and run times of the published campaigns; near field
uses the mean solver time per frequency of a 352-job campaign, since antenna cells of 0.1 mm set its time step.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

LIGHT_MM_PER_NS = 299.792458
# Setup, extraction and file work: seconds, and seconds per million cells.
FIXED_S = 102.0
SECONDS_PER_MCELL = 3.2
# Near field writes and reads more per simulation than its few cells suggest.
NEAR_FIELD_EXTRA_S = 30.0
# Absorbing cells: 8 on either side of an axis.
PML_CELLS = 16
# Width (x), depth (y), height (z) in mm.
PHANTOM_MM: Mapping[str, tuple[float, float, float]] = {
    "duke": (540, 280, 1810),
    "ella": (500, 280, 1630),
    "eartha": (450, 230, 1390),
    "thelonious": (370, 210, 1180),
}
OTHER_PHANTOM_MM = (480.0, 260.0, 1550.0)
# Cells per second on a grid that fills the GPU; matched as part of the GPU's name, longest first.
GPU_RATE: Mapping[str, float] = {
    "RTX 6000 Ada": 5.0e9,
    "RTX 4000": 3.0e9,
    "RTX 4090": 7.0e9,
    "L40S": 5.0e9,
    "A100": 9.2e9,
    "H100": 18e9,
}
OTHER_GPU_RATE = 7.0e9
NEAR_FIELD_SOLVER_S: Mapping[int, float] = {
    700: 565, 835: 679, 1450: 949, 2140: 1481, 2450: 1604, 3500: 1685, 5200: 1129, 5800: 1260,
}  # fmt: skip
# What the model reads of a config.
READ = ("gridding_parameters", "simulation_parameters", "auto_induced")


class CaseCost(NamedTuple):
    """Predicted seconds of one simulation: outside the solver, and in it. `cells_per_s`: the solver's speed; 0 where
    the solver's time does not come from one."""

    overhead_s: float
    solver_s: float
    cells_per_s: float = 0.0

    @property
    def seconds(self) -> float:
        """The whole simulation."""
        return self.overhead_s + self.solver_s


def case_seconds(config: Mapping[str, Any], phantom: str, frequency: str, gpu: str | None = None) -> float:
    """Predicted seconds of one simulation of a resolved config. See `case_cost`; 1.0 where the model cannot say."""
    return _seconds(config, phantom, frequency, gpu) or 1.0


def unweighable(config: Mapping[str, Any], phantom: str, frequency: str) -> str:
    """The key of the config whose value is so odd that the model cannot say; "" where it can."""
    if _seconds(config, phantom, frequency) is not None:
        return ""
    for key in READ:
        if _seconds({name: value for name, value in config.items() if name != key}, phantom, frequency) is not None:
            return key
    return " or ".join(key for key in READ if key in config)


def _seconds(config: Mapping[str, Any], phantom: str, frequency: str, gpu: str | None = None) -> float | None:
    try:
        seconds = case_cost(config, phantom, frequency, gpu).seconds
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def case_cost(config: Mapping[str, Any], phantom: str, frequency: str, gpu: str | None = None) -> CaseCost:
    """Predicted cost of one simulation.

    `frequency` in MHz, "700" or, for several tones in one simulation, "700+2450" (costed at the highest, extracted
    once per tone). `gpu`: a name that contains a known model; else a typical one is assumed.

    Raises:
        ValueError, TypeError, AttributeError, LookupError or ArithmeticError: a config of an odd shape.
    """
    tones = [float(tone) for tone in frequency.split("+")]
    if config.get("study_type") == "near_field":
        return _near_field(phantom, max(tones), gpu)
    return _far_field(config, phantom, tones, gpu)


def known_rate(gpu: str | None) -> float | None:
    """Cells per second of a filled GPU whose name contains a known model; None of any other."""
    return next((rate for model, rate in GPU_RATE.items() if gpu and model.casefold() in gpu.casefold()), None)


def gpu_rate(gpu: str | None, cells: float) -> float:
    """Cells per second. A grid below 100 million cells does not fill a GPU: 30 % of its rate at 25 million."""
    full = known_rate(gpu) or OTHER_GPU_RATE
    filled = min(1.0, max(0.0, (cells / 1e6 - 25) / 75))
    return full * (0.3 + 0.7 * filled)


def _near_field(phantom: str, frequency: float, gpu: str | None) -> CaseCost:
    nearest = min(NEAR_FIELD_SOLVER_S, key=lambda known: abs(known - frequency))
    # The table is a mean over a small and a large phantom in equal parts.
    size = 4 / 3 if phantom.lower() in ("eartha", "ella", "duke") else 2 / 3
    # The campaign's machines made 7.2e9 cells a second: a typical GPU. Others are taken to be as fast in proportion.
    speed = gpu_rate(gpu, 1e9) / OTHER_GPU_RATE
    return CaseCost(FIXED_S + NEAR_FIELD_EXTRA_S, NEAR_FIELD_SOLVER_S[nearest] * size / speed)


def _far_field(config: Mapping[str, Any], phantom: str, tones: list[float], gpu: str | None) -> CaseCost:
    grid: Mapping[str, Any] = config.get("gridding_parameters") or {}
    simulation: Mapping[str, Any] = config.get("simulation_parameters") or {}
    highest = max(tones)
    step = _grid_step_mm(grid, highest)
    box = _box_mm(grid, simulation, phantom, highest)
    cells = math.prod(side / step + PML_CELLS for side in _padded_mm(grid, box, highest))
    diagonal = math.hypot(*box)
    if (config.get("auto_induced") or {}).get("use_xy_diagonal_for_sim_time"):
        # GOLIAT applies it even where auto_induced is not enabled.
        diagonal = math.hypot(*box[:2])
    nanoseconds = float(simulation.get("simulation_time_multiplier", 5)) * diagonal / LIGHT_MM_PER_NS
    if len(tones) > 1:
        # At least five periods of the slowest beat between two tones.
        beat = min(abs(a - b) for i, a in enumerate(tones) for b in tones[i + 1 :])
        nanoseconds = max(nanoseconds, 5e3 / beat)
    steps = nanoseconds * LIGHT_MM_PER_NS * math.sqrt(3) / step
    overhead = FIXED_S + SECONDS_PER_MCELL * cells / 1e6
    # Extraction is about half of the overhead and is repeated for each tone.
    overhead *= 1 + 0.5 * (len(tones) - 1)
    rate = gpu_rate(gpu, cells)
    return CaseCost(overhead, cells * steps / rate, rate)


def _grid_step_mm(grid: Mapping[str, Any], frequency: float) -> float:
    per_frequency = grid.get("global_gridding_per_frequency") or {}
    fallback = (grid.get("global_gridding") or {}).get("manual_fallback_max_step_mm", 3.0)
    return float(per_frequency.get(f"{frequency:g}", fallback))


def _box_mm(
    grid: Mapping[str, Any], simulation: Mapping[str, Any], phantom: str, frequency: float
) -> tuple[float, float, float]:
    x, y, z = PHANTOM_MM.get(phantom.lower(), OTHER_PHANTOM_MM)
    reduction: Mapping[str, Any] = grid.get("phantom_bbox_reduction") or {}
    limit = (reduction.get("height_limit_per_frequency_mm") or {}).get(f"{frequency:g}")
    if limit:
        z = min(z, float(limit))
    elif reduction.get("auto_reduce_bbox"):
        z *= max(0.2, min(1.0, (float(reduction.get("reference_frequency_mhz", 5800)) / frequency) ** 3))
    margin = simulation.get("bbox_padding_mm")
    pad = 50.0 if margin is None else float(margin)
    # With symmetry only half of the body is computed: one padded side.
    width = x / 2 + pad if reduction.get("use_symmetry_reduction") else x + 2 * pad
    return width, y + 2 * pad, z + 2 * pad


def _padded_mm(grid: Mapping[str, Any], box: tuple[float, float, float], frequency: float) -> list[float]:
    padding: Mapping[str, Any] = grid.get("padding") or {}
    if padding.get("padding_mode") == "manual":
        bottom = padding.get("manual_bottom_padding_mm", [0, 0, 0])
        top = padding.get("manual_top_padding_mm", [0, 0, 0])
        return [side + float(low) + float(high) for side, low, high in zip(box, bottom, top, strict=True)]
    # Automatic padding: a quarter of the wavelength on either side (inferred from one log).
    return [side + 2 * 1000 * LIGHT_MM_PER_NS / frequency / 4 for side in box]
