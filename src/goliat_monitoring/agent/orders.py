"""What a run's supervisor is asked to do, gathered from every thread that hears the server."""

import threading


class Orders:
    """The strongest wish so far. Only ever gets stronger: a stop is not taken back, a fence is for good."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self.stop = False
        self.kill = False
        self.fenced = False
        self.reason = ""

    def hear(self, directive: str, reason: str, *, late: bool = False) -> None:
        """The server's directive for the run. `late`: the run is over there, so its processes are in the way."""
        if late:
            self.fence(reason)
        elif directive in ("stop", "kill"):
            with self._lock:
                if directive == "kill":
                    self.kill = True
                self.stop = True
                self.reason = self.reason or reason
            self._changed.set()

    def fence(self, reason: str) -> None:
        """The run is another's, or over."""
        with self._lock:
            self.fenced = True
            self.reason = reason or self.reason
        self._changed.set()

    def wait(self, timeout: float) -> None:
        """Until something changed, at most `timeout` seconds."""
        if self._changed.wait(timeout):
            self._changed.clear()
