"""What was heard is shown beside the simulation that it is about, and leads to its line."""

from goliat_monitoring.store import claims
from goliat_monitoring.store.read.evidence import simulations_of
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND
from tests.store.conftest import KEYS, Agent, House

CASES = ("thelonious, 700MHz, x_pos, theta", "thelonious, 700MHz, x_pos, phi")


def test_what_names_no_simulation_belongs_to_the_one_under_way(house: House) -> None:
    house.study()
    agent = Agent(house, "gpu-1")
    job = house.do(claims.claim_next_for_agent, agent.worker_id, agent.session_id)
    assert job is not None
    items: list[wire.Item] = []

    def say(text: str, level: str = "info") -> None:
        house.now += SECOND
        items.append(wire.LineItem(house.now, level, "status", text))

    def tell(**message: object) -> None:
        house.now += SECOND
        items.append(wire.MessageItem(house.now, dict(message)))

    say("ERROR: no such material", "error")
    for number, case in enumerate(CASES, 1):
        say(f"--- Processing Simulation {number}/2: {case} ---", "header")
        tell(type="sim_details", count=number, total=2, details=case)
        house.now += 60 * SECOND
        for attempt in range(3):
            say(f"iSolve attempt {attempt} failed [Runner.run]", "error")
        tell(type="stage_progress", name="Running Simulation", current=1, total=1)
        tell(type="stage_progress", name="Extracting Results", current=1, total=1)
        house.now += 60 * SECOND
    say("ERROR during auto-induced processing", "error")
    tell(type="finished", message="Study finished with errors")
    agent.send(job, 0, *items)
    simulations, loose = house.database.read_now(lambda c: simulations_of(c, job.run_id))
    assert [it.case_key for it in simulations] == KEYS
    errors = [("error", f"iSolve attempt {attempt} failed") for attempt in range(3)]
    for simulation, case in zip(simulations, CASES, strict=True):
        assert [(sign.kind, sign.text) for sign in simulation.evidence] == [
            ("sim_started", case), ("sim_started", case), *errors, ("run_done", ""), ("extracted", ""),
        ]  # fmt: skip
    # Of lines that differ in their numbers alone the first and the last are known.
    lines = [sign.line for it in simulations for sign in it.evidence if sign.kind == "error"]
    assert lines[0] == 3
    assert lines[-1] is not None
    assert lines[1:-1] == [None] * 4
    assert [(sign.kind, sign.text) for sign in loose] == [
        ("error", "ERROR: no such material"),
        ("error", "ERROR during auto-induced processing"),
        ("finished", "Study finished with errors"),
    ]
    assert loose[0].line == 1
