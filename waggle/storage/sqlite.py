"""The embedded default: one SQLite file, written by one thread per process, many works to one commit."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from waggle.ports.unit_of_work import Transaction
from waggle.storage.failures import translated
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


class _Work:
    """One work in line, and where its result goes."""

    def __init__(self, call: Callable[[Transaction], Any]) -> None:
        self.call = call
        self.future: Future[Any] = Future()
        self.result: Any = None
        self.error: BaseException | None = None


class SqliteUnitOfWork:
    """Implements waggle.ports.unit_of_work.UnitOfWork; `close` ends its threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._line: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-reader")
        self._writer: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* in the next commit."""
        queued = _Work(work)
        self._put(queued)
        result: T = await asyncio.wrap_future(queued.future)
        return result

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* on a snapshot; writers are not held up."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def close(self) -> None:
        """Finish what is in line and let go of the file."""
        with self._starting:
            self._closed = True
        if self._writer is not None:
            self._line.put(None)
            self._writer.join()
        self._readers.shutdown()
        self._engine.dispose()

    def _put(self, queued: _Work) -> None:
        with self._starting:
            if self._closed:
                raise RuntimeError("the store is closed")
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_for_ever, name="sqlite-writer", daemon=True)
                self._writer.start()
            self._line.put(queued)

    def _read(self, work: Callable[[Transaction], T]) -> T:
        try:
            with self._engine.connect().execution_options(read_only=True) as connection, connection.begin():
                return work(SqlTransaction(connection))
        except DBAPIError as error:
            raise (translated(error) or error) from error

    def _write_for_ever(self) -> None:
        while (first := self._line.get()) is not None:
            batch = [first]
            last = False
            while len(batch) < _MOST_WORKS_PER_COMMIT and not self._line.empty():
                more = self._line.get()
                if more is None:
                    last = True
                    break
                batch.append(more)
            self._commit(batch)
            if last:
                return

    def _commit(self, batch: list[_Work]) -> None:
        try:
            with self._engine.connect() as connection, connection.begin():
                for work in batch:
                    self._attempt(connection, work)
        except BaseException as error:  # noqa: BLE001 -- whatever it is, those who wait must hear of it
            failure = (translated(error) or error) if isinstance(error, DBAPIError) else error
            for work in batch:
                work.error = work.error or failure
        for work in batch:
            # A caller that was cancelled meanwhile has given up its future.
            if work.future.set_running_or_notify_cancel():
                if work.error is not None:
                    work.future.set_exception(work.error)
                else:
                    work.future.set_result(work.result)

    def _attempt(self, connection: Connection, work: _Work) -> None:
        """Run one work of a batch; its own failure undoes it alone.

        Raises:
            DBAPIError: the disk or the lock failed, not this work: nothing of the batch can be stored.
        """
        savepoint = connection.begin_nested()
        try:
            work.result = work.call(SqlTransaction(connection))
        except BaseException as error:
            if isinstance(error, DBAPIError) and translated(error) is not None:
                # SQLite may have ended the transaction by itself, and with it the savepoint.
                raise
            savepoint.rollback()
            work.error = error
        else:
            savepoint.commit()
