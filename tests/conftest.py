"""Fixtures for all tests."""

import pytest

_TOGETHER = {"servers": ("engine", "operate", "kafka", "rabbitmq"), "wheel": ("wheel",)}

pytest_plugins = ["waggle.testing.stores", "waggle.testing.engine", "waggle.testing.journeys", "waggle.testing.queues"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The product runs on asyncio alone."""
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together, where tests run side by side, those that share what takes long to make: a server, the wheel."""
    for item in items:
        for group, markers in _TOGETHER.items():
            if any(item.get_closest_marker(marker) for marker in markers):
                item.add_marker(pytest.mark.xdist_group(group))
