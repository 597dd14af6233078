"""The database's own limit: the same rows, nothing around them: batched inserts, one insert a commit, one look-up."""

import secrets
import sqlite3
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
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
    return _inserted(database, _BATCH, limit_s)


def committed_ms(database: Database, limit_s: float) -> float:
    """Insert rows of `events` once more, each in a commit of its own, and return how long one takes."""
    return 1_000 / _inserted(database, 1, limit_s)


def looked_up_ms(database: Database, customer_ids: Sequence[str], limit_s: float) -> float:
    """Read customers by their key, one after another on one connection, and return how long one takes."""
    mark = "?" if database.kind == "sqlite" else "%s"
    statement: Any = f"SELECT * FROM customers WHERE customer_id = {mark}"  # noqa: S608 -- a constant
    with _connected(database) as connection:
        began_s, done = time.perf_counter(), 0
        while (took_s := time.perf_counter() - began_s) < limit_s:
            connection.execute(statement, (customer_ids[done % len(customer_ids)],)).fetchall()
            done += 1
    return 1_000 * took_s / max(1, done)


def _connected(database: Database) -> AbstractContextManager[Any]:
    if database.kind == "sqlite":
        return closing(sqlite3.connect(database.url.removeprefix("sqlite:///"), isolation_level=None))
    return psycopg.connect(database.url, autocommit=True)


def _inserted(database: Database, batch: int, limit_s: float) -> float:
    insert = _on_sqlite if database.kind == "sqlite" else _on_postgresql
    return insert(database, batch, limit_s)


def _on_sqlite(database: Database, size: int, limit_s: float) -> float:
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

        return _timed(rows, size, insert, limit_s)
    finally:
        connection.close()


def _on_postgresql(database: Database, size: int, limit_s: float) -> float:
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

        return _timed(rows, size, insert, limit_s)


def _renamed(columns: Sequence[str], rows: Rows) -> list[tuple[Any, ...]]:
    place = columns.index("event_id")
    mark = secrets.token_hex(4)
    return [(*row[:place], f"{mark}-{row[place]}", *row[place + 1 :]) for row in rows]


def _timed(rows: Rows, size: int, insert: Any, limit_s: float) -> float:  # noqa: ANN401 -- a function of one batch
    began_s = time.perf_counter()
    done = 0
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        insert(batch)
        done += len(batch)
        if time.perf_counter() - began_s > limit_s:
            break
    return done / (time.perf_counter() - began_s)
