"""A connection to an SQLite file that is kept open for short reads in the thread of the event loop."""

import contextlib
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from waggle.ports.unit_of_work import Transaction
from waggle.storage.failures import translated, translated_sqlite
from waggle.storage.keyring import Keyring
from waggle.storage.repositories import SqlTransaction
from waggle.storage.vault import Vault

T = TypeVar("T")


class BusyError(Exception):
    """The file is locked just now: whoever can wait for it has to ask."""


class AtHand:
    """Reads without a pool, a thread, or SQLAlchemy's own transactions.

    To hand one look-up by key to another thread and back costs more than it does: 0.2 to 0.8 ms of processor time in
    all on a busy machine, where the look-up takes 0.1. Nobody waits for a writer here, since there is a log (WAL).
    """

    def __init__(self, engine: Engine, keyring: Keyring) -> None:
        self._engine = engine
        self._keyring = keyring
        self._connection: Connection | None = None
        self._driver: sqlite3.Connection

    def look(self, work: Callable[[Transaction], T]) -> T:
        """Run *work*, which only reads, on one consistent view.

        Raises:
            BusyError: the file is locked.
            TemporaryFailure: it cannot be read.
        """
        connection = self._connection or self._opened()
        try:
            self._driver.execute("BEGIN")
            try:
                return work(SqlTransaction(connection, Vault(connection, self._keyring)))
            finally:
                self._driver.execute("COMMIT")
        except (DBAPIError, sqlite3.Error) as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            # Not given back: for SQLAlchemy it has been in one transaction all the time.
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _opened(self) -> Connection:
        try:
            connection = self._engine.connect()
            connection.begin()
        except DBAPIError as error:
            raise self._failed(error) from error
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101 -- the engine is one for SQLite
        # From here on each look begins and ends its own transaction, which SQLAlchemy need not know.
        driver.execute("COMMIT")
        driver.execute("PRAGMA busy_timeout = 0")
        self._connection, self._driver = connection, driver
        return connection

    def _failed(self, error: DBAPIError | sqlite3.Error) -> Exception:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if getattr(cause, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return BusyError()
        with contextlib.suppress(DBAPIError, sqlite3.Error):
            self.close()
        meant = translated(error) if isinstance(error, DBAPIError) else translated_sqlite(error)
        return meant or error
