"""A real database under a clock that the test moves."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Concatenate, ParamSpec, TypeVar

import pytest
from sqlalchemy import Connection, Row, Table, select

from goliat_monitoring.store import agents, studies, sweep, tables
from goliat_monitoring.store.beats import AgentBeat, beat_together
from goliat_monitoring.store.database import Database
from goliat_monitoring.store.ingest.batches import agent_batch
from goliat_monitoring.store.ingest.hear import Answer, Heard, hear
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND

P = ParamSpec("P")
T = TypeVar("T")

CONFIG: dict[str, Any] = {
    "study_type": "far_field",
    "phantoms": ["thelonious"],
    "frequencies_mhz": [700],
    "far_field_setup": {
        "type": "environmental",
        "environmental": {"incident_directions": ["x_pos"], "polarizations": ["theta", "phi"]},
    },
    "execution_control": {"do_setup": True, "do_run": True, "do_extract": True},
}
KEYS = ["thelonious/700MHz/environmental_x_pos_theta", "thelonious/700MHz/environmental_x_pos_phi"]


def beat(
    connection: Connection, moment: Moment, worker_id: str, fence: str | None, said: wire.Beat, ip: str
) -> wire.BeatReply:
    """A heartbeat in a group of its own."""
    (answer,) = beat_together(connection, [AgentBeat(moment, worker_id, fence, said, ip)])
    if isinstance(answer, Exception):
        raise answer
    return answer


class Agent:
    """One enrolled machine, as the server knows it."""

    def __init__(self, house: "House", name: str) -> None:
        self.house = house
        self.fingerprint = wire.Fingerprint(machine_id=name, hostname=name, boot_id="boot-1")
        facts = wire.Facts(hostname=name)
        enrolled = house.do(agents.enrol, wire.Enrol(fingerprint=self.fingerprint, facts=facts), "127.0.0.1")
        self.worker_id = enrolled.worker_id
        self.session_id = self.open_session().session_id

    def open_session(self) -> wire.SessionOpened:
        asked = wire.OpenSession(self.fingerprint, wire.Facts(), self.house.now)
        return self.house.do(agents.open_session, self.worker_id, asked, "127.0.0.1")

    def beat(self, job: wire.Job | None = None) -> wire.BeatReply:
        run = None if job is None else wire.RunSummary(run_id=job.run_id, goliat_alive=True)
        said = wire.Beat(session_id=self.session_id, sent_at=self.house.now, run=run)
        return self.house.do(beat, self.worker_id, job.fence if job else None, said, "127.0.0.1")

    def send(self, job: wire.Job, offset: int, *items: wire.Item, stream: str = "s1") -> wire.Accepted:
        said = wire.Batch(stream, offset, list(items))
        accepted = self.house.hear(agent_batch(self.house.moment, self.worker_id, job.run_id, job.fence, said))
        assert isinstance(accepted, wire.Accepted)
        return accepted


class House:
    """Units of work at a time of the test's choosing."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = 1_800_000_000 * SECOND
        self.quiet_until = 0

    @property
    def moment(self) -> Moment:
        return Moment(self.now, quiet_until=self.quiet_until)

    def hear(self, heard: Heard) -> Answer:
        """What one message is answered; a refusal is raised."""
        (answer,) = self.database.submit(lambda connection: hear(connection, [heard])).result(30)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def do(self, unit: Callable[Concatenate[Connection, Moment, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        moment = self.moment
        return self.database.submit(lambda connection: unit(connection, moment, *args, **kwargs)).result(30)

    def pass_time(self, seconds: float) -> None:
        """Let time pass in the steps in which the server looks."""
        self.now += round(seconds * SECOND)
        self.do(sweep.sweep)

    def study(self, name: str = "study", parts: int = 1, config: dict[str, Any] | None = None) -> list[str]:
        """Create a study; the ids of its assignments in order."""
        configs = [config or CONFIG] * parts
        study_id = self.do(
            studies.create, name=name, description="", base_config=CONFIG, split_configs=configs, actor="test"
        )
        table = tables.assignments
        rows = self.rows(table)
        return [row.id for row in sorted(rows, key=lambda row: row._mapping["index"]) if row.super_study_id == study_id]

    def rows(self, table: Table) -> list[Row[Any]]:
        return list(self.database.read_now(lambda c: c.execute(select(table)).all()))

    def row(self, table: Table, row_id: str) -> Row[Any]:
        return self.database.read_now(lambda c: c.execute(select(table).where(table.c.id == row_id)).one())

    def log(self, run_id: str) -> list[str]:
        """The texts of a run's numbered lines."""
        tail = tables.log_tail
        bodies = self.database.read_now(
            lambda c: c.execute(
                select(tail.c.body).where(tail.c.run_id == run_id).order_by(tail.c.first_line)
            ).scalars().all()
        )  # fmt: skip
        return [line[3] for body in bodies for line in json.loads(body)]


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    database = Database(database_url)
    database.start()
    yield House(database)
    database.close()
