"""How GOLIAT starts the solver: with what Windows alone has, and without what is only ours.

`subprocess.CREATE_NO_WINDOW` exists on Windows only, and GOLIAT's manual runner asks for it everywhere: each start
fails, and GOLIAT tries again at once, for ever. The solver is also the one long-lived child that is not Python: it
needs neither the hook's folder on its PYTHONPATH nor the relay's token.
"""

from __future__ import annotations

import os
import subprocess
from types import ModuleType
from typing import Any

from .settings import TOKEN_VARIABLE, Settings


def start_solver_cleanly(module: ModuleType, settings: Settings) -> None:  # noqa: ARG001  # as its siblings
    """Gives this one module of GOLIAT its own view of `subprocess`; the real module stays as it is."""
    if getattr(module, "subprocess", None) is subprocess:
        module.subprocess = _Subprocess()  # type: ignore[attr-defined]


class _Subprocess(ModuleType):
    """`subprocess` with a flag for Linux and macOS, and a Popen that hands on a cleaned environment."""

    # 0 asks for nothing, which is all that Popen accepts outside of Windows.
    CREATE_NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)

    def __init__(self) -> None:
        super().__init__("subprocess", subprocess.__doc__)

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    @staticmethod
    def Popen(*args: Any, **options: Any) -> Any:  # noqa: N802  # the name that GOLIAT calls
        """`subprocess.Popen`; an environment that the caller chose is left alone."""
        if options.get("env") is None:
            options["env"] = _cleaned(dict(os.environ))
        return subprocess.Popen(*args, **options)  # the command is GOLIAT's own


def _cleaned(environment: dict[str, str]) -> dict[str, str]:
    environment.pop(TOKEN_VARIABLE, None)
    site = environment.get("GOLIAT_MONITORING_HOOK_SITE")
    kept = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != site]
    if kept:
        environment["PYTHONPATH"] = os.pathsep.join(kept)
    else:
        environment.pop("PYTHONPATH", None)
    return environment
