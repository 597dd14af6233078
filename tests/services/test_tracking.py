"""Links in messages lead to the shop, and let a shopper leave at once."""

import re
from datetime import timedelta

import pytest

from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.intake import Intake
from waggle.services.sending import Sending
from waggle.services.tracking import Tracking, Unsubscribing
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio

# Too long to stand in a token by chance.
WHO, CART = "customer-one", "shopping-cart"


@pytest.fixture
def tracking(store: UnitOfWork, clock: HandClock) -> Tracking:
    return Tracking(store, Intake(store, clock), clock)


@pytest.fixture
def unsubscribing(store: UnitOfWork, clock: HandClock) -> Unsubscribing:
    return Unsubscribing(store, Intake(store, clock), clock, "Hive & Honey")


@pytest.fixture
async def tokens(shop: Shop, sending: Sending, sender: RecordingSender) -> dict[str, str]:
    """Of the links in a mail that was sent: c is the click, u unsubscribes."""
    await shop.customer(WHO)
    await shop.cart(CART, WHO)
    await sending.send(
        enrolment_id=(await shop.enrolment(CART)).enrolment_id,
        step="first-mail",
        template="abandoned-cart",
        coupon_id=None,
    )
    [email] = sender.delivered
    return dict(re.findall(r"https://go\.shop\.example/([cu])/([\w-]+)", email.text))


async def test_a_click_leads_to_the_shop_and_moves_the_journey(
    shop: Shop, tracking: Tracking, engine: RememberingEngine, tokens: dict[str, str]
) -> None:
    assert await tracking.click(tokens["c"]) == "https://shop.example"
    await shop.relay.apply_events()
    await shop.relay.publish()

    assert engine.told("message-clicked") == [(await shop.enrolment(CART)).enrolment_id]


async def test_a_token_that_is_no_click_leads_nowhere_and_records_nothing(
    tracking: Tracking, store: UnitOfWork, tokens: dict[str, str]
) -> None:
    assert await tracking.click(tokens["u"]) is None
    assert await tracking.click("guessed") is None
    assert await store.read(lambda tx: tx.events.count_pending()) == 0


async def test_looking_at_the_unsubscribe_page_changes_nothing(
    unsubscribing: Unsubscribing, store: UnitOfWork, tokens: dict[str, str]
) -> None:
    told = await unsubscribing.describe(tokens["u"])

    assert told is not None
    assert told.shop_name == "Hive & Honey"
    assert await store.read(lambda tx: tx.events.count_pending()) == 0


async def test_unsubscribing_withdraws_the_consent_and_ends_the_journey(
    shop: Shop,
    unsubscribing: Unsubscribing,
    sending: Sending,
    engine: RememberingEngine,
    tokens: dict[str, str],
) -> None:
    shop.clock.advance(timedelta(seconds=1))
    assert await unsubscribing.unsubscribe(tokens["u"])
    await shop.relay.apply_events()
    await shop.relay.publish()

    enrolment_id = (await shop.enrolment(CART)).enrolment_id
    assert engine.told("consent-withdrawn") == [enrolment_id]
    shop.clock.advance(timedelta(days=1))
    sent = await sending.send(
        enrolment_id=enrolment_id, step="reminder", template="abandoned-cart-reminder", coupon_id=None
    )
    assert (sent.outcome, sent.reason) == ("suppressed", "no_consent")


async def test_unsubscribing_again_after_agreeing_again_counts_again(
    shop: Shop, unsubscribing: Unsubscribing, store: UnitOfWork, tokens: dict[str, str]
) -> None:
    for _ in range(2):
        shop.clock.advance(timedelta(seconds=1))
        await shop.tell("consent-given", {"customer_id": WHO})
        shop.clock.advance(timedelta(seconds=1))
        assert await unsubscribing.unsubscribe(tokens["u"])
        await shop.relay.apply_events()

    consents = await store.read(lambda tx: tx.consents.facts(WHO, "marketing", "email"))
    assert [fact.given for fact in sorted(consents, key=lambda fact: fact.stated_at)] == [
        True,
        True,
        False,
        True,
        False,
    ]


async def test_a_token_that_does_not_unsubscribe_does_nothing(
    unsubscribing: Unsubscribing, store: UnitOfWork, tokens: dict[str, str]
) -> None:
    for token in (tokens["c"], "guessed"):
        assert await unsubscribing.describe(token) is None
        assert not await unsubscribing.unsubscribe(token)
    assert await store.read(lambda tx: tx.events.count_pending()) == 0


async def test_tokens_cannot_be_guessed_nor_do_they_tell_anything(tokens: dict[str, str]) -> None:
    assert all(len(token) >= 22 for token in tokens.values())
    assert not any(word in token for word in (WHO, CART) for token in tokens.values())
