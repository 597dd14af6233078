from datetime import UTC, datetime, time, timedelta

import pytest

from waggle.domain.quiet_hours import QuietHours
from waggle.errors import TemporaryFailure
from waggle.services.sending import LEASE
from waggle.task import declared_task
from waggle.testing import facts
from waggle.testing.email import RecordingSender, refuse_for_now
from waggle.testing.facts import Shop
from workers.send_message import MessageSent, SendMessage, send_message

pytestmark = pytest.mark.anyio


def job(enrolment_id: str) -> SendMessage:
    return SendMessage(enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart")


async def test_a_repeated_job_sends_nothing_more_and_tells_the_same(
    shop: Shop, sender: RecordingSender, enrolment_id: str
) -> None:
    sending = facts.sending(shop.store, shop.clock, sender)

    told = [await send_message(job(enrolment_id), sending) for _ in range(3)]

    assert told == [MessageSent(message_outcome="sent", message_reason="ok", send_at=shop.clock.now())] * 3
    assert len(sender.delivered) == 1


async def test_in_quiet_hours_it_says_when_to_try_again(shop: Shop, sender: RecordingSender, enrolment_id: str) -> None:
    night = facts.policy(quiet_hours=QuietHours(time(21), time(9)))
    shop.clock.advance(timedelta(hours=10))

    told = await send_message(job(enrolment_id), facts.sending(shop.store, shop.clock, sender, night))

    assert told == MessageSent(
        message_outcome="held", message_reason="quiet_hours", send_at=datetime(2026, 3, 2, 9, tzinfo=UTC)
    )


async def test_what_was_not_sent_has_a_reason(shop: Shop, sender: RecordingSender, enrolment_id: str) -> None:
    await shop.tell("consent-withdrawn", {"customer_id": "c-1"})

    told = await send_message(job(enrolment_id), facts.sending(shop.store, shop.clock, sender))

    assert (told.message_outcome, told.message_reason) == ("suppressed", "no_consent")


async def test_a_server_that_is_busy_is_tried_again_by_the_engine(
    shop: Shop, sender: RecordingSender, enrolment_id: str
) -> None:
    sender.when_connected = refuse_for_now

    with pytest.raises(TemporaryFailure, match="SMTP_BUSY"):
        await send_message(job(enrolment_id), facts.sending(shop.store, shop.clock, sender))


def test_a_task_that_is_stopped_has_ended_before_its_lease_on_the_message() -> None:
    task = declared_task(send_message)

    assert task is not None
    assert timedelta(seconds=task.timeout_s) < LEASE
    assert task.side_effect
