"""PostgreSQL: serializable transactions on a pool of threads, run again when the database asks for it."""

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from waggle.ports.unit_of_work import Transaction
from waggle.storage.failures import is_serialization_failure, translated
from waggle.storage.repositories import SqlTransaction

T = TypeVar("T")

_CONNECTIONS = 8
# As long as a statement may take: an answer given up here may be that a mail has left, and would put it in doubt.
_PATIENCE_S = 10.0
_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.1


def postgresql_engine(url: URL) -> Engine:
    """Return an engine for *url*; a statement or a lock that takes longer than 10 s is given up."""
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="SERIALIZABLE",
        pool_size=_CONNECTIONS,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "options": "-c statement_timeout=10s -c lock_timeout=10s"},
    )


class PostgresqlUnitOfWork:
    """Implements waggle.ports.unit_of_work.UnitOfWork; `close` gives the connections back."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="postgresql")

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* as if no other transaction ran beside it."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* on a consistent view."""
        return await self.run(work)

    def close(self) -> None:
        """Finish what runs and close the connections."""
        self._threads.shutdown()
        self._engine.dispose()

    def _run(self, work: Callable[[Transaction], T]) -> T:
        give_up_at_s = time.monotonic() + _PATIENCE_S
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                with self._engine.begin() as connection:
                    return work(SqlTransaction(connection))
            except DBAPIError as error:
                if not is_serialization_failure(error) or time.monotonic() > give_up_at_s:
                    raise (translated(error) or error) from error
            # The winner's transaction must end first; jitter keeps the losers apart.
            time.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 -- no secret
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
