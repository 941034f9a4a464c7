"""Small study configs for tests."""

from typing import Any

CONFIG: dict[str, Any] = {
    "study_type": "far_field",
    "phantoms": ["thelonious"],
    "frequencies_mhz": [700],
    "far_field_setup": {
        "type": "environmental",
        "environmental": {"incident_directions": ["x_pos"], "polarizations": ["theta", "phi"]},
    },
    "execution_control": {"do_setup": True, "do_run": True, "do_extract": True},
}
# The folders of the two simulations of CONFIG, below `results/`.
PATHS = [
    "far_field/thelonious/700MHz/environmental_x_pos_theta",
    "far_field/thelonious/700MHz/environmental_x_pos_phi",
]


def new_study(name: str = "study", parts: int = 1, config: dict[str, Any] | None = None) -> dict[str, Any]:
    """The body that creates a super study of equal parts."""
    split = config or CONFIG
    return {
        "name": name,
        "description": "",
        "baseConfig": split,
        "assignments": [{"splitConfig": split, "status": "PENDING"}] * parts,
    }
