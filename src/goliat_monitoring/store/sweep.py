"""What time alone makes true: windows pass, finished runs are judged, leases end. Called about once a second."""

from sqlalchemy import Connection, select

from goliat_monitoring.fleet.leases import lease_verdict
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import runs, tables, verdicts
from goliat_monitoring.store.log import window
from goliat_monitoring.store.log.append import note
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.clock import SECOND


def sweep(connection: Connection, moment: Moment) -> None:
    """Do what is due at `moment`."""
    for portion in window.due(connection, moment):
        window.release(connection, portion)
    while window.forget(connection, moment):
        pass
    _judge_due(connection, moment)
    _end_leases(connection, moment)


def _judge_due(connection: Connection, moment: Moment) -> None:
    table = tables.runs
    due = connection.execute(
        select(table).where(table.c.state.in_(runs.LIVE), table.c.judge_at.is_not(None), table.c.judge_at <= moment.now)
    ).all()
    for row in due:
        verdicts.close(connection, moment, row, ended_by="finished")


def _end_leases(connection: Connection, moment: Moment) -> None:
    """Unreachable is not failed: the machine may still compute. Its assignment stays its own for a while."""
    table = tables.runs
    ended = connection.execute(
        select(table).where(
            table.c.state.in_((RunState.CLAIMED, RunState.RUNNING)),
            table.c.lease_until <= moment.now,
            table.c.judge_at.is_(None),
        )
    ).all()
    for row in ended:
        if lease_verdict(RunState(row.state), row.lease_until, moment.now, moment.quiet_until) == "keep":
            continue
        last = row.last_sign_at or row.claimed_at
        silent = (moment.now - last) // SECOND
        reason = f"nothing heard for {silent // 60} min {silent % 60} s"
        runs.change_state(connection, moment, row, RunState.UNREACHABLE, reason)
        note(connection, moment, row.id, f"The lease ended: {reason}. The run counts as unreachable.", "warning")
        if row.directive == "kill":
            # A person does not want it any more, and nobody is there to obey. Its agent is fenced if it comes back.
            runs.end(connection, moment, runs.get(connection, row.id), RunState.CANCELLED, "Killed on request.")
