"""What a study says, and where: the dashboard, the simulation's own log files and the terminal."""

import datetime
from pathlib import Path

from goliat_monitoring.simulator.sender import Sender

_COLOURS = {
    "header": "\x1b[35m\x1b[1m",
    "success": "\x1b[32m\x1b[1m",
    "info": "\x1b[36m",
    "verbose": "\x1b[34m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "fatal": "\x1b[35m",
    "progress": "\x1b[32m",
}


class Narrator:
    """Sends progress lines in batches and verbose lines one by one, as GOLIAT does, and logs both."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._folder: Path | None = None

    def enter(self, folder: Path | None) -> None:
        """Log into this simulation's folder from now on."""
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("verbose", "progress"):
                path = folder / f"{name}.log"
                self._write(f"{name}.log", f"--- Simulation-specific {name} logging started: {path} ---", "")

    def say(self, text: str, level: str = "progress", origin: str = "") -> None:
        """A line for the progress log: what a person watches."""
        self._sender.log(text, level)
        self._write("progress.log", text, origin)
        print(text, flush=True)

    def mutter(self, text: str, level: str = "verbose", origin: str = "") -> None:
        """A line for the verbose log, as the terminal would show it."""
        tail = f"[{origin}]" if origin else ""
        coloured = f"{_COLOURS.get(level, chr(27) + '[37m')}{text}\x1b[0m \x1b[30m\x1b[2m{tail}\x1b[0m"
        # The time is taken here and not when it is sent.
        self._sender.message("terminal_only", message=coloured, log_type=level, timestamp=_now().timestamp())
        self._write("verbose.log", text, origin)

    def tell(self, kind: str, **fields: object) -> None:
        """A message that is no line."""
        self._sender.message(kind, **fields)

    def stage(self, name: str, current: float, total: int = 1, sub_stage: str = "") -> None:
        """Where the current phase is."""
        self.tell("stage_progress", name=name, current=current, total=total, sub_stage=sub_stage)

    def _write(self, name: str, text: str, origin: str) -> None:
        if self._folder is None:
            return
        stamp = _now().strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
        tail = f" [{origin}]" if origin else ""
        with (self._folder / name).open("a", encoding="utf-8") as file:
            file.write(f"{stamp} - INFO - {text}{tail}\n")


def _now() -> datetime.datetime:
    return datetime.datetime.now()  # noqa: DTZ005 -- GOLIAT's files carry local time
