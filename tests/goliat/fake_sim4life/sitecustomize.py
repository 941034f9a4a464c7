"""Replaces, as GOLIAT is loaded, the few spots that need a real Sim4Life or a phantom. README.md lists the switches."""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

# Module of GOLIAT -> the stand-in whose `apply(module)` replaces what needs Sim4Life there.
STAND_INS = {
    "goliat.setups.far_field_setup": "stand_in.setup",
    "goliat.studies.far_field_study": "stand_in.study_loop",
    "goliat.runners.isolve_manual_strategy": "stand_in.solver",
    "goliat.runners.post_simulation_handler": "stand_in.waiting",
    "goliat.results_extractor": "stand_in.extraction",
}


class _Finder(importlib.abc.MetaPathFinder):
    """Lets the real finders find a module, and applies its stand-in once it has been executed."""

    def __init__(self) -> None:
        self._busy: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in STAND_INS or fullname in self._busy:
            return None
        self._busy.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._busy.discard(fullname)
        if spec is None or spec.loader is None:
            return spec
        inner = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            inner(module)
            importlib.import_module(STAND_INS[fullname]).apply(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # this loader serves this one module
        return spec


sys.meta_path.insert(0, _Finder())
