"""Every crash point is tried, and one that nobody comes by is told by its name."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from waggle.testing.chaos.crash_points import CrashPoints
from waggle.testing.chaos.history import History, read_history
from waggle.testing.chaos.mail_sink import Fault
from waggle.testing.chaos.strikes import Silence, Volley

pytestmark = pytest.mark.anyio

SINK = {str(Fault.KILL_BEFORE_DATA), str(Fault.KILL_BEFORE_ANSWER)}


@pytest.fixture
def points(tmp_path: Path) -> CrashPoints:
    made = CrashPoints(tmp_path / "points")
    made.prepare()
    return made


@asynccontextmanager
async def passing(points: CrashPoints, names: Iterable[str]) -> AsyncIterator[None]:
    """A process that comes by *names* over and over, and comes back at once when it has died."""

    async def walk() -> None:
        while True:
            for name in names:
                points.claim(name)
            await asyncio.sleep(0.01)

    walking = asyncio.create_task(walk())
    try:
        yield
    finally:
        walking.cancel()


def see(points: CrashPoints, *names: str) -> None:
    for name in names:
        points.reach(name)


async def fired(
    points: CrashPoints, file: Path, passed: Iterable[str], later: Iterable[str] = (), *, within_s: float = 60
) -> Volley:
    with History(file) as history:
        volley = Volley(points, history, seed=1, recording_s=0, within_s=within_s)
        async with passing(points, passed):
            await volley.fire(Silence())
        volley.arm_rest()
        async with passing(points, later):
            await asyncio.sleep(0.1)
        volley.end()
    return volley


async def test_every_point_that_was_seen_is_died_at_once(points: CrashPoints, tmp_path: Path) -> None:
    names = {f"relay.step-{number}" for number in range(12)}
    see(points, *names)

    volley = await fired(points, tmp_path / "history", names | SINK)

    assert sorted(volley.reached) == sorted(names | SINK)
    assert volley.missed == volley.not_met == []
    armed = [fault["part"] for fault in read_history(tmp_path / "history").faults]
    assert sorted(armed) == sorted(names | SINK)


async def test_a_point_that_nobody_comes_by_is_told_by_its_name_and_left_in_peace(
    points: CrashPoints, tmp_path: Path
) -> None:
    see(points, "relay.step", "relay.never")

    volley = await fired(points, tmp_path / "history", {"relay.step"} | SINK, within_s=3)

    assert volley.missed == ["relay.never"]
    assert points.armed() == set()


async def test_a_point_that_is_passed_only_in_trouble_may_be_reached_later_or_not_at_all(
    points: CrashPoints, tmp_path: Path
) -> None:
    see(points, "worker.FailJob.before", "worker.FailJob.after")

    volley = await fired(points, tmp_path / "history", SINK, later={"worker.FailJob.after"})

    assert "worker.FailJob.after" in volley.reached
    assert volley.missed == []
    assert volley.not_met == ["worker.FailJob.before"]
