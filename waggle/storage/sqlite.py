"""The embedded default: one SQLite file, written by one thread per process, many works to one commit."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from waggle.ports.unit_of_work import Transaction
from waggle.storage.at_hand import AtHand, BusyError
from waggle.storage.failures import translated
from waggle.storage.keyring import Keyring
from waggle.storage.line import Work, WritingLine
from waggle.storage.repositories import SqlTransaction
from waggle.storage.vault import Vault

T = TypeVar("T")

# A commit costs one fsync whatever it holds; more than this only makes the first work in line wait.
_MOST_WORKS_PER_COMMIT = 128
_READERS = 4
_BETWEEN_TRUNCATIONS_S = 0.2


def sqlite_engine(path: Path, *, busy_timeout_s: float) -> Engine:
    """Return an engine whose transactions take the write lock at once, so that what they read stays true.

    WAL lets readers go on while one writes; synchronous=FULL makes a commit survive a loss of power.
    """
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": busy_timeout_s, "check_same_thread": False},
        pool_size=_READERS + 1,
        json_deserializer=msgspec.json.decode,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        # Else the driver begins transactions by itself, and only at the first write.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        # 16 MB, four times the default: a page that many commits change is written to its place once.
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        # What is deleted is overwritten with zeros, not only left to be found.
        connection.execute("PRAGMA secure_delete = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


class SqliteUnitOfWork:
    """Implements waggle.ports.unit_of_work.UnitOfWork; `close` ends its threads.

    *tell_erased* is called after each commit that destroyed the key of a person.
    """

    def __init__(self, engine: Engine, keyring: Keyring, tell_erased: Callable[[], None]) -> None:
        self._engine = engine
        self._keyring = keyring
        self._tell_erased = tell_erased
        self._wal_holds_erased = False
        self._truncate_at_s = 0.0
        self._reading = engine.execution_options(read_only=True)
        self._at_hand = AtHand(self._reading, keyring)
        self._line = WritingLine("sqlite-writer", self._commit, _MOST_WORKS_PER_COMMIT)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-reader")

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* in the next commit."""
        return await self._line.run(work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* on a snapshot; writers are not held up."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def look(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* on a snapshot, in this thread unless the file is locked."""
        try:
            return self._at_hand.look(work)
        except BusyError:
            return await self.read(work)

    def close(self) -> None:
        """Finish what is in line and let go of the file."""
        self._at_hand.close()
        self._line.close()
        self._readers.shutdown()
        self._engine.dispose()

    def _read(self, work: Callable[[Transaction], T]) -> T:
        try:
            with self._reading.connect() as connection, connection.begin():
                return work(SqlTransaction(connection, Vault(connection, self._keyring)))
        except DBAPIError as error:
            raise (translated(error) or error) from error

    def _commit(self, batch: list[Work]) -> None:
        try:
            with self._engine.connect() as connection, connection.begin():
                erased = [_attempt(connection, work, self._keyring) for work in batch]
        except DBAPIError as error:
            raise (translated(error) or error) from error
        if any(erased):
            self._wal_holds_erased = True
            self._tell_erased()
        if self._wal_holds_erased and time.monotonic() >= self._truncate_at_s:
            self._truncate_wal()

    def _truncate_wal(self) -> None:
        """Take out of the log what was overwritten in the tables; while somebody reads, that is left for later."""
        self._truncate_at_s = time.monotonic() + _BETWEEN_TRUNCATIONS_S
        try:
            with self._engine.connect() as connection:
                driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
                [patience_ms] = driver.execute("PRAGMA busy_timeout").fetchone()
                driver.execute("PRAGMA busy_timeout = 0")
                try:
                    busy = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                finally:
                    driver.execute(f"PRAGMA busy_timeout = {patience_ms}")
        except (DBAPIError, sqlite3.Error):
            return
        self._wal_holds_erased = bool(busy)


def _attempt(connection: Connection, work: Work, keyring: Keyring) -> bool:
    """Run one work of a batch and say whether it destroyed the key of a person; its own failure undoes it alone.

    Raises:
        DBAPIError: the disk or the lock failed, not this work: nothing of the batch can be stored.
    """
    # By hand: SQLAlchemy's object for it costs as much as two statements more.
    connection.exec_driver_sql("SAVEPOINT work")
    vault = Vault(connection, keyring)
    try:
        work.result = work.call(SqlTransaction(connection, vault))
    except BaseException as error:
        if isinstance(error, DBAPIError) and translated(error) is not None:
            # SQLite may have ended the transaction by itself, and with it the savepoint.
            raise
        connection.exec_driver_sql("ROLLBACK TO work")
        work.error = error
    connection.exec_driver_sql("RELEASE work")
    return vault.has_destroyed
