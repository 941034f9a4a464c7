"""Ten minutes of bad luck: agents, the server and connections are killed at random while a study is worked off."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.proxy import CuttingProxy
from tests.support.server import ServerProcess

CONFIG = {
    "study_type": "far_field",
    "phantoms": ["thelonious"],
    "frequencies_mhz": [700],
    "far_field_setup": {
        "type": "environmental",
        "environmental": {"incident_directions": ["x_pos"], "polarizations": ["theta"]},
    },
    "execution_control": {"do_setup": True, "do_run": True, "do_extract": True},
}
STUDY_SIZE = 500
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it. Times in seconds; `..._every` are means between two of a kind.

    `agents` in processes of `together`, which die together. `work`: shortest and longest run. `patience`: how long
    after the storm the rest may take. `lease`, `offer_after`, `quiet`: settings of the server, shorter than they are
    in earnest so that what is lost is found in time.
    """

    agents: int = 200
    together: int = 10
    assignments: int = 5_000
    seconds: float = 600.0
    work: tuple[float, float] = (8.0, 26.0)
    agents_every: float = 6.0
    server_every: float = 45.0
    cut_every: float = 2.0
    down_every: float = 60.0
    patience: float = 200.0
    lease: float = 20.0
    offer_after: float = 10.0
    quiet: float = 5.0
    seed: int = 1


SHORT = Plan(
    agents=30, together=5, assignments=200, seconds=40.0, work=(2.0, 5.0), agents_every=4.0, server_every=12.0,
    cut_every=1.0, down_every=15.0, patience=120.0, lease=8.0, offer_after=2.0, quiet=2.0,
)  # fmt: skip


@dataclass(slots=True)
class Crew:
    """A process with agents, or the gap that it left. `back_at`: when the next one starts."""

    first: int
    process: subprocess.Popen[bytes] | None = None
    back_at: float = 0.0


@dataclass(slots=True)
class Storm:
    """Runs in `folder`, which is empty. `say` tells whoever waits."""

    plan: Plan
    folder: Path
    say: Callable[[str], None]
    database_url: str = ""
    done: Counter[str] = field(default_factory=Counter)

    def run(self) -> ServerProcess:
        """Until every assignment was reported as done, or patience is over. The server is left running, for a look."""
        plan, dice = self.plan, random.Random(self.plan.seed)
        server = ServerProcess(
            self.folder / "data", lease_s=plan.lease, offer_after_s=plan.offer_after, quiet_s=plan.quiet,
            log_level="error",
            database_url=self.database_url,
        )  # fmt: skip
        try:
            with server.client() as http:
                for number, start in enumerate(range(0, plan.assignments, STUDY_SIZE)):
                    parts = [{"splitConfig": CONFIG}] * min(STUDY_SIZE, plan.assignments - start)
                    body = {"name": f"chaos-{number}", "baseConfig": CONFIG, "assignments": parts}
                    http.post("/api/super-studies", json=body).raise_for_status()
            proxy = CuttingProxy(server.port)
            crews = [Crew(first) for first in range(0, plan.agents, plan.together)]
            try:
                self._blow(server, proxy, crews, dice)
                self.done["connections cut"] = proxy.cuts
            finally:
                for crew in crews:
                    if crew.process is not None:
                        crew.process.kill()
                        crew.process.wait()
                proxy.close()
        except BaseException:
            server.close()
            raise
        return server

    def _blow(self, server: ServerProcess, proxy: CuttingProxy, crews: list[Crew], dice: random.Random) -> None:
        plan = self.plan
        self._gather(crews, proxy.port)
        began = time.monotonic()
        every = {
            "agents": plan.agents_every, "server": plan.server_every, "cut": plan.cut_every, "down": plan.down_every
        }  # fmt: skip
        due = {kind: began + dice.uniform(0.5, 1.5) * mean for kind, mean in every.items()}
        server_back, told = 0.0, began
        while True:
            now = time.monotonic()
            calm = now > began + plan.seconds
            for crew in crews:
                if crew.process is None and now >= crew.back_at:
                    self._start(crew, proxy.port)
                elif crew.process is not None and crew.process.poll() is not None:
                    raise RuntimeError(f"agents from {crew.first} on ended by themselves: {crew.process.returncode}")
            if server_back and now >= server_back:
                server.start()
                server_back = 0.0
            for kind, at in due.items():
                if calm or now < at:
                    continue
                due[kind] = now + dice.uniform(0.5, 1.5) * every[kind]
                if kind == "agents":
                    self._kill(dice.choice(crews), dice)
                elif kind == "server" and not server_back:
                    server.kill()
                    server_back = now + dice.uniform(0.2, 4.0)
                    self.done["kills of the server"] += 1
                elif kind == "cut":
                    proxy.cut(dice.choice([0.05, 0.3, 1.0]), dice)
                elif kind == "down":
                    proxy.down(dice.uniform(0.5, 5.0))
                    self.done["network outages"] += 1
            if now >= told + 10:
                told = now
                self.say(f"  {now - began:4.0f} s: {self.reported()} of {plan.assignments} done; {self._so_far()}")
            if (
                calm
                and not server_back
                and (self.reported() >= plan.assignments or now > began + plan.seconds + plan.patience)
            ):
                return
            time.sleep(0.05)

    def _gather(self, crews: list[Crew], port: int) -> None:
        """Start all agents and wait until they are at work: on a busy machine half a storm would find nobody."""
        for crew in crews:
            self._start(crew, port)
        until = time.monotonic() + self.plan.patience
        while not self.reported() and time.monotonic() < until:
            time.sleep(0.1)

    def _start(self, crew: Crew, port: int) -> None:
        # Their own wishes for a server of this machine, or a proxy, are not theirs to follow.
        command = [sys.executable, "-m", "tests.chaos.crew", f"http://127.0.0.1:{port}", str(self.folder / "agents")]
        command += [str(part) for part in (crew.first, self._size(crew), *self.plan.work)]
        crew.process = subprocess.Popen(command, cwd=ROOT)

    def _kill(self, crew: Crew, dice: random.Random) -> None:
        """kill -9. Most come back soon; some stay away until their lease is over, and some forgot who they are."""
        if crew.process is None:
            return
        crew.process.kill()
        crew.process.wait()
        crew.process = None
        long = self.plan.lease + self.plan.offer_after
        crew.back_at = time.monotonic() + (dice.uniform(0.0, 3.0) if dice.random() < 0.7 else long * dice.uniform(1, 2))
        self.done["kills of agents"] += self._size(crew)
        for number in range(crew.first, crew.first + self._size(crew)):
            if dice.random() < 0.05:
                (self.folder / "agents" / f"chaos-{number:03d}" / "memory.json").unlink(missing_ok=True)
                self.done["agents that forgot everything"] += 1

    def _size(self, crew: Crew) -> int:
        return min(self.plan.together, self.plan.agents - crew.first)

    def _so_far(self) -> str:
        return ", ".join(f"{count} {what}" for what, count in self.done.items())

    def reported(self) -> int:
        """Runs of which an agent heard that they succeeded."""
        return sum(note[0] == "ended" and note[1]["state"] == "succeeded" for note in notes_in(self.folder / "agents"))


def notes_in(folder: Path) -> list[list[Any]]:
    """What the agents wrote down: [kind, what]."""
    found = []
    for file in folder.glob("*/notes.jsonl"):
        # A line that kill -9 cut short was not acknowledged either.
        found += [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.endswith("]")]
    return found
