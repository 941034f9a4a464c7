"""Where GOLIAT looks for iSolve."""

from pathlib import Path
from typing import Any


def apply(module: Any) -> None:
    """Points GOLIAT to the stand-in's own `Solvers/iSolve.exe`."""
    module.find_sim4life_root = lambda: str(Path(__file__).parents[1] / "root")
