"""Who is kept comes back whatever it died of, and what it died of is known."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from waggle.testing.chaos.crash_points import CrashPoints
from waggle.testing.chaos.fault_proxy import LOOPBACK, FaultProxy
from waggle.testing.chaos.keeper import Child, Keeper
from waggle.testing.chaos.postgres import PostgresServer

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

Connection = psycopg.Connection[tuple[object, ...]]

SLEEPER = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)
FALLING = "import sys; sys.exit(3)"
CRASHING = """
import sys, time
from pathlib import Path
from waggle.testing.chaos.crash_points import CrashPoints

points = CrashPoints(Path(sys.argv[1]))
while True:
    points.reach("turn")
    time.sleep(0.05)
"""


def child(program: str, *arguments: object, name: str = "one") -> Child:
    return Child(name, [sys.executable, "-c", program, *map(str, arguments)])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 -- no event tells of it
            await asyncio.sleep(0.02)


async def test_a_child_that_is_killed_comes_back_under_another_pid(tmp_path: Path) -> None:
    async with Keeper([child(SLEEPER)], tmp_path) as keeper:
        first = await keeper.kill("one")
        await until(lambda: keeper.deaths)
        second = await keeper.running("one")
        assert second != first
        assert int((tmp_path / "pids" / "one").read_text()) == second
        [death] = keeper.deaths
        assert (death.part, death.pid, death.cause, death.exit_code) == ("one", first, "killed", -signal.SIGKILL)
        assert keeper.falls == []


async def test_a_death_at_a_crash_point_is_known_as_that(tmp_path: Path) -> None:
    points = CrashPoints(tmp_path / "points")
    points.prepare()
    async with Keeper([child(CRASHING, tmp_path / "points")], tmp_path, points=points) as keeper:
        points.arm("turn")
        await until(lambda: keeper.deaths)
        [death] = keeper.deaths
        assert (death.cause, death.point) == ("crash point", "turn")
        await keeper.running("one")


async def test_an_end_that_nobody_asked_for_is_a_fall(tmp_path: Path) -> None:
    async with Keeper([child(FALLING)], tmp_path) as keeper:
        await until(lambda: keeper.falls)
        assert (keeper.falls[0].exit_code, keeper.count("killed"), keeper.count("other", "one")) == (3, 0, 1)


async def test_a_kill_by_a_stranger_is_a_fall_too(tmp_path: Path) -> None:
    async with Keeper([child(SLEEPER)], tmp_path) as keeper:
        psutil.Process(await keeper.running("one")).kill()
        await until(lambda: keeper.deaths)
        assert [death.exit_code for death in keeper.falls] == [-signal.SIGKILL]


async def test_in_the_end_nobody_is_left_not_even_who_does_not_listen(tmp_path: Path) -> None:
    children = [child(SLEEPER), child(STUBBORN, name="two")]
    async with Keeper(children, tmp_path, end_within_s=0.5) as keeper:
        await until(lambda: "deaf" in _log(tmp_path / "logs" / "two.log"))
        pids = [await keeper.running(name) for name in ("one", "two")]
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert keeper.deaths == []


@pytest.mark.postgres
@pytest.mark.guarantee
@pytest.mark.timeout(180)
async def test_a_killed_postgresql_comes_back_with_all_that_it_had_committed(tmp_path: Path) -> None:
    async with PostgresServer(tmp_path / "postgres") as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (number int)")
        for number in range(3):
            with psycopg.connect(server.url()) as connection:
                connection.execute("INSERT INTO kept VALUES (%s)", [number])
                connection.commit()
                connection.execute("INSERT INTO kept VALUES (-1)")
                await server.kill()
                with pytest.raises(psycopg.OperationalError):
                    connection.execute("SELECT 1")
            await server.ready()
        with psycopg.connect(server.url()) as connection:
            rows = connection.execute("SELECT number FROM kept ORDER BY number").fetchall()
        assert rows == [(0,), (1,), (2,)]
        assert server.keeper.count("killed") == 3
        pids = [process.pid for process in server._processes()]
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.postgres
@pytest.mark.guarantee
@pytest.mark.timeout(180)
async def test_a_link_to_postgresql_can_be_cut_and_healed(tmp_path: Path) -> None:
    async with PostgresServer(tmp_path / "postgres") as server, FaultProxy(LOOPBACK, server.port) as proxy:

        def connect() -> Connection:
            return psycopg.connect(server.url(proxy.port))

        def ask(connection: Connection) -> object:
            return connection.execute("SELECT 1").fetchone()

        connection = await asyncio.to_thread(connect)
        assert await asyncio.to_thread(ask, connection) == (1,)
        proxy.reset()
        with pytest.raises(psycopg.OperationalError):
            await asyncio.to_thread(ask, connection)
        connection.close()
        again = await asyncio.to_thread(connect)
        assert await asyncio.to_thread(ask, again) == (1,)
        again.close()


def _log(file: Path) -> str:
    return file.read_text() if file.exists() else ""
