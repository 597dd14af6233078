"""A shop before an empty house, and one enrolment whose customer may be written to."""

import pytest

from waggle.ports.unit_of_work import UnitOfWork
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop
from waggle.testing.journey_engine import RememberingEngine


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def shop(store: UnitOfWork, clock: HandClock) -> Shop:
    return facts.shop(store, clock, RememberingEngine())


@pytest.fixture
def sender() -> RecordingSender:
    return RecordingSender()


@pytest.fixture
async def enrolment_id(shop: Shop) -> str:
    await shop.customer()
    await shop.cart()
    return (await shop.enrolment()).enrolment_id
