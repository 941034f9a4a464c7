"""What is done to which module of GOLIAT. The modules that do it are loaded only when GOLIAT loads theirs."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

from . import importer, settings

if TYPE_CHECKING:  # Python 3.8 cannot evaluate it
    Duty = Callable[[ModuleType, settings.Settings], None]

PIE_CHARTS = (("repairs", "forgive_pie_charts"), ("repairs", "draw_pie_charts_seldom"))
# Module -> (module of this package, function), in order. A name that a version of GOLIAT does not have never comes up.
DUTIES = {
    "requests.sessions": (("redirect", "redirect_sessions"),),
    "goliat.gui.components.web_bridge_manager": (("redirect", "redirect_bridge"),),
    "goliat.gui.progress_gui": (("window", "watch_window"),),
    "goliat.gui.components.screenshot_capture": (("repairs", "take_screenshots_in_one_go"),),
    "goliat.gui.components.queue_handler": (("window", "take_messages_in_turns"),),
    "goliat.gui.components.plots.pie_charts_manager": PIE_CHARTS,
    "goliat.gui.components.pie_charts_manager": PIE_CHARTS,
    "goliat.project_manager": (("hashes", "record_hashes"),),
    "goliat.studies.base_study": (("repairs", "give_altsep"),),
    "goliat.runners.isolve_process_manager": (("solver", "start_solver_cleanly"),),
    "goliat.runners.isolve_manual_strategy": (("solver", "start_solver_cleanly"),),
    "goliat.simulation_runner": (("solver", "start_solver_cleanly"),),
}


def install(site: str) -> None:
    """Installs the hook in this process; does nothing where no relay is named.

    Args:
        site: the folder that brought the hook here by PYTHONPATH.
    """
    found = settings.from_environment()
    if found is None:
        return
    # `goliat super_study` and `goliat worker` know this one by themselves; a person's own choice stands.
    os.environ.setdefault("GOLIAT_MONITORING_URL", found.relay)
    os.environ["GOLIAT_MONITORING_HOOK_SITE"] = site
    patches = {name: [_lazily(*duty, found) for duty in duties] for name, duties in DUTIES.items()}
    importer.AfterImport(patches).install()


def _lazily(module: str, function: str, found: settings.Settings) -> importer.Patch:
    def patch(target: ModuleType) -> None:
        duty: Duty = getattr(importlib.import_module("." + module, __package__), function)
        duty(target, found)

    return patch
