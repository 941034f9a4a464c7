"""Lets the study loop itself raise, outside of any simulation: `FAKE_SETUP=fatal`."""

import functools
from typing import Any

from . import switches


def apply(module: Any) -> None:
    """Wraps the step of the loop that processes one simulation."""
    original = module.FarFieldStudy._process_single_far_field_simulation

    @functools.wraps(original)
    def process(self: Any, phantom: str, frequency: Any, direction: str, polarization: str, *rest: Any) -> Any:
        if switches.setup_mode(f"{phantom}_{frequency}MHz_environmental_{direction}_{polarization}") == "fatal":
            raise RuntimeError("the stand-in was told to fail in the study loop")
        return original(self, phantom, frequency, direction, polarization, *rest)

    module.FarFieldStudy._process_single_far_field_simulation = process
