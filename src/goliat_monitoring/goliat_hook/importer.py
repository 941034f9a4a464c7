"""Runs a function once a certain module has been imported, without importing anything itself.

Nothing of GOLIAT may be imported early: Sim4Life 9.2 crashes when PySide6 is there before it, and the study's start
must not wait for modules that this process never uses.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from .notes import note

if TYPE_CHECKING:  # Python 3.8 cannot evaluate it
    Patch = Callable[[ModuleType], None]


class AfterImport(importlib.abc.MetaPathFinder):
    """A finder that lets the others find a module, and patches it when it has been executed.

    Args:
        patches: full module name -> what to do with that module, once, in order.
    """

    def __init__(self, patches: Mapping[str, Sequence[Patch]]) -> None:
        self._patches = patches
        self._searching: set[str] = set()

    def install(self) -> None:
        """Goes first on sys.meta_path, and patches at once what is imported already."""
        sys.meta_path.insert(0, self)
        for name in self._patches:
            if name in sys.modules:
                self._apply(sys.modules[name])

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002  # Python's protocol
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec that the other finders find, with a loader that patches; None for all modules of no interest."""
        if fullname not in self._patches or fullname in self._searching:
            return None
        # Asks the whole of sys.meta_path again, so that finders of others (a stand-in's, a debugger's) are kept.
        self._searching.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._searching.discard(fullname)
        if spec is None or spec.loader is None:
            return None
        execute = getattr(spec.loader, "exec_module", None)
        if execute is None:
            return None

        def execute_and_patch(module: ModuleType) -> None:
            execute(module)
            self._apply(module)

        try:
            spec.loader.exec_module = execute_and_patch  # type: ignore[method-assign]  # this loader serves one module
        except AttributeError:  # a loader of another kind, written in C
            note(f"could not watch {fullname}")
            return None
        return spec

    def _apply(self, module: ModuleType) -> None:
        for patch in self._patches[module.__name__]:
            try:
                patch(module)
            except Exception as error:  # noqa: BLE001  # GOLIAT goes on unpatched rather than not at all
                note(f"could not patch {module.__name__}: {error!r}")
            else:
                note(f"patched {module.__name__}")
