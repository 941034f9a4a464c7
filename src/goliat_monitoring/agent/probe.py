"""What the GOLIAT of this machine is and knows, asked once for each installation."""

import logging
import os
import shutil
import subprocess
from pathlib import Path

import msgspec

from goliat_monitoring.agent.statedir import write_json

log = logging.getLogger(__name__)
# Importing GOLIAT with Sim4Life takes a while on a cold disk.
TIMEOUT_S = 180.0
SITES = ("lib/python*/site-packages", "Lib/site-packages")
VERSION_CODE = "import importlib.metadata as m; print(m.version('goliat'))"


class Goliat(msgspec.Struct, rename="camel"):
    """`auto_close`: whether `goliat study` knows `--auto-close`. `version` is empty where it could not be learned."""

    key: str
    auto_close: bool
    version: str


def probe(command: list[str], workdir: Path, cache: Path) -> Goliat | None:
    """Ask the GOLIAT behind `command`; None when it cannot be started. Answers are kept in the file `cache`."""
    key = _key(command)
    try:
        known = msgspec.json.decode(cache.read_bytes(), type=Goliat)
        if known.key == key:
            return known
    except (OSError, msgspec.DecodeError):
        pass
    helped = _output([*command, "study", "--help"], workdir)
    if helped is None:
        return None
    goliat = Goliat(key, "--auto-close" in helped, _version(command, workdir))
    if helped:
        write_json(cache, goliat)
    return goliat


def _key(command: list[str]) -> str:
    """Changes when the command or the installation behind it does."""
    parts = list(command)
    for word in command:
        found = Path(shutil.which(word) or word)
        try:
            parts.append(str(found.stat().st_mtime_ns))
            # An upgrade leaves the interpreter as it is and touches the folder beside it.
            for pattern in SITES:
                parts.extend(str(site.stat().st_mtime_ns) for site in sorted(found.parent.parent.glob(pattern)))
        except OSError:
            continue
    return "\0".join(parts)


def _version(command: list[str], workdir: Path) -> str:
    program = Path(shutil.which(command[0]) or command[0])
    if program.stem.lower().startswith("python"):
        interpreter = program
    else:
        beside = [program.with_name("python.exe"), program.with_name("python"), program.parent.parent / "python.exe"]
        found = next((path for path in beside if path.exists()), None)
        if found is None:
            return ""
        interpreter = found
    lines = (_output([str(interpreter), "-c", VERSION_CODE], workdir) or "").split()
    return lines[-1] if lines and lines[-1][0].isdigit() else ""


def _output(command: list[str], workdir: Path) -> str | None:
    # With CI set GOLIAT does not fetch phantoms when it is only asked what it is.
    environment = {**os.environ, "CI": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=workdir,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("could not ask %s: %s", command[0], error)
        return None
    return done.stdout.decode(errors="replace")
