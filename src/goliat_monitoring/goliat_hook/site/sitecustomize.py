"""Loaded by Python at start-up, before GOLIAT: installs the hook, then runs the sitecustomize that this one shadows."""

import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path

_SITE = Path(__file__).absolute().parent
_PACKAGE = "_goliat_monitoring_hook"


def _install() -> None:
    """Loads the package beside this folder under a private name, if the hook is wanted, and lets it install itself."""
    if not os.environ.get("GOLIAT_MONITORING_RELAY", "").strip():
        return
    try:
        folder = _SITE.parent
        spec = importlib.util.spec_from_file_location(
            _PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is None or spec.loader is None:
            return
        package = importlib.util.module_from_spec(spec)
        sys.modules[_PACKAGE] = package
        spec.loader.exec_module(package)
        importlib.import_module(_PACKAGE + ".install").install(str(_SITE))
    except Exception as error:  # noqa: BLE001  # a study must start without the hook rather than not at all
        sys.stderr.write(f"goliat-monitoring: the hook could not be installed: {error!r}\n")


def _chain() -> None:
    """Runs the next sitecustomize on sys.path (Sim4Life's, conda's, the distribution's).

    Errors go on to Python's `site`, which treats them as it would without this file.
    """
    others = [entry for entry in sys.path if Path(entry or os.curdir).absolute() != _SITE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is None or spec.loader is None:
        return
    spec.name = spec.loader.name = "_shadowed_sitecustomize"  # type: ignore[attr-defined]
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)


_install()
_chain()
