"""Short reads from PostgreSQL that ask once: one statement sees one moment, with no transaction to begin and to end."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg
from psycopg.abc import RV, PQGen
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import InterfaceError, OperationalError

from waggle.ports.unit_of_work import Transaction
from waggle.storage.keyring import Keyring
from waggle.storage.repositories import SqlTransaction
from waggle.storage.vault import Vault

T = TypeVar("T")

# While one waits for the server the other has the processor.
THREADS = 2
_PATIENCE_S = 0.005
_FAR_FOR_S = 10.0
_STATEMENTS = "waggle_statements"
_UNANSWERED = (OperationalError, InterfaceError)


class AsksAgainError(Exception):
    """The read asks more than once, and needs a transaction to see one moment."""


class ImpatientConnection(psycopg.Connection[Any]):
    """Gives up what takes longer than `patience_s`; the connection is of no use afterwards."""

    patience_s: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Do as psycopg 3.3 does, with a limit of our own."""
        return super().wait(gen, interval, self.patience_s if timeout is None else timeout)


class Glances:
    """Looks in the thread of the event loop at a server that answers within 5 ms, and in others at one that does not.

    Two threads take Python from each other at every call to the network: to let another thread ask cost 320 us of
    processor time a question with 16 clients, and 195 without. A server that was slow once is called far for 10 s.
    """

    def __init__(self, engine: Engine, keyring: Keyring) -> None:
        """*engine* makes connections that `impatient` has prepared, each statement its own transaction."""
        self._engine = engine
        self._keyring = keyring
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="postgresql-glancer")
        self._kept: deque[Connection] = deque()
        self._near: Connection | None = None
        self._far_until_s = 0.0

    async def look(self, work: Callable[[Transaction], T]) -> T:
        """Return what *work* does; it may be run twice.

        Raises:
            AsksAgainError: it has a second question.
            DBAPIError: the connection was cut, or there is none.
        """
        if (near := self._near) is not None:
            try:
                return self._glance(near, work)
            except _UNANSWERED:
                self._near = None
                near.close()
                self._far_until_s = time.monotonic() + _FAR_FOR_S
        found = await asyncio.get_running_loop().run_in_executor(self._threads, self._elsewhere, work)
        # Only here, where no two do it at once.
        if self._near is None and time.monotonic() >= self._far_until_s and self._kept:
            self._near = _impatient(self._kept.pop())
        return found

    def close(self) -> None:
        """Give the connections back."""
        self._threads.shutdown()
        for connection in (*self._kept, *([] if self._near is None else [self._near])):
            connection.close()
        self._engine.dispose()

    def _elsewhere(self, work: Callable[[Transaction], T]) -> T:
        """Look in a thread that may wait.

        Connections are kept: to take one from the pool costs a fifth of what a look-up does.
        """
        try:
            connection = self._kept.pop()
        except IndexError:
            connection = self._engine.connect()
        try:
            return self._glance(connection, work)
        finally:
            if connection.invalidated:
                connection.close()
            else:
                self._kept.append(connection)

    def _glance(self, connection: Connection, work: Callable[[Transaction], T]) -> T:
        connection.info[_STATEMENTS] = 0
        try:
            return work(SqlTransaction(connection, Vault(connection, self._keyring)))
        except _UNANSWERED:
            # It may have been cut, or be still at work on what was given up.
            connection.invalidate()
            raise


def glancing(engine: Engine) -> Engine:
    """Let *engine* make connections as `Glances` wants them."""

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, given: list[Any], named: dict[str, Any]) -> ImpatientConnection:
        return ImpatientConnection.connect(*given, **named)

    @event.listens_for(engine, "before_cursor_execute")
    def count(connection: Connection, *_statement: object) -> None:
        connection.info[_STATEMENTS] = asked = connection.info.get(_STATEMENTS, 0) + 1
        if asked > 1:
            raise AsksAgainError

    return engine


def _impatient(connection: Connection) -> Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, ImpatientConnection)  # noqa: S101 -- `glancing` sees to it
    driver.patience_s = _PATIENCE_S
    return connection
