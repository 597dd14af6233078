"""Messages about a product or an order: what they say, and what stops them at the last moment."""

from typing import Any

import pytest

from waggle.domain.message import ORDER
from waggle.errors import PermanentFailure
from waggle.ports.unit_of_work import UnitOfWork
from waggle.resources import shipped
from waggle.services.composing import Composer
from waggle.services.eligibility import Eligibility
from waggle.services.rendering import MessageContext, MessageTemplates, Rendered
from waggle.services.sending import Sending
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop, book
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio

LINES = [{"sku": "honey", "quantity": 2, "unit_price_minor": 645, "name": "Honey of old"}]


@pytest.fixture
async def shop(store: UnitOfWork, clock: HandClock, engine: RememberingEngine) -> Shop:
    """A shop that sells honey at 12.90 and has switched on what is shipped off."""
    on = ("back-in-stock", "price-drop", "post-purchase", "replenishment")
    shop = facts.shop(store, clock, engine, book(enabled=on))
    await shop.customer()
    page = {"sku": "honey", "name": "Heather honey", "url": "https://shop.example/honey"}
    await shop.tell("product-updated", {**page, "price_minor": 1290, "currency": "EUR"})
    return shop


async def enrolled(shop: Shop, journey: str, key: str) -> str:
    found = await shop.store.read(lambda tx: tx.enrolments.newest(journey, key))
    assert found is not None
    return found.enrolment_id


@pytest.fixture
async def waiting(shop: Shop) -> str:
    """The enrolment of somebody who waits for honey."""
    await shop.tell("stock-subscription-created", {"customer_id": "c-1", "sku": "honey"})
    return await enrolled(shop, "back-in-stock", "c-1:honey")


@pytest.fixture
async def watching(shop: Shop) -> str:
    """The enrolment of somebody who watches honey at 12.90."""
    watch = {"customer_id": "c-1", "sku": "honey", "price_minor": 1290, "currency": "EUR"}
    await shop.tell("price-watch-created", watch)
    return await enrolled(shop, "price-drop", "c-1:honey")


async def price(shop: Shop, price_minor: int, currency: str = "EUR") -> None:
    await shop.tell("price-changed", {"sku": "honey", "price_minor": price_minor, "currency": currency})


class Telltale(MessageTemplates):
    """Templates that note what they were asked to say."""

    def __init__(self, shipped_ones: MessageTemplates) -> None:
        super().__init__({})
        self._shipped = shipped_ones
        self.said: list[MessageContext] = []

    def declaration(self, name: str) -> Any:  # noqa: ANN401 -- as the one it stands for
        return self._shipped.declaration(name)

    def render(self, name: str, context: MessageContext) -> Rendered:
        self.said.append(context)
        return self._shipped.render(name, context)


async def test_a_mail_about_a_product_needs_no_cart_and_leads_to_its_page(
    shop: Shop, sending: Sending, sender: RecordingSender, waiting: str
) -> None:
    sent = await sending.send(enrolment_id=waiting, step="mail", template="back-in-stock", coupon_id=None)

    assert sent.outcome == "sent"
    [email] = sender.delivered
    assert email.subject == "Heather honey is back"
    assert "€12.90" in email.text
    message = await shop.message(waiting, "mail")
    links = await shop.store.read(lambda tx: tx.links.of_message(message.message_id))
    assert {link.url for link in links if link.kind == "click"} == {
        "https://shop.example/honey",
        "https://shop.example",
    }
    assert (message.sku, message.order_id, message.cart_id) == ("honey", None, None)


async def test_a_price_that_fell_is_told_with_what_it_was(
    shop: Shop, sending: Sending, sender: RecordingSender, watching: str
) -> None:
    await price(shop, 1040)
    await sending.send(enrolment_id=watching, step="mail", template="price-drop", coupon_id=None)

    [email] = sender.delivered
    assert "€10.40 (was €12.90)" in email.text


@pytest.mark.parametrize(("price_minor", "currency"), [(1290, "EUR"), (1300, "EUR"), (900, "USD")])
async def test_a_price_that_is_not_lower_at_the_moment_of_sending_stops_the_mail(
    shop: Shop, sending: Sending, watching: str, price_minor: int, currency: str
) -> None:
    await price(shop, price_minor, currency)

    sent = await sending.send(enrolment_id=watching, step="mail", template="price-drop", coupon_id=None)

    assert (sent.outcome, sent.reason) == ("suppressed", "price_not_lower")


async def test_a_product_that_is_sold_out_at_the_moment_of_sending_stops_the_mail_not_the_waiting(
    shop: Shop, sending: Sending, waiting: str
) -> None:
    await shop.tell("stock-changed", {"sku": "honey", "quantity": 0})

    assert (await Eligibility(shop.store, facts.policy(), shop.clock).check(waiting)).eligible
    sent = await sending.send(enrolment_id=waiting, step="mail", template="back-in-stock", coupon_id=None)
    assert (sent.outcome, sent.reason) == ("suppressed", "out_of_stock")


@pytest.mark.parametrize("end", ["order-cancelled", "order-returned"])
async def test_advertising_about_an_order_that_was_undone_does_not_leave(
    shop: Shop, sending: Sending, end: str
) -> None:
    await shop.order("o-1", customer_id="c-1", items=LINES)
    enrolment_id = await enrolled(shop, "post-purchase", "o-1")
    await shop.tell(end, {"order_id": "o-1"})

    sent = await sending.send(
        enrolment_id=enrolment_id, step="mail", template="post-purchase-cross-sell", coupon_id=None
    )

    assert (sent.outcome, sent.reason) == ("suppressed", "order_cancelled")


async def test_an_order_of_a_cart_does_not_silence_the_mails_about_the_order(
    shop: Shop, store: UnitOfWork, clock: HandClock, sender: RecordingSender
) -> None:
    await shop.cart()
    await shop.order("o-1", customer_id="c-1", cart_id="cart-1", items=LINES)
    enrolment_id = await enrolled(shop, "post-purchase", "o-1")
    telltale = Telltale(MessageTemplates.load(shipped("config") / "messages"))
    sending = facts.sending(store, clock, sender)
    sending._composer = Composer(telltale, sending._composer._sender)

    sent = await sending.send(
        enrolment_id=enrolment_id, step="mail", template="order-received", coupon_id=None, kind=ORDER
    )

    assert sent.outcome == "sent"
    [said] = telltale.said
    assert said.order is not None
    [item] = said.order.items
    assert (said.order.number, said.order.total, said.order.placed_on) == ("o-1", "€20.00", "1 March 2026")
    assert (item.name, item.quantity, item.price) == ("Heather honey", 2, "€12.90")
    assert said.items == ()


async def test_a_mail_that_must_be_about_a_product_is_not_written_without_one(shop: Shop, sending: Sending) -> None:
    await shop.cart()
    enrolment_id = (await shop.enrolment()).enrolment_id

    with pytest.raises(PermanentFailure, match="MESSAGE_WITHOUT_SUBJECT"):
        await sending.send(enrolment_id=enrolment_id, step="mail", template="back-in-stock", coupon_id=None)


async def test_an_event_about_the_product_that_is_not_applied_yet_holds_the_mail(
    shop: Shop, sending: Sending, waiting: str
) -> None:
    await shop.send("stock-changed", {"sku": "honey", "quantity": 0})

    with pytest.raises(Exception, match="FACTS_PENDING"):
        await sending.send(enrolment_id=waiting, step="mail", template="back-in-stock", coupon_id=None)
