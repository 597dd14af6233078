"""Fixtures for all tests."""

import pytest

pytest_plugins = [
    "waggle.testing.stores",
    "waggle.testing.engine",
    "waggle.testing.journeys",
    "waggle.testing.queues",
    "waggle.testing.side_by_side",
]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The product runs on asyncio alone."""
    return "asyncio"
