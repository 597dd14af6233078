from datetime import UTC, datetime, timedelta

import pytest

from waggle.demo.plots import plan
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.intake import Intake
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio

STARTS_AT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


async def test_the_door_answers_every_event_of_the_plan_as_planned(store: UnitOfWork) -> None:
    actions = plan(100, 1, STARTS_AT).actions
    intake = Intake(store, HandClock(STARTS_AT + timedelta(days=1)))

    receipts = await intake.accept("shop", [action.event for action in actions])

    answers = [(action.event["id"], action.answer) for action in actions]
    assert [(receipt.id, receipt.status) for receipt in receipts] == answers
