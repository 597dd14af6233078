"""PostgreSQL: serializable transactions from one thread per process, run again when the database asks for it."""

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import DBAPIError

from waggle.domain.loopback import is_loopback
from waggle.errors import BadSettings
from waggle.ports.unit_of_work import Transaction
from waggle.storage.failures import is_serialization_failure, name_server, translated
from waggle.storage.glances import THREADS, AsksAgainError, Glances, glancing
from waggle.storage.keyring import Keyring
from waggle.storage.line import Work, WritingLine
from waggle.storage.repositories import SqlTransaction
from waggle.storage.vault import Vault

T = TypeVar("T")

_READERS = 7
# The more a transaction holds, the more another process's can be in its way.
_MOST_WORKS_PER_COMMIT = 32
# As long as a statement may take: an answer given up here may be that a mail has left, and would put it in doubt.
_PATIENCE_S = 10.0
_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.1
# What libpq calls a connection that nobody on the way can read.
_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})


def postgresql_engine(url: URL, *, allow_plaintext: bool) -> Engine:
    """Return an engine for *url*; a statement or a lock that takes longer than 10 s is given up.

    Raises:
        BadSettings: PLAINTEXT_REFUSED.
    """
    url = (url if allow_plaintext else _encrypted(url)).set(drivername="postgresql+psycopg")
    return _engine(url, "SERIALIZABLE", _READERS + 1)


def _engine(url: URL, isolation_level: IsolationLevel, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        isolation_level=isolation_level,
        pool_size=pool_size,
        json_deserializer=msgspec.json.decode,
        connect_args={"connect_timeout": 5, "options": "-c statement_timeout=10s -c lock_timeout=10s"},
    )
    name_server(engine)
    return engine


def _encrypted(url: URL) -> URL:
    """Return *url* with certificates checked against the system's authorities, unless it says how; loopback as it is.

    Raises:
        BadSettings: PLAINTEXT_REFUSED, it leaves this machine and says that it need not be encrypted.
    """
    hosts = [url.host or url.query.get("host", "")]
    # The folder of a socket begins with a slash; nothing at all is the machine's own, too.
    if all(not host or str(host).startswith("/") or is_loopback(str(host)) for host in hosts):
        return url
    mode = url.query.get("sslmode")
    if mode is None:
        query = {"sslmode": "verify-full", "sslrootcert": "system"} | dict(url.query)
        return url.set(query=query)
    if mode not in _ENCRYPTED:
        raise BadSettings(
            "PLAINTEXT_REFUSED",
            f"database.url is another machine and says sslmode={mode}: leave that out, so that its certificate is "
            "checked (sslrootcert=FILE names an authority of your own), or set database.allow_plaintext = true",
        )
    return url


class PostgresqlUnitOfWork:
    """Implements waggle.ports.unit_of_work.UnitOfWork; `close` gives the connections back.

    *tell_erased* is called after each commit that destroyed the key of a person.

    PostgreSQL notes what a serializable transaction read by the page of an index, and an index of a hundred rows is one
    page. Eight threads that wrote beside each other were made to begin again 1,150 times in 100 journeys of 12
    transactions, over rows that they did not share; one thread never is, unless another process is in its way.
    """

    def __init__(self, engine: Engine, keyring: Keyring, tell_erased: Callable[[], None]) -> None:
        self._engine = engine
        self._keyring = keyring
        self._tell_erased = tell_erased
        self._erased = False
        # A consistent view is all that a reader needs, and none of it is in a writer's way.
        self._reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._glances = Glances(glancing(_engine(engine.url, "AUTOCOMMIT", THREADS)), keyring)
        self._line = WritingLine("postgresql-writer", self._commit, _MOST_WORKS_PER_COMMIT)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="postgresql-reader")

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run *work*, in the next commit, as if no other transaction ran beside it."""
        return await self._line.run(work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* on a consistent view."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def look(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* on a consistent view; without a transaction if it asks only once, as nearly all do.

        To begin and to end a transaction are two more calls to the server.
        """
        try:
            return await self._glances.look(work)
        except (AsksAgainError, DBAPIError):
            return await self.read(work)

    def close(self) -> None:
        """Finish what is in line and close the connections."""
        self._line.close()
        self._readers.shutdown()
        self._glances.close()
        self._engine.dispose()

    def _read(self, work: Callable[[Transaction], T]) -> T:
        looked = Work(work)
        try:
            _attempt(self._reading, [looked], self._keyring)
        except DBAPIError as error:
            raise (translated(error) or error) from error
        result: T = looked.result
        return result

    def _commit(self, batch: list[Work]) -> None:
        if len(batch) == 1 or not self._together(batch):
            for work in batch:
                try:
                    self._insist(work)
                except BaseException as error:  # noqa: BLE001 -- the one that waits for this work hears of it
                    work.error = error
        if self._erased:
            self._erased = False
            self._tell_erased()

    def _together(self, batch: list[Work]) -> bool:
        """Say whether all of *batch* is stored; if not, nothing is, and each is to be tried alone.

        Without savepoints, which would be two statements more to each work: that one fails is rare. Alone, a work that
        waits for the budgets does so before it has seen anything, as it must where another process takes from them.
        """
        try:
            self._erased |= _attempt(self._engine, batch, self._keyring)
        except DBAPIError as error:
            failure = translated(error)
            if failure is not None and not is_serialization_failure(error):
                raise failure from error
            return False
        except BaseException:  # noqa: BLE001 -- the work that raised it does so again alone, and its caller is told
            return False
        return True

    def _insist(self, work: Work) -> None:
        """Run *work* alone until no other process is in its way."""
        give_up_at_s = time.monotonic() + _PATIENCE_S
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                self._erased |= _attempt(self._engine, [work], self._keyring)
            except DBAPIError as error:
                if not is_serialization_failure(error) or time.monotonic() > give_up_at_s:
                    raise (translated(error) or error) from error
            else:
                return
            # The winner's transaction must end first; jitter keeps the losers apart.
            time.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 -- no secret
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _attempt(engine: Engine, batch: list[Work], keyring: Keyring) -> bool:
    """Run all works of *batch* in one transaction, on a new connection if the server had cut the one at hand.

    Return whether the key of a person was destroyed.
    """
    erased = False
    for may_be_cut in (True, False):
        with engine.connect() as connection:
            transaction = connection.begin()
            try:
                for work in batch:
                    vault = Vault(connection, keyring)
                    work.result = work.call(SqlTransaction(connection, vault))
                    erased |= vault.has_destroyed
            except DBAPIError as error:
                # Before the commit nothing is stored. Asking each time whether the server is there costs a round trip.
                if error.connection_invalidated and may_be_cut:
                    continue
                raise
            transaction.commit()
            break
    return erased
