"""A shop before an empty house."""

import pytest

from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.sending import Sending
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop
from waggle.testing.journey_engine import RememberingEngine


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def engine() -> RememberingEngine:
    return RememberingEngine()


@pytest.fixture
def shop(store: UnitOfWork, clock: HandClock, engine: RememberingEngine) -> Shop:
    return facts.shop(store, clock, engine)


@pytest.fixture
def sender() -> RecordingSender:
    return RecordingSender()


@pytest.fixture
def sending(store: UnitOfWork, clock: HandClock, sender: RecordingSender) -> Sending:
    return facts.sending(store, clock, sender)


@pytest.fixture
async def enrolment_id(shop: Shop) -> str:
    """Of a customer who agreed and left a cart."""
    await shop.customer()
    await shop.cart()
    return (await shop.enrolment()).enrolment_id
