"""The journey bpmn/journeys/abandoned-cart.bpmn, end to end on the real engine."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from waggle.engine.local import RunningEngine
from waggle.engine.records import RecordStream
from waggle.testing.journeys import House, opened

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_a_cart_left_alone_for_20_minutes_gets_one_mail_with_a_coupon_within_30(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    left_at = house.now()

    await house.wait(minutes=19)
    assert house.mails() == []
    await house.wait(minutes=4)

    [mail] = house.mails()
    assert mail["To"] == "ada@example.com"
    assert re.search(r"[2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4}", mail.as_string())
    message = await house.app.store.read(lambda tx: tx.messages.by_id(mail["Message-ID"][1:].split("@")[0]))
    assert message is not None
    assert message.settled_at is not None
    assert message.settled_at - left_at < timedelta(minutes=30)


@pytest.mark.postgres
async def test_the_same_journey_runs_on_postgresql(
    engine: RunningEngine, records: RecordStream, postgresql_url: str, tmp_path: Path
) -> None:
    async with opened(engine, records, postgresql_url, tmp_path) as house:
        await house.shopper("ada")
        await house.fill("cart-1", "ada")

        await house.wait(days=5)

        assert len(house.mails()) == 2
        assert await house.outcome("cart-1") == ("no_order", "")


async def test_a_cart_that_is_used_again_is_waited_for_anew(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    await house.wait(minutes=15)
    await house.fill("cart-1", "ada", price_minor=6000)

    await house.wait(minutes=15)
    assert house.mails() == []
    await house.wait(minutes=8)

    [mail] = house.mails()
    assert "120.00" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


async def test_without_an_answer_one_reminder_follows_and_the_journey_ends(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")

    await house.wait(days=5)

    first, reminder = house.mails()
    assert first["Message-ID"] != reminder["Message-ID"]
    assert await house.outcome("cart-1") == ("no_order", "")
    coupons = await house.app.store.read(lambda tx: tx.coupons.budget_use("cart-10"))
    assert coupons.count == 1


async def test_a_click_spares_the_reminder(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    await house.wait(minutes=25)
    [mail] = house.mails()

    await house.tell("message-clicked", message_id=mail["Message-ID"][1:].split("@")[0])
    await house.wait(days=4)

    assert len(house.mails()) == 1
    assert (await house.outcome("cart-1"))[0] == "no_order"


async def test_an_order_ends_the_journey_before_anything_is_sent(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    await house.wait(minutes=10)

    await house.tell("order-placed", order_id="o-1", cart_id="cart-1", currency="EUR", total_minor=10000)
    await house.wait(hours=1)

    assert house.mails() == []
    assert (await house.outcome("cart-1"))[0] == "ordered"


async def test_an_order_ends_the_customers_other_cart_journeys_too(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    await house.fill("cart-2", "ada")
    await house.wait(minutes=5)

    await house.tell(
        "order-placed", order_id="o-1", cart_id="cart-1", customer_id="ada", currency="EUR", total_minor=10000
    )
    await house.wait(hours=1)

    assert house.mails() == []
    assert (await house.outcome("cart-2"))[0] == "ordered"


async def test_an_order_after_the_mail_ends_the_wait_for_the_reminder(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    await house.wait(minutes=25)

    await house.tell("order-placed", order_id="o-1", cart_id="cart-1", currency="EUR", total_minor=10000)
    await house.settle()

    assert (await house.outcome("cart-1"))[0] == "ordered"
    await house.wait(days=3)
    assert len(house.mails()) == 1


@pytest.mark.parametrize(
    ("event_type", "outcome"), [("consent-withdrawn", "consent_withdrawn"), ("customer-erased", "customer_erased")]
)
async def test_a_customer_who_leaves_ends_their_waiting_journey_at_once(
    house: House, event_type: str, outcome: str
) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    await house.settle()

    await house.tell(event_type, customer_id="ada")
    await house.settle()

    assert (await house.outcome("cart-1"))[0] == outcome
    await house.wait(hours=1)
    assert house.mails() == []


async def test_an_emptied_cart_is_forgotten_and_may_be_watched_again_at_once(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    await house.wait(minutes=5)
    await house.tell("cart-updated", cart_id="cart-1", customer_id="ada", currency="EUR", items=[])

    await house.wait(minutes=30)
    assert (await house.outcome("cart-1"))[0] == "emptied"
    assert house.mails() == []
    await house.fill("cart-1", "ada")
    await house.wait(minutes=25)

    assert len(house.mails()) == 1


async def test_without_consent_nothing_is_sent_and_the_reason_is_kept(house: House) -> None:
    await house.shopper("ada", consent=False)
    await house.fill("cart-1", "ada")

    await house.wait(minutes=30)

    assert house.mails() == []
    assert await house.outcome("cart-1") == ("not_eligible", "no_consent")


async def test_two_carts_of_one_customer_make_one_mail(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    await house.wait(minutes=6)
    await house.fill("cart-2", "ada")

    await house.wait(minutes=40)

    assert len(house.mails()) == 1
    assert await house.outcome("cart-2") == ("not_eligible", "frequency_cap")


async def test_a_cart_of_small_value_gets_a_mail_without_a_coupon(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada", price_minor=500)

    await house.wait(minutes=25)

    [mail] = house.mails()
    assert not re.search(r"[2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4}", mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
