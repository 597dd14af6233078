"""pytest plugin: where tests run side by side, those that share a costly fixture run in one and the same process.

pytest-xdist has `--dist loadgroup` for this, and tells its scheduler the group by the end of a test's id. Up to its
release 3.8.0 it writes that to a field which pytest 9.2 no longer reads, and says nothing (pytest-xdist#1386, open in
September 2026): each process then starts every server anew. So the id is written here.
"""

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


def _time_given_s(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker is not None and marker.args else 0.0
