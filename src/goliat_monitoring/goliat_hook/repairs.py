"""Where GOLIAT fails outside of Windows, with newer libraries, or on a busy machine, put right in its own modules."""

from __future__ import annotations

import functools
import importlib
import os
from types import ModuleType
from typing import Any

from .notes import note
from .settings import Settings

CHARTS_EVERY_MS = 2000
NEXT_CHARTS = "_goliat_monitoring_next_charts"


def give_altsep(module: ModuleType, settings: Settings) -> None:  # noqa: ARG001  # as its siblings
    """Gives the upload of results an `os.altsep`.

    It is None outside of Windows, where GOLIAT adds it to a text: the TypeError keeps every result from being
    uploaded, and the simulation is called failed although its results are there. The code sits in different functions
    in 1.3, 1.4 and 1.5, so this module gets its own view of `os`; the real one stays as it is.
    """
    if os.altsep is None and getattr(module, "os", None) is os:
        module.os = _OsWithAltsep()  # type: ignore[attr-defined]


class _OsWithAltsep(ModuleType):
    altsep = os.sep

    def __init__(self) -> None:
        super().__init__("os", os.__doc__)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


def forgive_pie_charts(module: ModuleType, settings: Settings) -> None:  # noqa: ARG001  # as its siblings
    """Keeps a pie chart that cannot be drawn from silencing the estimates of the time that is left.

    From matplotlib 3.11 on, `Axes.pie` returns an object without a length, GOLIAT asks for its length, and the
    message that was being handled is never forwarded. The charts get the tuple they expect; should that fail too,
    only the chart is lost.
    """
    manager: Any = module.PieChartsManager
    original = manager.update

    @functools.wraps(original)
    def update(self: Any, *args: Any, **options: Any) -> None:
        try:
            for axes in getattr(self, "axes", ()):
                _return_tuple_from_pie(axes)
            original(self, *args, **options)
        except Exception as error:  # noqa: BLE001  # see above: the message matters more than its picture
            note(f"no pie chart: {error!r}")

    manager.update = update


def _return_tuple_from_pie(axes: Any) -> None:
    if "pie" in vars(axes):
        return
    pie = axes.pie

    def pie_as_tuple(*args: Any, **options: Any) -> Any:
        result = pie(*args, **options)
        return result if hasattr(result, "__len__") else tuple(result)

    axes.pie = pie_as_tuple


def draw_pie_charts_seldom(module: ModuleType, settings: Settings) -> None:  # noqa: ARG001  # as its siblings
    """Draws the pie charts once in two seconds at most, and always the newest.

    GOLIAT draws all four for each estimate of the time that is left, a quarter of a second or more each time, and in
    quick phases takes half of its window's time for it: messages wait meanwhile.
    """
    manager: Any = module.PieChartsManager
    original = manager.update

    def draw(self: Any) -> None:
        args, options = vars(self).pop(NEXT_CHARTS)
        original(self, *args, **options)

    @functools.wraps(original)
    def update(self: Any, *args: Any, **options: Any) -> None:
        is_due = NEXT_CHARTS in vars(self)
        vars(self)[NEXT_CHARTS] = (args, options)
        if not is_due:
            qt = importlib.import_module("PySide6.QtCore")  # GOLIAT has it loaded by now
            qt.QTimer.singleShot(CHARTS_EVERY_MS, functools.partial(draw, self))

    manager.update = update


def take_screenshots_in_one_go(module: ModuleType, settings: Settings) -> None:  # noqa: ARG001  # as its siblings
    """Keeps a round of screenshots from running the window's timers twelve times on its way.

    GOLIAT lets Qt run its events before and after each of the six pictures. On a busy machine some timer is always
    due, each of them draws, and the round is not over before the study is: no picture ever arrives. A widget that is
    rendered is laid out and painted for it anyway.
    """
    if hasattr(module, "QApplication"):
        module.QApplication = None  # type: ignore[attr-defined]  # GOLIAT provides for that
