"""Fixtures for all tests."""

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = [
    "waggle.testing.stores",
    "waggle.testing.engine",
    "waggle.testing.journeys",
    "waggle.testing.queues",
    "waggle.testing.side_by_side",
]

# The same examples in each run, and no failure because a machine is slow.
settings.register_profile(
    "tests", derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The product runs on asyncio alone."""
    return "asyncio"
