"""An agent as a process of its own, with the settings of a test: `python -m tests.agent.agent_process SETTINGS`."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

from goliat_monitoring.agent.main import run_agent
from goliat_monitoring.agent.settings import AgentSettings, Intervals, Limits


def settings_of(given: dict[str, Any]) -> AgentSettings:
    """Settings from JSON; what is not given is short, so that tests need not wait."""
    short = {
        "heartbeat_s": 0.3,
        "ask_s": 0.5,
        "claim_wait_s": 1.0,
        "retry_s": 0.1,
        "retry_cap_s": 0.5,
        "reorder_s": 0.3,
        "ship_s": 0.1,
        "watch_s": 0.1,
        "spool_s": 0.1,
        "collect_s": 0.1,
        "stable_s": 0.1,
        "vitals_s": 0.2,
        "sample_s": 0.5,
        "disk_s": 0.2,
        "stop_grace_s": 5.0,
        "term_grace_s": 0.3,
        "close_after_s": 60.0,
        "close_grace_s": 1.0,
        "stall_s": 10.0,
    }
    # Small enough for a test machine whose disk is nearly full.
    small = {"reserve": 1 << 20, "disk_low": 8 << 20, "disk_critical": 4 << 20}
    return AgentSettings(
        server=given["server"],
        state_dir=Path(given["state_dir"]),
        workdir=Path(given["workdir"]),
        goliat_command=given["goliat_command"],
        once=given.get("once", False),
        label=given.get("label", ""),
        intervals=Intervals(**{**short, **given.get("intervals", {})}),
        limits=Limits(**{**small, **given.get("limits", {})}),
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(threadName)s %(message)s")
    sys.exit(run_agent(settings_of(json.loads(sys.argv[1]))))
