"""Nobody enters a paused journey, and what it would send waits."""

from dataclasses import replace
from datetime import timedelta

import pytest

from waggle.domain.message import ORDER
from waggle.errors import Rejected
from waggle.ports.unit_of_work import UnitOfWork
from waggle.resources import shipped
from waggle.services.catalogue import load_catalogue
from waggle.services.enrolments import Enrolments
from waggle.services.pausing import Pausing
from waggle.services.sending import Sending, Sent
from waggle.storage.store import open_store
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.facts import JOURNEY, Shop, book

pytestmark = pytest.mark.anyio

WHY = "wrong price in the mail"


@pytest.fixture
def pausing(store: UnitOfWork, clock: HandClock) -> Pausing:
    return Pausing(store, load_catalogue(shipped("bpmn")), clock)


async def send(sending: Sending, enrolment_id: str) -> Sent:
    return await sending.send(enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None)


async def test_nobody_enters_a_paused_journey_and_who_would_have_is_counted(
    shop: Shop, pausing: Pausing, store: UnitOfWork
) -> None:
    await pausing.pause(JOURNEY, by="ada", why=WHY)
    await shop.customer()
    for number in range(3):
        await shop.cart(f"cart-{number}")

    assert await store.read(lambda tx: tx.enrolments.newest(JOURNEY, "cart-0")) is None
    # The event itself is applied as ever.
    assert await store.read(lambda tx: tx.carts.get("cart-0")) is not None
    pause = await pausing.resume(JOURNEY, by="ada", why="mended")
    assert pause is not None
    assert pause.kept_out == 3

    await shop.cart("cart-9")
    assert (await shop.enrolment("cart-9")).live


async def test_who_is_in_it_already_is_not_counted_and_an_order_still_ends_it(
    shop: Shop, pausing: Pausing, enrolment_id: str, store: UnitOfWork
) -> None:
    await pausing.pause(JOURNEY, by="ada", why=WHY)
    await shop.cart()
    await shop.order(cart_id="cart-1")
    await shop.relay.publish()

    pause = await pausing.resume(JOURNEY, by="ada", why="mended")
    assert pause is not None
    assert pause.kept_out == 0


async def test_a_message_of_a_paused_journey_waits_and_leaves_after_it_was_resumed(
    pausing: Pausing, enrolment_id: str, sending: Sending, sender: RecordingSender, clock: HandClock
) -> None:
    await pausing.pause(JOURNEY, by="ada", why=WHY)

    held = await send(sending, enrolment_id)
    assert (held.outcome, held.reason, held.next_at) == ("held", "paused", clock.now() + timedelta(minutes=15))
    assert sender.delivered == []

    clock.advance(timedelta(minutes=15))
    assert (await send(sending, enrolment_id)).reason == "paused"
    await pausing.resume(JOURNEY, by="ada", why="mended")
    clock.advance(timedelta(minutes=15))
    assert (await send(sending, enrolment_id)).outcome == "sent"
    assert len(sender.delivered) == 1


async def test_a_pause_that_comes_between_claim_and_hand_over_stops_the_message_at_the_door(
    pausing: Pausing, enrolment_id: str, sending: Sending, sender: RecordingSender, shop: Shop
) -> None:
    async def pause_now() -> None:
        await pausing.pause(JOURNEY, by="ada", why=WHY)

    sender.when_connected = pause_now
    assert (await send(sending, enrolment_id)).reason == "paused"
    assert sender.delivered == []
    assert (await shop.message(enrolment_id)).state == "planned"


async def test_what_is_not_valid_any_more_does_not_leave_when_the_journey_is_resumed(
    pausing: Pausing, enrolment_id: str, sending: Sending, clock: HandClock, shop: Shop
) -> None:
    await pausing.pause(JOURNEY, by="ada", why=WHY)
    await send(sending, enrolment_id)
    expires_at = (await shop.message(enrolment_id)).expires_at
    clock.advance(expires_at - clock.now())
    await pausing.resume(JOURNEY, by="ada", why="mended")

    assert (await send(sending, enrolment_id)).reason == "expired"


async def test_what_speaks_against_a_message_for_good_is_found_while_it_is_paused(
    pausing: Pausing, enrolment_id: str, sending: Sending, shop: Shop
) -> None:
    await pausing.pause(JOURNEY, by="ada", why=WHY)
    await shop.order(cart_id="cart-1")

    assert (await send(sending, enrolment_id)).reason == "ordered"


async def test_a_pause_outlives_the_process_and_is_known_to_every_other_one(sqlite_url: str, clock: HandClock) -> None:
    catalogue = load_catalogue(shipped("bpmn"))
    first = open_store(sqlite_url)
    await Pausing(first, catalogue, clock).pause(JOURNEY, by="ada", why=WHY)
    first.close()

    second = open_store(sqlite_url)
    pause = await second.read(lambda tx: tx.pauses.of(JOURNEY))
    second.close()
    assert pause is not None
    assert (pause.by, pause.why) == ("ada", WHY)


async def test_both_are_in_the_audit_log_and_pausing_twice_is_pausing_once(pausing: Pausing, store: UnitOfWork) -> None:
    assert await pausing.pause(JOURNEY, by="ada", why=WHY)
    assert not await pausing.pause(JOURNEY, by="bea", why="again")
    assert await pausing.resume(JOURNEY, by="ada", why="mended") is not None
    assert await pausing.resume(JOURNEY, by="ada", why="mended") is None

    entries = await store.read(lambda tx: tx.audit.of_subject(JOURNEY))
    assert [(each.action, each.actor, each.why) for each in entries] == [
        ("journey-paused", "ada", WHY),
        ("journey-resumed", "ada", "mended"),
    ]
    assert entries[1].detail == {"kept_out": "0"}


@pytest.mark.parametrize(
    ("journey", "why", "code"),
    [
        ("abandoned-carts", WHY, "JOURNEY_UNKNOWN"),
        ("customer-erasure", WHY, "JOURNEY_ANSWERS_THE_LAW"),
        (JOURNEY, "ask ada@example.com", "WORDS_REFUSED"),
    ],
)
async def test_what_cannot_be_paused_is_said(pausing: Pausing, journey: str, why: str, code: str) -> None:
    with pytest.raises(Rejected, match=code):
        await pausing.pause(journey, by="ada", why=why)


async def test_the_version_on_which_an_instance_runs_is_noted_when_its_first_task_claims_it(
    shop: Shop, enrolment_id: str, store: UnitOfWork, clock: HandClock
) -> None:
    enrolments = Enrolments(store, book(), clock)

    await enrolments.open(enrolment_id, 7, 3)
    assert (await shop.enrolment()).process_version == 3
    # Moved to another version meanwhile, and asked again by the same instance.
    moved = replace(await shop.enrolment(), process_version=4)
    await store.run(lambda tx: tx.enrolments.save(moved))
    await enrolments.open(enrolment_id, 7, 3)
    assert (await shop.enrolment()).process_version == 4


async def test_order_messages_wait_as_well(
    pausing: Pausing, store: UnitOfWork, clock: HandClock, enrolment_id: str, sender: RecordingSender
) -> None:
    await pausing.pause(JOURNEY, by="ada", why=WHY)

    held = await facts.sending(store, clock, sender).send(
        enrolment_id=enrolment_id, step="receipt", template="order-received", coupon_id=None, kind=ORDER
    )

    assert held.reason == "paused"
