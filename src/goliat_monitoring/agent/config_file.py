"""The study config as this machine runs it, and the cases it asks for."""

import logging
import re
from pathlib import Path
from typing import Any

import msgspec

from goliat_monitoring.study.cases import enumerate_cases, phases
from goliat_monitoring.study.extends import ConfigProblem, resolve
from goliat_monitoring.study.results import result_paths
from goliat_monitoring.wire.agent import CaseRef, CasesItem, Job

log = logging.getLogger(__name__)
DEFAULTS = Path("goliat") / "config" / "defaults"
UNSAFE = re.compile(r"[^0-9A-Za-z._-]+")


def write_config(workdir: Path, job: Job) -> Path:
    """Write the config that is run into `configs/`, where the parents it extends lie too. Raises OSError.

    Key order is kept: it is the order of execution. Without the window there is no report, so both switches are on
    whatever the config or its parents say.
    """
    folder = workdir / "configs"
    folder.mkdir(parents=True, exist_ok=True)
    name = UNSAFE.sub("_", job.study_name).strip("._")[:80] or "study"
    # The end of the id: its beginning is the time, and runs of the same second share it.
    short = UNSAFE.sub("", job.run_id)[-8:]
    path = folder / f"{name}_{job.index}_{short}.json"
    config = {**job.config, "use_gui": True, "use_web": True}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(config), indent=2))
    return path


def cases_of(workdir: Path, job: Job) -> tuple[CasesItem | None, set[str] | None]:
    """What the config asks for, with its parents as they lie on this machine.

    The cases, if the server does not know them and they can be learned; and the folders in which their results may
    lie, in lower case, or None where nobody knows.
    """
    known = {case.relative_path.casefold() for case in job.cases} or None
    try:
        config = resolve(job.config, lambda name: _parent(workdir, name))
        cases = enumerate_cases(config)
        wanted = phases(config)
    except (ConfigProblem, RecursionError) as problem:
        log.warning("the cases of this config cannot be told: %s", problem)
        return None, known
    folders = {path.casefold() for case in cases for path in result_paths(case)} | (known or set())
    if job.cases or not cases:
        return None, folders or None
    refs = [CaseRef(case.key, case.relative_path, case.details) for case in cases]
    switches = {
        "do_setup": wanted.do_setup,
        "do_run": wanted.do_run,
        "do_extract": wanted.do_extract,
        "only_write_input": wanted.only_write_input,
    }
    return CasesItem(refs, switches), folders


def _parent(workdir: Path, name: str) -> dict[str, Any] | None:
    """A parent config, looked up as GOLIAT does, and never outside its project folder."""
    root = workdir.resolve()
    for base in (workdir / "configs", workdir, workdir / DEFAULTS):
        path = (base / name).resolve()
        if not path.is_relative_to(root):
            continue
        try:
            found = msgspec.json.decode(path.read_bytes())
        except (OSError, msgspec.DecodeError, RecursionError):
            continue
        return found if isinstance(found, dict) else None
    return None
