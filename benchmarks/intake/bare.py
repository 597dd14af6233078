"""The database's own limit: the same rows, batched inserts, nothing around them."""

import sqlite3
import time
from collections.abc import Sequence
from typing import Any

import psycopg

from benchmarks.databases import Database

_BATCH = 100
_LEFT_OUT = frozenset({"sequence"})

Rows = Sequence[tuple[Any, ...]]


def inserted_per_s(database: Database, limit_s: float) -> float:
    """Insert the rows that `events` holds once more, a hundred to a commit, and return how many a second.

    They are taken as they are stored, with other ids, into the same table with all of its indexes.
    """
    return _on_sqlite(database, limit_s) if database.kind == "sqlite" else _on_postgresql(database, limit_s)


def _on_sqlite(database: Database, limit_s: float) -> float:
    connection = sqlite3.connect(database.url.removeprefix("sqlite:///"), isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        columns = [row[1] for row in connection.execute("PRAGMA table_info(events)") if row[1] not in _LEFT_OUT]
        rows = _renamed(columns, connection.execute(f"SELECT {', '.join(columns)} FROM events").fetchall())  # noqa: S608 -- the table's own names
        statement = f"INSERT INTO events ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 -- the table's own names

        def insert(batch: Rows) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(statement, batch)
            connection.execute("COMMIT")

        return _timed(rows, insert, limit_s)
    finally:
        connection.close()


def _on_postgresql(database: Database, limit_s: float) -> float:
    with psycopg.connect(database.url) as connection:
        columns = [
            row[0]
            for row in connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 'events' ORDER BY 1"
            )
            if row[0] not in _LEFT_OUT
        ]
        read = ", ".join(f"{name}::text" if name == "data" else name for name in columns)
        rows = _renamed(columns, connection.execute(f"SELECT {read} FROM events").fetchall())  # noqa: S608 -- the table's own names
        placed = ", ".join("%s::json" if name == "data" else "%s" for name in columns)
        statement: Any = f"INSERT INTO events ({', '.join(columns)}) VALUES ({placed})"  # noqa: S608 -- the table's own names
        connection.commit()

        def insert(batch: Rows) -> None:
            with connection.cursor() as cursor:
                cursor.executemany(statement, batch)
            connection.commit()

        return _timed(rows, insert, limit_s)


def _renamed(columns: Sequence[str], rows: Rows) -> list[tuple[Any, ...]]:
    place = columns.index("event_id")
    return [(*row[:place], f"bare-{row[place]}", *row[place + 1 :]) for row in rows]


def _timed(rows: Rows, insert: Any, limit_s: float) -> float:  # noqa: ANN401 -- a function of one batch
    began_s = time.perf_counter()
    done = 0
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        insert(batch)
        done += len(batch)
        if time.perf_counter() - began_s > limit_s:
            break
    return done / (time.perf_counter() - began_s)
