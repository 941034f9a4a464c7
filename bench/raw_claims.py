"""Nothing but the writes of a claim: a row changed and two inserted, in groups as large as 50 claimers make them."""

import json
import sqlite3
import time
import uuid
from collections.abc import Iterator

import psycopg

GROUP = 50
UPDATE = """UPDATE assignments
    SET state = 'RUNNING', attempts = 1, last_run_id = {0}, started_at = {0}, updated_at = {0}
    WHERE id = {0} AND state = 'PENDING'"""
RUN = ("id", "assignment_id", "worker_id", "session_id", "attempt", "kind", "fence_hash", "state", "claimed_at",
       "lease_until")  # fmt: skip
EVENT = ("at", "kind", "actor", "worker_id", "super_study_id", "assignment_id", "run_id", "data")
DATA = json.dumps({"attempt": 1, "leaseUntil": 1_800_000_000_000_000})
# The last ones in the queue: the server under test takes from its head.
CHOSEN = """SELECT a.id, a.super_study_id FROM assignments AS a JOIN super_studies AS s ON s.id = a.super_study_id
    WHERE a.state = 'PENDING' ORDER BY s.created_at DESC, a."index" DESC LIMIT {0}"""
Changes = list[tuple[object, ...]]


def sqlite(path: str, count: int) -> float:
    """Claims a second that are committed with WAL and `synchronous=FULL`; the same tables and indexes."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        worker = connection.execute("SELECT id FROM workers LIMIT 1").fetchone()[0]
        chosen = connection.execute(CHOSEN.format("?"), (count,)).fetchall()
        began = time.monotonic()
        for changes, runs, events in _groups(chosen, worker):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(UPDATE.format("?"), changes)
            connection.executemany(_insert("runs", RUN), runs)
            connection.executemany(_insert("events", EVENT), events)
            connection.execute("COMMIT")
        return len(chosen) / (time.monotonic() - began)
    finally:
        connection.close()


def postgresql(url: str, count: int) -> float:
    """The same on one connection: updates in a pipeline, inserts by COPY."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT id FROM workers LIMIT 1").fetchone()
        worker = str(row[0]) if row else ""
        chosen = connection.execute(CHOSEN.format("%s").encode(), (count,)).fetchall()
        began = time.monotonic()
        for changes, runs, events in _groups(chosen, worker):
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(UPDATE.format("%s").encode(), changes)
                for table, columns, rows in (("runs", RUN, runs), ("events", EVENT, events)):
                    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN".encode()) as copy:
                        for one in rows:
                            copy.write_row(one)
        return len(chosen) / (time.monotonic() - began)


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - own


def _groups(chosen: list[tuple[str, str]], worker: str) -> Iterator[tuple[Changes, Changes, Changes]]:
    for start in range(0, len(chosen), GROUP):
        now = time.time_ns() // 1000
        group = [(str(uuid.uuid4()), *one) for one in chosen[start : start + GROUP]]
        yield (
            [(run, now, now, assignment) for run, assignment, _ in group],
            [
                (run, assignment, worker, worker, 1, "agent", run * 2, "claimed", now, now)
                for run, assignment, _ in group
            ],
            [(now, "run_claimed", worker, worker, study, assignment, run, DATA) for run, assignment, study in group],
        )
