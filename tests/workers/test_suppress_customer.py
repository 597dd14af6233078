from datetime import timedelta

import pytest

from waggle.errors import PermanentFailure
from waggle.services.suppressing import UNENGAGED, Suppressing
from waggle.testing import facts
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop
from workers.send_message import SendMessage, send_message
from workers.send_order_message import SendOrderMessage, send_order_message
from workers.suppress_customer import SuppressCustomer, suppress_customer

pytestmark = pytest.mark.anyio


async def suppress(shop: Shop, enrolment_id: str) -> bool:
    done = await suppress_customer(SuppressCustomer(enrolment_id=enrolment_id), Suppressing(shop.store, shop.clock))
    return done.suppressed


async def send(shop: Shop, sender: RecordingSender, enrolment_id: str, step: str = "first-mail") -> tuple[str, str]:
    job = SendMessage(enrolment_id=enrolment_id, step=step, template="abandoned-cart")
    sent = await send_message(job, facts.sending(shop.store, shop.clock, sender))
    return sent.message_outcome, sent.message_reason


async def test_no_advertising_leaves_any_more_and_mails_about_orders_do(
    shop: Shop, sender: RecordingSender, enrolment_id: str
) -> None:
    assert await suppress(shop, enrolment_id)

    assert await send(shop, sender, enrolment_id) == ("suppressed", "suppressed")
    order_mail = SendOrderMessage(enrolment_id=enrolment_id, step="receipt", template="order-received")
    sent = await send_order_message(order_mail, facts.sending(shop.store, shop.clock, sender))
    assert sent.message_outcome == "sent"


async def test_the_same_job_again_says_the_same(shop: Shop, enrolment_id: str) -> None:
    assert [await suppress(shop, enrolment_id) for _ in range(2)] == [True, True]


async def test_a_bounce_stays_a_bounce(shop: Shop, enrolment_id: str) -> None:
    await shop.store.run(lambda tx: tx.suppressions.add("c-1", "email", "bounced", shop.clock.now()))

    assert not await suppress(shop, enrolment_id)
    assert await shop.store.read(lambda tx: tx.suppressions.reason("c-1", "email")) == "bounced"


async def test_who_agrees_anew_is_written_to_again(shop: Shop, sender: RecordingSender, enrolment_id: str) -> None:
    await suppress(shop, enrolment_id)
    shop.clock.advance(timedelta(days=200))
    await shop.tell("consent-given", {"customer_id": "c-1"})

    assert (await send(shop, sender, enrolment_id))[0] == "sent"
    assert await shop.store.read(lambda tx: tx.suppressions.reason("c-1", "email")) == UNENGAGED


async def test_agreeing_anew_under_one_id_does_not_mend_the_bounce_of_another(
    shop: Shop, sender: RecordingSender, enrolment_id: str
) -> None:
    await suppress(shop, enrolment_id)
    await shop.store.run(lambda tx: tx.suppressions.add("c-2", "email", "bounced", shop.clock.now()))
    await shop.tell("customers-merged", {"customer_id": "c-1", "merged_customer_id": "c-2"})
    shop.clock.advance(timedelta(days=1))
    await shop.tell("consent-given", {"customer_id": "c-1"})

    assert await send(shop, sender, enrolment_id) == ("suppressed", "suppressed")


async def test_an_invented_enrolment_is_an_incident(shop: Shop) -> None:
    with pytest.raises(PermanentFailure, match="ENROLMENT_UNKNOWN"):
        await suppress(shop, "nobody")
