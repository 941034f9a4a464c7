"""The command line of the simulator, shaped like GOLIAT's."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from goliat_monitoring.simulator.study import Study
from goliat_monitoring.simulator.surroundings import Surroundings
from goliat_monitoring.study.extends import Config, ConfigProblem, resolve

EPILOG = """\
environment:
  GOLIAT_MONITORING_RELAY, _RELAY_TOKEN, _CONTROL, _SPOOL   set by the agent
  GOLIAT_MONITORING_URL, GOLIAT_MACHINE_ID                  without an agent: where to report, as whom
  GOLIAT_ASSIGNMENT_ID                                      upload results to this assignment
  GOLIAT_SIMULATOR_SPEED                                    1: about 12 s a simulation; default 6: about 2 s
  GOLIAT_SIMULATOR_FAIL, _MEMORY, _FATAL, _CRASH            what goes wrong: part of a case's name, * for every case
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    parser = argparse.ArgumentParser(
        prog="goliat-monitoring simulate",
        description="A stand-in for `goliat study`: it reports and writes files like GOLIAT, and computes nothing. "
        "All results are random numbers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    study = commands.add_parser("study", help="play a study")
    study.add_argument("config", type=Path, help="study config (JSON); its parents lie in ./configs")
    study.add_argument("--auto-close", action="store_true", help="end after the study instead of keeping the window")
    chosen = parser.parse_args(arguments)
    return _study(chosen.config, auto_close=chosen.auto_close)


def _study(path: Path, *, auto_close: bool) -> int:
    try:
        config = json.loads(path.read_text("utf-8"))
        surroundings = Surroundings.from_environment()
    except (OSError, ValueError) as problem:
        print(f"simulator: {problem}", file=sys.stderr)
        return 1
    if not isinstance(config, dict):
        print(f"simulator: {path} is not a JSON object", file=sys.stderr)
        return 1
    base = Path.cwd()
    problem_text = ""
    try:
        config = resolve(config, lambda name: _parent(base, name))
    except ConfigProblem as problem:
        problem_text = str(problem)
    try:
        return Study(path.name, config, problem_text, surroundings, base).run(auto_close=auto_close)
    except KeyboardInterrupt:
        return 1


def _parent(base: Path, name: str) -> Config | None:
    """As GOLIAT looks parents up: a bare name in `configs`, any other below the base folder."""
    for path in (base / "configs" / name, base / name):
        try:
            parent: Config = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            continue
        return parent
    return None
