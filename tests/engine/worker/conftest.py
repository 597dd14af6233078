from collections.abc import AsyncIterator

import pytest

from waggle.testing.bench import Diary
from waggle.testing.gateway import FakeGateway


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with FakeGateway.serving() as gateway:
        yield gateway


@pytest.fixture
def diary() -> Diary:
    """Its gate is shut."""
    return Diary()


@pytest.fixture
def open_diary(diary: Diary) -> Diary:
    diary.gate.set()
    return diary
