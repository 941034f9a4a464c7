"""Nothing but the inserts: the rows of the load, committed in groups as large as 100 waiting clients make them."""

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from bench.lines import batch_of_lines

GROUP = 100
COLUMNS = "run_id, first_line, count, first_sender_at, last_sender_at, received_at, late, body"
TABLE = """CREATE TABLE lines (
    run_id TEXT NOT NULL, first_line BIGINT NOT NULL, count INTEGER NOT NULL, first_sender_at BIGINT NOT NULL,
    last_sender_at BIGINT NOT NULL, received_at BIGINT NOT NULL, late BOOLEAN NOT NULL, body {bytes} NOT NULL,
    PRIMARY KEY (run_id, first_line))"""
RawRow = tuple[str, int, int, int, int, int, bool, bytes]


def groups() -> Iterator[list[RawRow]]:
    """For ever: a batch of ten lines from each of 100 runs."""
    runs = [f"01890000-0000-7000-8000-{number:012d}" for number in range(GROUP)]
    first = 1
    # Bodies are made beforehand: they are the client's work, not the database's.
    bodies = [json.dumps(batch_of_lines(number, 1)).encode() for number in range(GROUP)]
    while True:
        now = time.time_ns() // 1000
        yield [(run, first, 10, now, now, now, False, body) for run, body in zip(runs, bodies, strict=True)]
        first += 10


def sqlite(path: Path, seconds: float) -> float:
    """Rows a second that are committed with WAL and `synchronous=FULL`."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(TABLE.format(bytes="BLOB"))
        done, began = 0, time.monotonic()
        for rows in groups():
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(f"INSERT INTO lines ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)  # noqa: S608
            connection.execute("COMMIT")
            done += len(rows)
            if time.monotonic() > began + seconds:
                break
        return done / (time.monotonic() - began)
    finally:
        connection.close()


def postgresql(url: str, seconds: float) -> float:
    """Rows a second that are committed by COPY on one connection."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE.format(bytes="BYTEA"))
        done, began = 0, time.monotonic()
        for rows in groups():
            with (
                connection.transaction(),
                connection.cursor() as cursor,
                cursor.copy(f"COPY lines ({COLUMNS}) FROM STDIN") as copy,
            ):
                for row in rows:
                    copy.write_row(row)
            done += len(rows)
            if time.monotonic() > began + seconds:
                break
        return done / (time.monotonic() - began)
