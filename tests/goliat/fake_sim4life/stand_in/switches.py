"""The environment variables that say how a simulation goes (README.md beside this package)."""

import os


def step_s() -> float:
    """Seconds of one setup or extraction step."""
    return float(os.environ.get("FAKE_STEP_S", "0.02"))


def wait_s() -> float | None:
    """Seconds to wait for results after the solver; None: as long as GOLIAT does."""
    text = os.environ.get("FAKE_WAIT_S", "")
    return float(text) if text else None


def is_chosen(project_path: str) -> bool:
    """Whether the failing switches hold for the simulation with this project path."""
    chosen = [part for part in os.environ.get("FAKE_FAIL_CASE", "").split(",") if part]
    return not chosen or any(part in project_path for part in chosen)


def setup_mode(project_path: str) -> str:
    """`ok`, `raise`, `exit1` or `fatal` for the setup of this simulation."""
    mode = os.environ.get("FAKE_SETUP", "")
    if not mode and os.environ.get("FAKE_FAIL_CASE") and os.environ.get("FAKE_ISOLVE", "ok") == "ok":
        mode = "raise"
    return mode if mode and is_chosen(project_path) else "ok"
