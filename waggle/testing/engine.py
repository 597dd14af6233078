"""pytest fixtures `records` and `engine`: one real broker for the whole session, its clock under control."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from waggle.engine import local
from waggle.engine.local import EngineOptions, RunningEngine
from waggle.engine.records import RecordStream
from waggle.errors import BadSettings


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
