"""pytest fixtures `records` and `engine`: one real broker for the whole session, its clock under control."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import grpc
import pytest
import stamina

from waggle.engine import local
from waggle.engine.local import EngineOptions, RunningEngine
from waggle.engine.records import RecordStream
from waggle.errors import BadSettings, TemporaryFailure

T = TypeVar("T")

BUSY_FOR_S = 90
"""How long a real broker may take no commands: just started, with a clock that has leaped, or on a busy machine."""


@contextmanager
def skipped_without_its_files() -> Iterator[None]:
    """Skip what needs the engine if its files were never fetched.

    Without a network nobody can be asked to have fetched them; `.ci/run`, which fetches, fails on a skip.
    """
    try:
        yield
    except BadSettings as error:
        if error.code != "ENGINE_FILES_MISSING":
            raise
        pytest.skip(error.message)


def is_busy(error: Exception) -> bool:
    """Say whether *error* only means that the engine takes no commands now."""
    return isinstance(error, TemporaryFailure) or (
        isinstance(error, grpc.RpcError)
        and error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
    )


async def once_it_can(command: Callable[[], Awaitable[T]]) -> T:
    """Return what the engine answers to *command*, which it gets again while it takes none."""
    async for attempt in stamina.retry_context(on=is_busy, attempts=None, timeout=BUSY_FOR_S):
        with attempt:
            return await command()
    raise AssertionError


@pytest.fixture(scope="session")
def records() -> Iterator[RecordStream]:
    """Yield what the session's engine tells."""
    with RecordStream() as stream:
        yield stream


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory, records: RecordStream) -> Iterator[RunningEngine]:
    """Yield a broker without Operate, quick to start, whose records go to `records`; its data ends with the session."""
    home = tmp_path_factory.mktemp("engine")
    options = EngineOptions(
        home, with_operate=False, controlled_clock=True, durable=False, records_url=records.url, quick=True
    )
    with skipped_without_its_files():
        running = local.start(options)
    try:
        yield running
    finally:
        local.stop(home)
