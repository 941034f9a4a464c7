"""The study's window, watched and steered through a folder: GOLIAT has no other way to be stopped cleanly from outside.

In the control folder the agent puts `stop` (press the Stop button, once) and `close` (close the window, and end the
process); the hook puts `gui-pid` (the process with the window), `finished` (unix time at which the study ended) and
`study-exit` (exit code of the study's process, as soon as it has one).
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import threading
import time
from types import ModuleType
from typing import Any

from . import files
from .notes import note
from .settings import Settings

WATCH = "_goliat_monitoring_watch"
TICK_MS = 1000
# How long a window may take to close by itself, and its process to end, before it is ended.
CLOSE_GRACE_S = 20.0
# How long the window takes messages before its timers get a turn.
MESSAGES_AT_ONCE_S = 0.5


def watch_window(module: ModuleType, settings: Settings) -> None:
    """Lets each window of this process watch the control folder, from the moment it is up."""
    if settings.control is None and settings.close_after_s is None:
        return
    window: Any = module.ProgressGUI
    init = window.__init__

    @functools.wraps(init)
    def init_and_watch(self: Any, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        try:
            _start_timer(self, Watch(self, settings))
        except Exception as error:  # noqa: BLE001  # an unwatched window is better than none
            note(f"could not watch the window: {error!r}")

    window.__init__ = init_and_watch
    _tell_end_at_once(window)


def take_messages_in_turns(module: ModuleType, settings: Settings) -> None:  # noqa: ARG001  # as its siblings
    """Lets the window's timers run although messages come faster than it draws them.

    GOLIAT takes messages until there are none, and a busy machine never comes to that point before the study is over:
    no screenshot is taken meanwhile, no graph is drawn, and nobody sees the wish to stop. What was not taken stays in
    the queue for the next turn, a tenth of a second later. Nothing is cut short after the end of the study, when
    there are no more turns.
    """
    handler: Any = module.QueueHandler
    original = handler.process_queue

    @functools.wraps(original)
    def process_queue(self: Any) -> None:
        gui, queue = self.gui, self.gui.queue
        if isinstance(queue, _OneTurn):  # within a turn already: a handler let Qt run its events
            original(self)
            return
        gui.queue = _OneTurn(queue, gui)
        try:
            original(self)
        finally:
            gui.queue = queue

    handler.process_queue = process_queue


class _OneTurn:
    """A queue that calls itself empty when its turn is over."""

    def __init__(self, queue: Any, gui: Any) -> None:
        self._queue = queue
        self._gui = gui
        self._ends = time.monotonic() + MESSAGES_AT_ONCE_S

    def empty(self) -> bool:
        is_over = time.monotonic() >= self._ends and not getattr(self._gui, "study_is_finished", False)
        return is_over or bool(self._queue.empty())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)


def _tell_end_at_once(window: Any) -> None:
    """The end of a study keeps the window's thread busy for 5 s of farewells, in which no timer comes to see it."""
    finish = getattr(window, "study_finished", None)
    if finish is None:
        return

    @functools.wraps(finish)
    def tell_and_finish(self: Any, *args: Any, **options: Any) -> None:
        watch = vars(self).get(WATCH)
        if watch is not None:
            watch.tell_end()
        finish(self, *args, **options)

    window.study_finished = tell_and_finish


def _start_timer(gui: Any, watch: Watch) -> None:
    timer = importlib.import_module("PySide6.QtCore").QTimer(gui)  # GOLIAT has it loaded by now
    timer.timeout.connect(watch.tick)
    timer.start(TICK_MS)
    vars(gui)[WATCH] = watch
    watch.begin()


class Watch:
    """One window and its control folder. `tick` never raises.

    Args:
        gui: GOLIAT's ProgressGUI; whatever it lacks in some version is left out.
        settings: where the control folder is, and whether to close after the end.
    """

    def __init__(self, gui: Any, settings: Settings) -> None:
        self._gui = gui
        self._control = settings.control
        self._close_after_s = settings.close_after_s
        self._ended_at: float | None = None
        self._has_stopped = False
        self._is_closing = False
        self._has_told_exit = False

    def begin(self) -> None:
        """Tells which process has the window."""
        self._tell("gui-pid", str(os.getpid()))

    def tick(self) -> None:
        """Looks once: what has happened to the study, and what is wished."""
        for step in (self._see_end, self._tell_exit_code, self._stop_if_wished, self._close_if_wished):
            try:
                step()
            except Exception as error:  # noqa: BLE001  # the next tick comes in a second
                note(f"{step.__name__}: {error!r}")

    def tell_end(self) -> None:
        """Tells that the study has ended, once. Never raises."""
        if self._ended_at is None:
            self._ended_at = time.monotonic()
            self._tell("finished", str(time.time()))

    def _see_end(self) -> None:
        if getattr(self._gui, "study_is_finished", False):
            self.tell_end()

    def _tell_exit_code(self) -> None:
        code = getattr(getattr(self._gui, "process", None), "exitcode", None)
        if code is not None and not self._has_told_exit:
            self._has_told_exit = True
            self._tell("study-exit", str(code))

    def _stop_if_wished(self) -> None:
        if not self._has_stopped and self._is_wished("stop"):
            self._has_stopped = True
            note("pressing Stop")
            self._gui.stop_study()

    def _close_if_wished(self) -> None:
        if self._is_closing:
            # Still here a second later: hidden in the tray, where closing does not end the application, or it refused.
            self._leave_event_loop()
            return
        is_due = (
            self._close_after_s is not None
            and self._ended_at is not None
            and time.monotonic() - self._ended_at >= self._close_after_s
        )
        if is_due or self._is_wished("close"):
            self._is_closing = True
            note("closing the window")
            # A question in the way, or a child that cannot be ended, would keep the process for ever.
            last_resort = threading.Timer(CLOSE_GRACE_S, self._end_process)
            last_resort.daemon = True
            last_resort.start()
            self._gui.close()

    @staticmethod
    def _leave_event_loop() -> None:
        # Asks nobody, unlike quit(), and also ends the loop of a dialogue.
        importlib.import_module("PySide6.QtCore").QCoreApplication.exit(0)

    def _end_process(self) -> None:
        note("the process did not end by itself")
        process = getattr(self._gui, "process", None)
        code = getattr(process, "exitcode", None)
        if code is None and process is not None:
            process.kill()
        sys.stdout.flush()
        os._exit(code if code is not None and code >= 0 else 1)

    def _is_wished(self, name: str) -> bool:
        return self._control is not None and (self._control / name).exists()

    def _tell(self, name: str, text: str) -> None:
        if self._control is not None:
            files.put(self._control, name, text)
