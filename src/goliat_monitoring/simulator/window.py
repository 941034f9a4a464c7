"""GOLIAT's main process beside the study: heartbeats, pictures of the tabs, and the progress bars every 2 s."""

import os
import socket
import threading
import time
from collections.abc import Callable

import psutil

from goliat_monitoring.simulator.clock import Clock
from goliat_monitoring.simulator.narrator import Narrator
from goliat_monitoring.simulator.pictures import TABS, screenshot
from goliat_monitoring.simulator.post import post_json, post_parts
from goliat_monitoring.simulator.surroundings import Surroundings

HEARTBEAT_S, PICTURES_S, BARS_S = 30.0, 5.0, 2.0


class Bars:
    """The two progress bars: share of the study and of the phase, in percent."""

    def __init__(self) -> None:
        self.overall = 0.0
        self.stage = 0.0
        self.name = "Setup"
        self.label = ""


class Window:
    """Background traffic from the start of a study to its end."""

    def __init__(self, to: Surroundings, narrator: Narrator, clock: Clock, bars: Bars) -> None:
        self._to, self._narrator, self._clock, self._bars = to, narrator, clock, bars
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def open(self) -> None:
        """Start: two heartbeats at once, as GOLIAT sends them."""
        self._heartbeat()
        self._every(lambda: HEARTBEAT_S, self._heartbeat, at_once=True)
        # Never so fast that pictures and bars would be most of the traffic.
        self._every(lambda: max(1.0, self._clock.scaled(PICTURES_S)), self.take_pictures)
        self._every(lambda: max(0.4, self._clock.scaled(BARS_S)), self._tell_bars)

    def close(self) -> None:
        """End the background traffic."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def take_pictures(self) -> None:
        """Send a picture of every tab but the one that shows the log."""
        bars, seed = self._bars, int(time.time())
        pictures = [(tab, screenshot(tab, bars.overall, bars.label, seed)) for tab in TABS]
        parts = [(tab, f"{tab}.jpg", "image/jpeg", picture) for tab, picture in pictures]
        post_parts(self._to, "/api/gui-screenshots", [("machineId", None, "", self._to.machine_id.encode()), *parts])

    def _heartbeat(self) -> None:
        body = {
            "machineId": self._to.machine_id,
            "gpuName": "N/A",
            "cpuCores": os.cpu_count() or 0,
            "totalRamGB": psutil.virtual_memory().total / 2**30,
            "hostname": socket.gethostname(),
        }
        post_json(self._to, "/api/heartbeat", body, 10)

    def _tell_bars(self) -> None:
        if self._bars.overall > 0:
            self._narrator.tell("overall_progress", current=round(self._bars.overall, 2), total=100)
        if self._bars.stage > 0:
            self._narrator.tell("stage_progress", name=self._bars.name, current=self._bars.stage, total=100)

    def _every(self, pause: Callable[[], float], act: Callable[[], None], *, at_once: bool = False) -> None:
        def loop() -> None:
            if at_once:
                act()
            while not self._over.wait(pause()):
                act()

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        self._threads.append(thread)
