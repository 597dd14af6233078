"""Fixtures for all tests."""

import pytest

_SERVERS = ("engine", "operate", "kafka", "rabbitmq")

pytest_plugins = ["waggle.testing.stores", "waggle.testing.engine", "waggle.testing.journeys", "waggle.testing.queues"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The product runs on asyncio alone."""
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together, where tests run side by side, those that share a server which is to be started once."""
    for item in items:
        if any(item.get_closest_marker(server) for server in _SERVERS):
            item.add_marker(pytest.mark.xdist_group("servers"))
