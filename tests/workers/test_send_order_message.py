from datetime import time

import pytest

from waggle.domain.quiet_hours import QuietHours
from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.task import declared_task
from waggle.testing import facts
from waggle.testing.email import RecordingSender, lose_answer
from waggle.testing.facts import Shop
from workers.send_message import MessageSent
from workers.send_order_message import SendOrderMessage, send_order_message

pytestmark = pytest.mark.anyio


def job(enrolment_id: str, template: str = "order-received") -> SendOrderMessage:
    return SendOrderMessage(enrolment_id=enrolment_id, step="receipt", template=template)


async def send(shop: Shop, sender: RecordingSender, enrolment_id: str, **policy: object) -> MessageSent:
    return await send_order_message(
        job(enrolment_id), facts.sending(shop.store, shop.clock, sender, facts.policy(**policy))
    )


async def test_it_leaves_without_consent_in_the_night_beyond_the_cap_and_after_the_purchase(
    shop: Shop, sender: RecordingSender, enrolment_id: str
) -> None:
    await shop.tell("consent-withdrawn", {"customer_id": "c-1"})
    await shop.order(cart_id="cart-1")

    sent = await send(shop, sender, enrolment_id, quiet_hours=QuietHours(time(0), time(23, 59)), cap_messages=0)

    assert sent == MessageSent(message_outcome="sent", message_reason="ok", send_at=shop.clock.now())
    [email] = sender.delivered
    assert email.unsubscribe_url is None
    assert "nsubscribe" not in email.text + email.html


async def test_it_leaves_for_an_order_without_a_cart(shop: Shop, sender: RecordingSender, enrolment_id: str) -> None:
    await shop.cart(items=[])

    assert (await send(shop, sender, enrolment_id)).message_outcome == "sent"


@pytest.mark.parametrize(("reason", "outcome"), [("bounced", "suppressed"), ("complained", "sent")])
async def test_an_address_that_takes_no_mail_is_not_tried_and_a_dislike_of_advertising_does_not_count(
    shop: Shop, sender: RecordingSender, enrolment_id: str, reason: str, outcome: str
) -> None:
    await shop.store.run(lambda tx: tx.suppressions.add("c-1", "email", reason, shop.clock.now()))

    assert (await send(shop, sender, enrolment_id)).message_outcome == outcome


async def test_advertising_cannot_leave_as_an_order_message(
    shop: Shop, sender: RecordingSender, enrolment_id: str
) -> None:
    with pytest.raises(PermanentFailure, match="TEMPLATE_OF_ANOTHER_KIND"):
        await send_order_message(job(enrolment_id, "abandoned-cart"), facts.sending(shop.store, shop.clock, sender))
    assert sender.sessions == 0


async def test_when_an_answer_is_lost_it_is_sent_again_under_the_same_id(
    shop: Shop, sender: RecordingSender, enrolment_id: str
) -> None:
    sender.when_taken = lose_answer
    with pytest.raises(TemporaryFailure):
        await send(shop, sender, enrolment_id)
    sender.when_taken = None

    assert (await send(shop, sender, enrolment_id)).message_outcome == "sent"
    first, second = sender.delivered
    assert first.message_id == second.message_id
    assert (await shop.message(enrolment_id, "receipt")).doubts == 1


def test_its_declaration_says_what_it_does_with_a_doubt() -> None:
    task = declared_task(send_order_message)

    assert task is not None
    assert (task.side_effect, task.in_doubt) == (True, "sent again")
