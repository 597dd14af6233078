"""The embedded default: one SQLite file, written by one thread per process, many works to one commit."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from waggle.ports.unit_of_work import Transaction
from waggle.storage.failures import translated
from waggle.storage.line import Work, WritingLine
from waggle.storage.repositories import SqlTransaction

T = TypeVar("T")

# A commit costs one fsync whatever it holds; more than this only makes the first work in line wait.
_MOST_WORKS_PER_COMMIT = 128
_READERS = 4


def sqlite_engine(path: Path, *, busy_timeout_s: float) -> Engine:
    """Return an engine whose transactions take the write lock at once, so that what they read stays true.

    WAL lets readers go on while one writes; synchronous=FULL makes a commit survive a loss of power.
    """
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": busy_timeout_s, "check_same_thread": False},
        pool_size=_READERS + 1,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        # Else the driver begins transactions by itself, and only at the first write.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


class SqliteUnitOfWork:
    """Implements waggle.ports.unit_of_work.UnitOfWork; `close` ends its threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)
        self._line = WritingLine("sqlite-writer", self._commit, _MOST_WORKS_PER_COMMIT)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-reader")

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* in the next commit."""
        return await self._line.run(work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* on a snapshot; writers are not held up."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def close(self) -> None:
        """Finish what is in line and let go of the file."""
        self._line.close()
        self._readers.shutdown()
        self._engine.dispose()

    def _read(self, work: Callable[[Transaction], T]) -> T:
        try:
            with self._reading.connect() as connection, connection.begin():
                return work(SqlTransaction(connection))
        except DBAPIError as error:
            raise (translated(error) or error) from error

    def _commit(self, batch: list[Work]) -> None:
        try:
            with self._engine.connect() as connection, connection.begin():
                for work in batch:
                    _attempt(connection, work)
        except DBAPIError as error:
            raise (translated(error) or error) from error


def _attempt(connection: Connection, work: Work) -> None:
    """Run one work of a batch; its own failure undoes it alone.

    Raises:
        DBAPIError: the disk or the lock failed, not this work: nothing of the batch can be stored.
    """
    # By hand: SQLAlchemy's object for it costs as much as two statements more.
    connection.exec_driver_sql("SAVEPOINT work")
    try:
        work.result = work.call(SqlTransaction(connection))
    except BaseException as error:
        if isinstance(error, DBAPIError) and translated(error) is not None:
            # SQLite may have ended the transaction by itself, and with it the savepoint.
            raise
        connection.exec_driver_sql("ROLLBACK TO work")
        work.error = error
    connection.exec_driver_sql("RELEASE work")
