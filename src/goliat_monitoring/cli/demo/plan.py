"""What the demo runs: an example config, cut into one assignment for each phantom and frequency."""

import json
from pathlib import Path
from typing import Any

from goliat_monitoring.study.cases import Case, enumerate_cases
from goliat_monitoring.wire.errors import Refused

NAME = "far-field-family"
CONFIG = Path(__file__).parents[4] / "examples" / "far_field_family.json"


def base_config() -> dict[str, Any]:
    """The example config."""
    try:
        config: dict[str, Any] = json.loads(CONFIG.read_text("utf-8"))
    except OSError as problem:
        raise Refused(400, f"{CONFIG} is missing", "The demo runs from a checkout of the repository.") from problem
    return config


def assignments(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Self-contained configs that together cover `config` exactly."""
    return [
        config | {"phantoms": [phantom], "frequencies_mhz": [frequency]}
        for phantom in config["phantoms"]
        for frequency in config["frequencies_mhz"]
    ]


def expected() -> list[Case]:
    """All simulations of the demo."""
    return enumerate_cases(base_config())
