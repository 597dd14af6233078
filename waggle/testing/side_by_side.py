"""pytest plugin: where tests run side by side, those that share a costly fixture run in one and the same process.

And one that is marked `alone` has the machine to itself.

pytest-xdist has `--dist loadgroup` for this, and tells its scheduler the group by the end of a test's id. Up to its
release 3.8.0 it writes that to a field which pytest 9.2 no longer reads, and says nothing (pytest-xdist#1386, open in
September 2026): each process then starts every server anew. So the id is written here.
"""

import fcntl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from _pytest.nodeid import NodeId

SHARED = (
    "records",
    "engine_with_operate",
    "secured_broker",
    "options",
    "kafka_server",
    "rabbitmq_server",
    "wheel",
    "asking",
    "whole",
)
"""Fixtures of a session or module that take seconds to make; "records" stands for the session's engine, which tells
them. A test that uses two of them belongs to the first."""

_WITH_ITS_SERVER_S = 300


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Name the group of each test, and let those begin first that are given most time: none is left for the end.

    The first of a group starts its server while others keep the machine busy: each is given time for that.
    """
    is_one_of_many = hasattr(config, "workerinput")
    if is_one_of_many:
        items.sort(key=_time_given_s, reverse=True)
    for item in items:
        group = next((name for name in SHARED if name in getattr(item, "fixturenames", ())), None)
        if group is not None and _time_given_s(item) == 0:
            item.add_marker(pytest.mark.timeout(_WITH_ITS_SERVER_S))
        if group is not None and is_one_of_many:
            item._id = NodeId.parse(f"{item.nodeid}@{group}")  # noqa: SLF001 -- there is no other way to the scheduler


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outside of the limit of time: to wait is not to run
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a test that is marked `alone` begin when the others have ended, and the others when it has."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    with _turn(item.config.cache.mkdir("side-by-side"), is_alone=item.get_closest_marker("alone") is not None):
        return (yield)


@contextmanager
def _turn(folder: Path, *, is_alone: bool) -> Iterator[None]:
    """Be in the room, together with others or alone; whoever waits at its gate is followed by nobody."""
    with (folder / "gate").open("a") as gate, (folder / "room").open("a") as room:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        if not is_alone:
            fcntl.flock(gate, fcntl.LOCK_UN)
        yield


def _time_given_s(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker is not None and marker.args else 0.0
