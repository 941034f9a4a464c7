"""A person says that a claim which never spoke and a machine that began to speak are one: its run takes the claim over.

The silent run ends as lost; the one that speaks keeps its log and its evidence and becomes the assignment's next
attempt. No run is reused, and none takes anything over that was heard of another.
"""

from sqlalchemy import Connection, delete, func, insert, select, update

from goliat_monitoring.fleet.states import AssignmentState, RunState
from goliat_monitoring.fleet.strangers import SilentClaim, Stranger, may_be
from goliat_monitoring.store import assignments, runs, tables, uploads
from goliat_monitoring.store.events import record
from goliat_monitoring.store.log.append import note
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.read.strangers import silent_claims, strangers
from goliat_monitoring.store.uploads import StoredFile
from goliat_monitoring.study.results import case_of_details
from goliat_monitoring.wire.errors import Refused

simulations, stray = tables.simulations, tables.unattributed_uploads


def belongs_to(connection: Connection, moment: Moment, silent_id: str, stranger_id: str, actor: str) -> None:
    """The run that speaks takes over the assignment of the one that never did. Raises `Refused` 404, or 409 where they
    cannot be one: either is over, the first has spoken, the second has an assignment or began before the claim."""
    claim, stranger = _pair(connection, silent_id, stranger_id)
    row, other = runs.get(connection, silent_id), runs.get(connection, stranger_id)
    reason = f"It never spoke; {actor} says that its machine speaks as {stranger.worker_name}, run {stranger_id}."
    # Waits for no longer than this transaction: there is one live run of an assignment at any moment.
    runs.end(
        connection, moment, row, RunState.LOST, reason, actor=actor, assignment_state=AssignmentState.PENDING
    )  # fmt: skip
    assignment = assignments.get(connection, claim.assignment_id)
    attempt = assignments.start(connection, moment, assignment, stranger_id)
    connection.execute(
        update(tables.runs)
        .where(tables.runs.c.id == stranger_id)
        .values(assignment_id=claim.assignment_id, attempt=attempt)
    )
    record(
        connection,
        moment.now,
        "run_linked",
        actor=actor,
        worker_id=stranger.worker_id,
        super_study_id=claim.study_id,
        assignment_id=claim.assignment_id,
        run_id=stranger_id,
        attempt=attempt,
        claim=silent_id,
    )
    _same_config(connection, silent_id, stranger_id)
    _know_simulations(connection, moment, claim, stranger)
    _take_uploads(connection, moment, claim, stranger_id, other.sender_ip)
    note(
        connection, moment, stranger_id,
        f"{actor} says that this is {claim.study_name}, assignment {claim.index}, which {claim.worker_name} claimed: "
        f"attempt {attempt}.",
    )  # fmt: skip
    runs.touched(connection, stranger_id, stranger.worker_id)
    runs.touch_assignment(connection, claim.assignment_id)


def _pair(connection: Connection, silent_id: str, stranger_id: str) -> tuple[SilentClaim, Stranger]:
    for run_id in (silent_id, stranger_id):
        row = runs.get(connection, run_id)
        if RunState(row.state).terminal:
            raise Refused(409, "the run is over already", f"run {run_id} ended as {row.state}")
    claims, others = silent_claims(connection, silent_id), strangers(connection, stranger_id)
    if not claims:
        raise Refused(
            409,
            "this run is no silent claim",
            "only the claim of a GOLIAT without agent that never spoke can be joined",
        )
    if not others:
        raise Refused(
            409, "that run is no stranger's", "it has an assignment of its own, or an agent that says whose it is"
        )
    if not may_be(claims[0], others[0]):
        raise Refused(409, "they cannot be one", "that run began before the claim, or is of the same worker")
    return claims[0], others[0]


def _same_config(connection: Connection, silent_id: str, stranger_id: str) -> None:
    """What the claim was given, where that is less than its assignment."""
    table = tables.run_configs
    config = connection.execute(select(table.c.config).where(table.c.run_id == silent_id)).scalar()
    if config is not None:
        connection.execute(insert(table).values(run_id=stranger_id, config=config))


def _know_simulations(connection: Connection, moment: Moment, claim: SilentClaim, stranger: Stranger) -> None:
    """Now that its assignment is known, so are the cases of its simulations, and what it proved counts."""
    expected = assignments.expected_cases(connection, claim.assignment_id)
    done = {}
    for row in connection.execute(select(simulations).where(simulations.c.run_id == stranger.run_id)).all():
        key = case_of_details(row.details, expected) or row.case_key
        if key != row.case_key:
            connection.execute(update(simulations).where(simulations.c.id == row.id).values(case_key=key))
        if key is not None and row.state == "done":
            done[key] = "done"
    # Looked at while they were of no study, they taught nothing.
    connection.execute(update(simulations).where(simulations.c.run_id == stranger.run_id).values(learned=False))
    if done:
        assignments.mark_cases(connection, moment, claim.assignment_id, stranger.run_id, done)
    if stranger.total is not None and not expected:
        assignments.learn_totals(connection, {claim.assignment_id: stranger.total})


def _take_uploads(connection: Connection, moment: Moment, claim: SilentClaim, run_id: str, ip: str) -> None:
    """Results that named the assignment from this sender's address, while nobody knew that they were its own."""
    mine = (stray.c.assignment_id == claim.assignment_id) & (stray.c.sender_ip == ip)
    rows = connection.execute(
        select(stray).where(mine, stray.c.received_at >= claim.claimed_at).order_by(stray.c.id)
    ).all()
    for row in rows:
        file = StoredFile(row.filename, row.size, row.sha256, row.storage_key)
        kept = uploads.add_artifact(connection, moment, run_id, row.relative_path, file)
        used = connection.execute(
            select(func.count()).where(
                tables.artifacts.c.id == kept.artifact_id, tables.artifacts.c.storage_key == row.storage_key
            )
        ).scalar_one()
        # The same bytes twice are kept once; the other copy stays where it is, evidence for nothing.
        if used:
            connection.execute(delete(stray).where(stray.c.id == row.id))
