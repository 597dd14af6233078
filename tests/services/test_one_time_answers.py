"""What somebody answers by a link in a mail is told as a fact, once, and by nobody but them."""

from datetime import timedelta

import pytest

from waggle.domain.privacy import LinkKind, OneTimeLink
from waggle.errors import Rejected
from waggle.ports.unit_of_work import UnitOfWork
from waggle.resources import shipped
from waggle.services.consent_texts import load_consent_texts
from waggle.services.one_time_actions import OneTimeActions
from waggle.services.personal_links import token_hash
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop

pytestmark = pytest.mark.anyio


@pytest.fixture
def actions(store: UnitOfWork, clock: HandClock) -> OneTimeActions:
    texts = load_consent_texts(shipped("config"))
    return OneTimeActions(store, clock, shop_name="Hive & Honey", texts=texts, public_url="https://go.shop.example")


async def give_link(shop: Shop, kind: LinkKind, subject: str) -> None:
    now = shop.clock.now()
    link = OneTimeLink(
        token_sha256=token_hash("one"),
        kind=kind,
        customer_id="c-1",
        subject=subject,
        payload="c-1@example.com",
        made_at=now,
        expires_at=now + timedelta(days=30),
    )
    await shop.store.run(lambda tx: tx.one_time_links.add(link))


async def test_a_score_is_told_of_the_order_it_was_asked_about_and_once(shop: Shop, actions: OneTimeActions) -> None:
    await shop.customer()
    await give_link(shop, "answer-survey", "order-1")

    assert await actions.perform("one", 3) is not None
    assert await actions.perform("one", 10) is None

    [told] = await shop.store.run(lambda tx: tx.events.pending(10))
    assert told.event.type == "survey-answered"
    assert told.event.data == {"customer_id": "c-1", "order_id": "order-1", "score": 3}


@pytest.mark.parametrize("score", [None, -1, 11])
async def test_without_a_good_number_nothing_is_told_and_the_link_stays_good(
    shop: Shop, actions: OneTimeActions, score: int | None
) -> None:
    await shop.customer()
    await give_link(shop, "answer-survey", "order-1")

    with pytest.raises(Rejected, match="ANSWER_MISSING"):
        await actions.perform("one", score)

    assert await actions.describe("one") is not None
    assert await shop.store.read(lambda tx: tx.events.count_pending()) == 0


async def test_who_stays_agrees_anew_to_what_they_had_agreed_to(shop: Shop, actions: OneTimeActions) -> None:
    await shop.send("customer-identified", {"customer_id": "c-1", "email": "c-1@example.com"})
    await shop.tell("consent-given", {"customer_id": "c-1", "text_version": "marketing-email-1.pl"})
    await give_link(shop, "keep-subscription", "c-1")
    shop.clock.advance(timedelta(days=1))
    question = await actions.describe("one")
    assert question is not None
    assert question.wording.startswith("Chcę")

    assert await actions.perform("one") is not None
    await shop.relay.apply_events()

    facts = await shop.store.read(lambda tx: tx.consents.of_customer("c-1"))
    newest = max(facts, key=lambda fact: fact.stated_at)
    assert (newest.state, newest.mechanism, newest.text_version) == ("granted", "web_form", "marketing-email-1.pl")
    assert newest.stated_at == shop.clock.now()


async def test_a_wish_to_stay_that_went_to_an_earlier_address_does_nothing(shop: Shop, actions: OneTimeActions) -> None:
    await shop.customer()
    await give_link(shop, "keep-subscription", "c-1")
    shop.clock.advance(timedelta(minutes=1))
    await shop.tell("customer-identified", {"customer_id": "c-1", "email": "other@example.com"})

    assert await actions.perform("one") is None
