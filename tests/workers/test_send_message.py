from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from waggle.app import App
from waggle.domain.quiet_hours import QuietHours
from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.settings import load_settings
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


@pytest.mark.parametrize("timeout_s", [90, 300])
def test_a_send_that_is_stopped_has_ended_before_its_lease_on_the_message(tmp_path: Path, timeout_s: int) -> None:
    app = App(
        load_settings({"WAGGLE_HOME": str(tmp_path), "WAGGLE_WORKER__TASKS__SEND-MESSAGE__TIMEOUT_S": str(timeout_s)})
    )
    try:
        assert app.tasks["send-message"].timeout_s == timeout_s
        assert app.sending._lease == timedelta(seconds=timeout_s * 4 / 3)
    finally:
        app.close()


async def test_an_order_message_cannot_slip_by_the_rules_for_advertising(
    shop: Shop, sender: RecordingSender, enrolment_id: str
) -> None:
    order = SendMessage(enrolment_id=enrolment_id, step="first-mail", template="order-received")

    with pytest.raises(PermanentFailure, match="TEMPLATE_OF_ANOTHER_KIND"):
        await send_message(order, facts.sending(shop.store, shop.clock, sender))


def test_a_doubt_is_listed_and_its_outcome_reported_though_the_lease_is_over() -> None:
    task = declared_task(send_message)

    assert task is not None
    assert (task.side_effect, task.in_doubt) == (True, "listed")
