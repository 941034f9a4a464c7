"""The list of workers in the API: each value under the name that scripts read."""

from typing import Any

import msgspec
import pytest

from goliat_monitoring.fleet.states import Presence, WorkerState
from goliat_monitoring.server.api.worker_shapes import listed_worker_json, worker_json
from goliat_monitoring.store.read.runs import RunBrief
from goliat_monitoring.store.read.workers import WorkerBrief
from goliat_monitoring.wire.agent import Facts
from goliat_monitoring.wire.clock import SECOND

AT = 1_800_000_000 * SECOND
RUN = RunBrief(
    id="run", worker_id="worker", claimed_at=AT, state="running", live=True, percent=12.5, stage="Run",
    stage_percent=25.0, eta_seconds=60.0, eta_sender_at=AT, warnings=3, errors=4,
)  # fmt: skip
WORKER: WorkerBrief[RunBrief] = WorkerBrief(
    id="worker", kind="bare", machine_id="machine", hostname="host", label="label", ip="192.0.2.1",
    facts=Facts(hostname="other", gpu_name="RTX 4090", cpu_cores=16, ram_bytes=64 * 2**30), wish="draining",
    notes=["disk_low"], vitals={"gpu": 97.5}, clock_skew=SECOND // 2, price_per_hour=0.4, own_price=0.3,
    last_seen=AT + SECOND, created_at=AT - SECOND, state=WorkerState.DRAINING, presence=Presence.LATE, has_left=True,
    run=RUN, ambiguous=["twin"], set_aside=["study"],
)  # fmt: skip
TOLD = {
    "id": "worker", "ipAddress": "machine", "hostname": "host", "status": "RUNNING",
    "lastSeen": "2027-01-15T08:00:01.000Z", "machineLabel": "label", "gpuName": "RTX 4090", "cpuCores": 16,
    "totalRamGB": 64.0, "createdAt": "2027-01-15T07:59:59.000Z", "updatedAt": "2027-01-15T08:00:01.000Z",
    "isStale": False, "kind": "bare", "machineId": "machine", "address": "192.0.2.1", "state": "draining",
    "presence": "late", "hasLeft": True, "wish": "draining", "notes": ["disk_low"], "vitals": {"gpu": 97.5},
    "clockSkewS": 0.5, "pricePerHour": 0.4, "runId": "run", "ambiguous": ["twin"], "setAside": ["study"],
}  # fmt: skip
SUMMARY = {
    "progress": 12.5, "stageProgress": 25.0, "stage": "Run", "warningCount": 3, "errorCount": 4,
    "eta": "2027-01-15T08:00:59.500Z",
}  # fmt: skip


def test_each_value_stands_under_its_name() -> None:
    assert msgspec.to_builtins(worker_json(WORKER)) == TOLD
    assert msgspec.to_builtins(listed_worker_json(WORKER)) == {**TOLD, "guiState": SUMMARY}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"run": None}, {"runId": None, "guiState": None, "status": "IDLE"}),
        ({"machine_id": None}, {"machineId": None, "ipAddress": "192.0.2.1"}),
        ({"label": ""}, {"machineLabel": None}),
        ({"facts": Facts()}, {"gpuName": None, "cpuCores": None, "totalRamGB": None}),
        ({"clock_skew": None}, {"clockSkewS": None, "guiState": {**SUMMARY, "eta": "2027-01-15T08:01:00.000Z"}}),
        ({"wish": "removed"}, {"isStale": True, "wish": "removed"}),
        ({"presence": Presence.OFFLINE}, {"presence": "offline", "status": "OFFLINE"}),
        ({"state": WorkerState.ERROR, "run": None}, {"state": "error", "status": "ERROR", "runId": None,
                                                     "guiState": None}),
    ],
)  # fmt: skip
def test_what_is_not_known_is_null(change: dict[str, Any], told: dict[str, Any]) -> None:
    worker = msgspec.structs.replace(WORKER, **change)
    assert msgspec.to_builtins(listed_worker_json(worker)) == {**TOLD, "guiState": SUMMARY, **told}
