"""A real GOLIAT to test with: its environment, made once; a project folder; the variables of a run.

The environment lies in `$GOLIAT_MONITORING_TEST_CACHE`, or in `.cache/goliat-1.5.0` of this repository, and is made
from the default package index, by uv where it is on PATH or this Python is too new for GOLIAT. A lock makes parallel
test runs wait for the one that makes it.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

GOLIAT = "goliat==1.5.0"
# GOLIAT's pie charts fail with newer ones; the hook mends it, but screenshots are to show GOLIAT as it was meant.
REQUIREMENTS = (GOLIAT, "matplotlib<3.11")

NEWEST_PYTHON = (3, 13)  # excluded: there is no numpy < 2 for it

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
HOOK_SITE = REPOSITORY / "src" / "goliat_monitoring" / "goliat_hook" / "site"
FAKE_SIM4LIFE = HERE / "fake_sim4life"
PROJECT = HERE / "project"

SMALL_STUDY = "far_field_small.json"
"""4 simulations: 1 phantom, 1 frequency, 2 directions, 2 polarizations."""
SUPER_STUDY = "far_field_super.json"
"""16 simulations; `goliat super_study --split-by frequency` (or `auto`) makes 4 assignments of 4."""

# The stand-in at its quickest. GOLIAT's own wait of 5 s after each solver run is left out; see fake_sim4life/README.md.
QUICK = {"FAKE_STEP_S": "0.02", "FAKE_ISOLVE_S": "0.3", "FAKE_WAIT_S": "0.1"}


def goliat_python() -> Path:
    """The interpreter of an environment with GOLIAT, which is made first if it is not there.

    Raises:
        subprocess.CalledProcessError: the packages could not be installed.
        RuntimeError: this Python is too new for GOLIAT (numpy < 2), and there is no uv to find or get another one.
    """
    folder = Path(os.environ.get("GOLIAT_MONITORING_TEST_CACHE") or REPOSITORY / ".cache" / "goliat-1.5.0")
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "venv" / "bin" / "python"
    made = folder / "made"
    with _lock(folder / "lock"):
        if not made.exists() or made.read_text() != "\n".join(REQUIREMENTS):
            made.unlink(missing_ok=True)
            _make(folder / "venv", python)
            made.write_text("\n".join(REQUIREMENTS))
    return python


def _make(target: Path, python: Path) -> None:
    too_new = sys.version_info >= NEWEST_PYTHON
    uv = shutil.which("uv")
    if uv is None and too_new:
        # The one that `make install` brought; where this Python will do, pip honours more ways to name an index.
        uv = shutil.which("uv", path=str(REPOSITORY / ".uv" / "bin"))
    if uv:
        interpreter = "3.12" if too_new else sys.executable
        subprocess.run([uv, "venv", "--clear", "--python", interpreter, target], check=True)
        subprocess.run([uv, "pip", "install", "--python", python, *REQUIREMENTS], check=True)
    elif too_new:
        raise RuntimeError("GOLIAT needs Python 3.12 or older; put uv on PATH, or run the tests with such a Python")
    else:
        venv.create(target, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    # Compiled once here, or the first runs in parallel each do it, in the middle of a test.
    subprocess.run([python, "-m", "compileall", "-q", target / "lib"], check=False, stdout=subprocess.DEVNULL)


@contextmanager
def _lock(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def make_project(folder: Path) -> Path:
    """A copy of the test project in `folder`, which is made: GOLIAT writes results, logs and estimates into it."""
    return Path(shutil.copytree(PROJECT, folder))


def base_environment(**more: str) -> dict[str, str]:
    """The variables under which GOLIAT runs here without a screen and without a licence, the stand-in at its quickest.

    Args:
        more: further variables, such as the stand-in's switches; they win.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GOLIAT_", "FAKE_", "PYTEST_"))}
    return {
        **kept,
        "CI": "1",  # keeps GOLIAT from downloading phantoms and from starting Sim4Life in the window's process
        "QT_QPA_PLATFORM": "offscreen",
        "MPLCONFIGDIR": str(Path(tempfile.gettempdir()) / "goliat-monitoring-matplotlib"),
        "PYTHONPATH": str(FAKE_SIM4LIFE),
        "PYTHONUNBUFFERED": "1",
        **QUICK,
        **more,
    }


def hooked_environment(
    relay: str,
    *,
    machine_id: str = "test-machine",
    control: Path | None = None,
    spool: Path | None = None,
    assignment_id: str | None = None,
    token: str | None = None,
    close_after_s: float | None = None,
    more: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The variables of a run under the hook, which goes before the stand-in on PYTHONPATH.

    Args:
        relay: base URL for all of GOLIAT's dashboard traffic.
        machine_id: what GOLIAT reports as its machine.
        control: folder for stop, close, simulations.jsonl.
        spool: folder for what the relay does not take.
        assignment_id: lets GOLIAT upload results.
        token: bearer token for the relay.
        close_after_s: seconds after the end at which the window closes.
        more: further variables; they win.
    """
    variables = {
        "GOLIAT_MONITORING_RELAY": relay,
        "GOLIAT_MACHINE_ID": machine_id,
        "GOLIAT_MONITORING_CONTROL": control,
        "GOLIAT_MONITORING_SPOOL": spool,
        "GOLIAT_ASSIGNMENT_ID": assignment_id,
        "GOLIAT_MONITORING_RELAY_TOKEN": token,
        "GOLIAT_MONITORING_CLOSE_AFTER_S": close_after_s,
    }
    path = os.pathsep.join((str(HOOK_SITE), str(FAKE_SIM4LIFE)))
    given = {name: str(value) for name, value in variables.items() if value is not None}
    return base_environment(PYTHONPATH=path, **given, **(more or {}))


def goliat_command(*arguments: str) -> list[str]:
    """The command line of `goliat ARGUMENTS`."""
    return [str(goliat_python()), "-m", "cli", *arguments]
