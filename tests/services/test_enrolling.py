"""Which events start, move and end journeys, and how often."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from waggle.domain.enrolment import Enrolment, is_held_out
from waggle.domain.event import Event
from waggle.domain.message import MessageState
from waggle.errors import WaggleError
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.resources import shipped
from waggle.services.catalogue import load_catalogue
from waggle.services.enrolling import Enrolling
from waggle.services.enrolments import Enrolments
from waggle.services.projections import fact_of, project
from waggle.services.relay import Relay
from waggle.services.sending import Sending
from waggle.storage.repositories.journeys import Enrolments as EnrolmentRows
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.facts import JOURNEY, WAX, Shop, book
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio


async def ended(shop: Shop, outcome: str = "emptied", cart_id: str = "cart-1") -> Enrolment:
    """End the newest enrolment of a cart and return it."""
    enrolment = await shop.enrolment(cart_id)
    await Enrolments(shop.store, book(), shop.clock).end(enrolment.enrolment_id, outcome, "")
    return await shop.enrolment(cart_id)


async def test_the_first_update_of_a_cart_enrols_it_and_starts_its_journey(
    shop: Shop, engine: RememberingEngine, clock: HandClock
) -> None:
    await shop.cart()
    await shop.relay.publish()

    enrolment = await shop.enrolment()
    assert (enrolment.journey, enrolment.business_key, enrolment.entry) == (JOURNEY, "cart-1", 1)
    assert (enrolment.customer_id, enrolment.cart_id, enrolment.state) == ("c-1", "cart-1", "entering")
    [start] = engine.taken
    assert (start.name, start.enrolment_id, start.message_id) == ("cart-updated", *[enrolment.enrolment_id] * 2)
    assert dict(start.variables) == {"enrolment_id": enrolment.enrolment_id}
    assert start.time_to_live_s == 600


async def test_further_updates_cost_the_engine_nothing(shop: Shop, engine: RememberingEngine, clock: HandClock) -> None:
    for _ in range(5):
        clock.advance(timedelta(minutes=1))
        await shop.cart()
    await shop.relay.publish()

    assert len(engine.taken) == 1
    assert (await shop.enrolment()).entry == 1


async def test_an_empty_cart_does_not_enrol(shop: Shop, store: UnitOfWork) -> None:
    await shop.cart(items=[])

    assert await store.read(lambda tx: tx.enrolments.newest(JOURNEY, "cart-1")) is None


async def test_the_first_product_in_a_cart_enrols_it_though_nobody_told_the_whole_cart(shop: Shop) -> None:
    line = {"sku": "honey", "quantity": 1, "unit_price_minor": 500}
    await shop.send("product-added", {"cart_id": "cart-7", "customer_id": "c-1", "currency": "EUR", **line})
    await shop.relay.apply_events()
    assert (await shop.enrolment("cart-7")).state == "entering"


async def test_a_cart_whose_order_came_first_does_not_enrol(shop: Shop, store: UnitOfWork) -> None:
    await shop.order(cart_id="cart-1")
    await shop.cart()

    assert await store.read(lambda tx: tx.enrolments.newest(JOURNEY, "cart-1")) is None


async def test_an_older_picture_of_a_cart_does_not_enrol(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    before = clock.now()
    clock.advance(timedelta(minutes=1))
    await shop.cart(items=[])
    await shop.cart(at=before)

    assert await store.read(lambda tx: tx.enrolments.newest(JOURNEY, "cart-1")) is None


async def test_at_most_one_enrolment_of_a_key_lives_however_many_relays_run_at_once(
    shop: Shop, store: UnitOfWork, engine: RememberingEngine
) -> None:
    carts = [f"cart-{number}" for number in range(10)]
    for _ in range(3):
        for cart_id in carts:
            data = {
                "cart_id": cart_id,
                "currency": "EUR",
                "items": [{"sku": "a", "quantity": 1, "unit_price_minor": 1}],
            }
            await shop.send("cart-updated", data)
    enrolling = Enrolling(load_catalogue(shipped("bpmn")), book())
    relays = [Relay(store, engine, enrolling, shop.clock) for _ in range(20)]

    await asyncio.gather(*(relay.apply_events() for relay in relays))

    counts = await store.read(lambda tx: tx.enrolments.count_by_state())
    assert counts == {("entering", ""): 10}
    assert await store.read(lambda tx: tx.events.count_pending()) == 0
    assert [(await shop.enrolment(cart_id)).entry for cart_id in carts] == [1] * 10


async def test_at_most_one_enrolment_of_a_key_lives_though_events_are_applied_side_by_side(
    shop: Shop, store: UnitOfWork
) -> None:
    """As if no relay waited for another: twenty transactions that all want to enrol the same cart."""
    enrolling = Enrolling(load_catalogue(shipped("bpmn")), book())
    line = {"sku": "a", "quantity": 1, "unit_price_minor": 1}
    data = {"cart_id": "cart-1", "customer_id": "c-1", "currency": "EUR", "items": [line]}

    def knock(number: int) -> Callable[[Transaction], None]:
        event = Event(f"e-{number}", "shop", "cart-updated", "c-1", shop.clock.now(), data)

        def apply(tx: Transaction) -> None:
            project(tx, event, fact_of(event))
            enrolling.react(tx, event, shop.clock.now())

        return apply

    await asyncio.gather(*(store.run(knock(number)) for number in range(20)))

    assert await store.read(lambda tx: tx.enrolments.count_by_state()) == {("entering", ""): 1}
    assert await store.read(lambda tx: tx.engine_messages.count_due()) == 1


async def test_control_without_the_look_at_what_lives_the_database_itself_refuses_a_second_one(
    shop: Shop, store: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.cart()
    first = await shop.enrolment()
    monkeypatch.setattr(EnrolmentRows, "newest", lambda self, journey, key: None)
    await shop.cart()
    monkeypatch.undo()

    [aside] = await store.read(lambda tx: tx.events.quarantined())
    assert aside.code == "IntegrityError"
    assert await shop.enrolment() == first


async def test_a_journey_that_ended_without_a_message_may_be_entered_again_at_once(shop: Shop) -> None:
    await shop.cart()
    await ended(shop)
    await shop.cart()

    again = await shop.enrolment()
    assert (again.entry, again.state) == (2, "entering")


@pytest.mark.parametrize("left", ["handed_over", "sent", "in_doubt"])
async def test_after_a_message_the_same_cart_stays_out_for_the_cool_down(
    shop: Shop, store: UnitOfWork, sending: Sending, clock: HandClock, left: MessageState
) -> None:
    await shop.customer()
    await shop.cart()
    enrolment = await shop.enrolment()
    await sending.send(
        enrolment_id=enrolment.enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None
    )

    def as_it_may_stand(tx: Transaction) -> None:
        message = tx.messages.get(enrolment.enrolment_id, "first-mail")
        assert message is not None
        tx.messages.save(replace(message, state=left))

    await store.run(as_it_may_stand)
    await ended(shop, "no_order")
    clock.advance(timedelta(days=7) - timedelta(seconds=1))
    await shop.cart()
    assert (await shop.enrolment()).entry == 1
    clock.advance(timedelta(seconds=1))
    await shop.cart()
    assert (await shop.enrolment()).entry == 2


async def test_a_suppressed_message_is_no_reason_to_cool_down(shop: Shop, sending: Sending) -> None:
    await shop.cart()
    enrolment = await shop.enrolment()
    sent = await sending.send(
        enrolment_id=enrolment.enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None
    )
    assert sent.outcome == "suppressed"
    await ended(shop, "not_sent")
    await shop.cart()

    assert (await shop.enrolment()).entry == 2


async def test_a_customer_is_on_the_same_side_of_the_hold_out_with_every_cart(
    store: UnitOfWork, clock: HandClock, engine: RememberingEngine
) -> None:
    shop = facts.shop(store, clock, engine, book(holdout_percent=50))
    people = [f"c-{number}" for number in range(12)]
    for person in people:
        for cart in "ab":
            await shop.cart(f"{person}-{cart}", person)

    sides = {p: {(await shop.enrolment(f"{p}-{cart}")).held_out for cart in "ab"} for p in people}

    assert sides == {person: {is_held_out(JOURNEY, person, 50)} for person in people}
    assert {True} in sides.values()
    assert {False} in sides.values()


@pytest.mark.parametrize("person", ["c-0", "c-1", "c-2", "c-3", "c-4", "c-5"])
async def test_an_anonymous_cart_takes_the_side_of_its_customer_once_it_has_one(
    store: UnitOfWork, clock: HandClock, engine: RememberingEngine, person: str
) -> None:
    shop = facts.shop(store, clock, engine, book(holdout_percent=50))
    await shop.cart(customer_id=None)
    assert (await shop.enrolment()).held_out is is_held_out(JOURNEY, "cart-1", 50)
    await shop.cart(customer_id=person)

    enrolment = await shop.enrolment()
    assert (enrolment.customer_id, enrolment.held_out) == (person, is_held_out(JOURNEY, person, 50))


@pytest.mark.parametrize(("switch", "told"), [(True, {"cart-1", "cart-2"}), (False, {"cart-1"})])
async def test_an_order_ends_the_carts_journey_and_if_set_those_of_the_customers_other_carts(
    store: UnitOfWork, clock: HandClock, engine: RememberingEngine, switch: bool, told: set[str]
) -> None:
    shop = facts.shop(store, clock, engine, book(order_ends_other_carts=switch))
    for cart_id, customer_id in (("cart-1", "c-1"), ("cart-2", "c-1"), ("cart-3", "c-2")):
        await shop.cart(cart_id, customer_id)
    await shop.order(cart_id="cart-1")
    await shop.relay.publish()

    keys = {(await shop.enrolment(cart_id)).enrolment_id: cart_id for cart_id in ("cart-1", "cart-2", "cart-3")}
    assert {keys[each] for each in engine.told("order-placed")} == told


async def test_an_order_without_a_cart_ends_the_journeys_of_its_customer(shop: Shop, engine: RememberingEngine) -> None:
    await shop.cart()
    await shop.order(customer_id="c-1")
    await shop.relay.publish()

    assert engine.told("order-placed") == [(await shop.enrolment()).enrolment_id]


@pytest.mark.parametrize("fact", ["consent-withdrawn", "customer-erased"])
async def test_who_wants_no_more_ends_every_journey_of_theirs_and_nobody_elses(
    shop: Shop, engine: RememberingEngine, fact: str
) -> None:
    for cart_id, customer_id in (("cart-1", "c-1"), ("cart-2", "c-1"), ("cart-3", "c-2")):
        await shop.cart(cart_id, customer_id)
    await shop.tell(fact, {"customer_id": "c-1"})
    await shop.relay.publish()

    theirs = {(await shop.enrolment(cart_id)).enrolment_id for cart_id in ("cart-1", "cart-2")}
    assert set(engine.told(fact)) == theirs
    assert {message.time_to_live_s for message in engine.taken if message.name == fact} == {3600}


async def test_a_journey_that_ended_is_told_nothing(shop: Shop, engine: RememberingEngine) -> None:
    await shop.cart()
    await ended(shop)
    await shop.order(cart_id="cart-1", customer_id="c-1")
    await shop.relay.publish()

    assert engine.told("order-placed") == []


async def test_a_click_moves_only_the_journey_whose_message_it_was(
    shop: Shop, engine: RememberingEngine, sending: Sending
) -> None:
    await shop.customer()
    for cart_id in ("cart-1", "cart-2"):
        await shop.cart(cart_id)
    enrolment = await shop.enrolment("cart-1")
    await sending.send(
        enrolment_id=enrolment.enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None
    )
    message = await shop.message(enrolment.enrolment_id)
    await shop.tell("message-clicked", {"message_id": message.message_id})
    await shop.tell("message-clicked", {"message_id": "no-such-message"})
    await shop.relay.publish()

    assert engine.told("message-clicked") == [enrolment.enrolment_id]


async def test_the_id_of_an_engine_message_is_the_same_for_the_same_event_and_enrolment(
    shop: Shop, store: UnitOfWork, engine: RememberingEngine
) -> None:
    """It is what the engine knows a repeat by, so it must outlive a restart; it tells nothing of the event."""
    await shop.cart()
    enrolment_id = (await shop.enrolment()).enrolment_id
    data = {"order_id": "o-1", "currency": "EUR", "total_minor": 1, "cart_id": "cart-1"}
    await shop.accept(facts.event("order-placed", "e-7", data, shop.clock.now()))
    await shop.relay.apply_events()
    await shop.relay.publish()

    [exit_message] = [message for message in engine.taken if message.name == "order-placed"]
    assert exit_message.message_id == f"eb72aea1-0b73-52fd-a1f3-d1471a138235:{enrolment_id}"


async def test_a_journey_is_opened_once_and_answers_everyone_alike_until_it_ends(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    enrolments = Enrolments(store, book(settings={"cart_idle": "PT5M"}), clock)
    await shop.cart()
    enrolment_id = (await shop.enrolment()).enrolment_id

    opened = [await enrolments.open(enrolment_id, 1) for _ in range(2)]
    assert [(each.proceed, each.cart_id, each.customer_id) for each in opened] == [(True, "cart-1", "c-1")] * 2
    assert opened[0].settings == {"cart_idle": "PT5M"}
    assert (await shop.enrolment()).started_at == clock.now()

    await enrolments.end(enrolment_id, "ordered", "")
    await enrolments.end(enrolment_id, "no_order", "too late")
    assert (await enrolments.open(enrolment_id, 1)).proceed is False
    known = await shop.enrolment()
    assert (known.state, known.outcome, known.outcome_reason) == ("ended", "ordered", "")


async def test_an_invented_enrolment_is_a_defect(store: UnitOfWork, clock: HandClock) -> None:
    enrolments = Enrolments(store, book(), clock)

    with pytest.raises(WaggleError, match="ENROLMENT_UNKNOWN"):
        await enrolments.open("nobody", 1)
    with pytest.raises(WaggleError, match="ENROLMENT_UNKNOWN"):
        await enrolments.end("nobody", "ordered", "")


async def test_a_new_line_in_a_living_cart_does_not_enrol_it_again(shop: Shop, clock: HandClock) -> None:
    await shop.cart()
    await Enrolments(shop.store, book(), clock).open((await shop.enrolment()).enrolment_id, 1)
    clock.advance(timedelta(minutes=1))
    await shop.cart(items=[WAX])

    assert (await shop.enrolment()).entry == 1


async def test_who_enters_or_leaves_in_a_transaction_is_seen_in_it(store: UnitOfWork, clock: HandClock) -> None:
    enrolment = Enrolment(
        enrolment_id="e-1", journey=JOURNEY, business_key="cart-1", entry=1, customer_id="c-1", cart_id="cart-1",
        held_out=False, state="running", entered_at=clock.now(),
    )  # fmt: skip
    ended = replace(enrolment, state="ended", ended_at=clock.now(), outcome="ordered", outcome_reason="")

    def enter_and_leave(tx: Transaction) -> list[int]:
        found = [len(tx.enrolments.live_of_customer(JOURNEY, "c-1"))]
        for each in (enrolment, ended):
            tx.enrolments.save(each)
            found.append(len(tx.enrolments.live_of_customer(JOURNEY, "c-1")))
        return found

    assert await store.run(enter_and_leave) == [0, 1, 0]
