"""A process with some light agents: `python -m tests.chaos.crew URL FOLDER FIRST COUNT SHORTEST LONGEST`."""

import sys
import threading
from pathlib import Path

from tests.chaos.agent import LightAgent


def main(url: str, folder: Path, first: int, count: int, work_s: tuple[float, float]) -> None:
    """Run agents `first` to `first + count`, each with a folder of its own, until the process is killed."""
    threads = []
    for number in range(first, first + count):
        name = f"chaos-{number:03d}"
        agent = LightAgent(url, folder / name, name, work_s)
        threads.append(threading.Thread(target=agent.run, name=name, daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        # An agent that dies of itself is a fault of the test: the others must not hide it.
        thread.join()


if __name__ == "__main__":
    url, folder, first, count, shortest, longest = sys.argv[1:]
    main(url, Path(folder), int(first), int(count), (float(shortest), float(longest)))
