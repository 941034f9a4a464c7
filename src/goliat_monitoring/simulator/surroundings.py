"""What the simulator is told by its environment: where to report, as whom, how fast, what to get wrong."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from goliat_monitoring.study.cases import Case


@dataclass(frozen=True, slots=True)
class Mishaps:
    """Which cases go wrong, each a part of the case's name; `*` is every case, "" none.

    `fail`: setup raises, the study goes on and calls itself successful. `memory`: the solver runs out of memory,
    exit code 42. `fatal`: the study loop raises, and still calls itself successful. `crash`: the study process ends
    with code 1 and its window stays open.
    """

    fail: str = ""
    memory: str = ""
    fatal: str = ""
    crash: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The hook's contract, as far as a study's own process sees it.

    `relay`: base URL, with a path prefix if there is one; "" reports nowhere. `control`: folder through which the
    agent stops and closes. `spool`: where requests wait while the relay is away. `speed`: 1 takes about 12 s a
    simulation, 6 about 2 s.
    """

    relay: str = ""
    token: str = ""
    machine_id: str = "simulator"
    assignment_id: str = ""
    control: Path | None = None
    spool: Path | None = None
    speed: float = 6.0
    mishaps: Mishaps = Mishaps()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Surroundings":
        """Read the variables that the agent and its hook set; without an agent, those of a bare client.

        Raises:
            ValueError: `GOLIAT_SIMULATOR_SPEED` is no number above 0.
        """
        get = (os.environ if environ is None else environ).get
        relay = get("GOLIAT_MONITORING_RELAY", "")
        speed = get("GOLIAT_SIMULATOR_SPEED", "") or "6"
        try:
            factor = float(speed)
        except ValueError:
            factor = 0.0
        if not 0 < factor < 1e6:
            raise ValueError(f"GOLIAT_SIMULATOR_SPEED={speed}: a number above 0 is needed")
        return cls(
            relay=(relay or get("GOLIAT_MONITORING_URL", "")).rstrip("/"),
            token=get("GOLIAT_MONITORING_RELAY_TOKEN" if relay else "GOLIAT_MONITORING_TOKEN", ""),
            machine_id=get("GOLIAT_MACHINE_ID", "") or "simulator",
            assignment_id=get("GOLIAT_ASSIGNMENT_ID", ""),
            control=_folder(get("GOLIAT_MONITORING_CONTROL", "")),
            spool=_folder(get("GOLIAT_MONITORING_SPOOL", "")),
            speed=factor,
            mishaps=Mishaps(
                *(get(f"GOLIAT_SIMULATOR_{name}", "").strip() for name in ("FAIL", "MEMORY", "FATAL", "CRASH"))
            ),
        )

    def pressed(self, button: str) -> bool:
        """Whether the agent asks for `stop` or `close`."""
        return self.control is not None and (self.control / button).exists()

    def leave(self, name: str, text: str) -> None:
        """Write a small file for the agent, in one piece."""
        if self.control is None:
            return
        self.control.mkdir(parents=True, exist_ok=True)
        part = self.control / f"{name}.part"
        part.write_text(text, "utf-8")
        part.replace(self.control / name)

    def append(self, name: str, line: str) -> None:
        """Add a line to a file that the agent follows."""
        if self.control is not None:
            self.control.mkdir(parents=True, exist_ok=True)
            with (self.control / name).open("a", encoding="utf-8") as file:
                file.write(line + "\n")


def hits(switch: str, case: Case) -> bool:
    """Whether a mishap is meant for this case: part of its key or of the text that announces it."""
    return bool(switch) and (switch == "*" or switch in case.key or switch in case.details)


def _folder(text: str) -> Path | None:
    return Path(text) if text else None
