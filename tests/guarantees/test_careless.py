"""Each guard that can be left out does harm when it is, and none when it is not: else the controls prove nothing."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

import pytest

from waggle.domain.coupon import CouponCampaign
from waggle.domain.event import Receipt
from waggle.errors import Rejected
from waggle.services.coupons import Coupons
from waggle.services.intake import Intake
from waggle.services.sending import Sending, Sent
from waggle.storage.store import Store
from waggle.testing import facts
from waggle.testing.chaos.careless import (
    CARELESS,
    AcknowledgesBeforeCommit,
    Careful,
    CompletesFirst,
    CountsBudgetOutside,
    ForgetsHandOver,
    IgnoresMessageRow,
    MarksAppliedFirst,
)
from waggle.testing.chaos.probes import ProbedStore
from waggle.testing.clock import HandClock
from waggle.testing.email import ProcessKilledError, RecordingSender, kill
from waggle.testing.facts import LEASE, Shop
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def sender() -> RecordingSender:
    return RecordingSender()


def careless(name: str) -> Careful:
    return CARELESS[name]()


async def left_cart(store: Store, clock: HandClock) -> tuple[Shop, str]:
    shop = facts.shop(store, clock, RememberingEngine())
    await shop.customer()
    await shop.cart()
    return shop, (await shop.enrolment()).enrolment_id


async def send(sending: Sending, enrolment_id: str) -> Sent:
    return await sending.send(enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None)


@pytest.mark.parametrize(("name", "copies"), [("", 1), ("forgets_hand_over", 2)])
async def test_a_hand_over_that_is_forgotten_makes_a_second_copy(
    store: Store, clock: HandClock, sender: RecordingSender, name: str, copies: int
) -> None:
    seen = careless(name).store(store, clock)
    shop, enrolment_id = await left_cart(seen, clock)
    sending = facts.sending(seen, clock, sender)
    sender.when_taken = kill
    with pytest.raises(ProcessKilledError):
        await send(sending, enrolment_id)
    sender.when_taken = None
    clock.advance(LEASE + timedelta(seconds=1))
    await shop.relay.sweep()
    await send(sending, enrolment_id)
    assert len(sender.delivered) == copies


@pytest.mark.parametrize(("name", "copies"), [("", 1), ("ignores_message_row", 2)])
async def test_a_repeated_job_that_does_not_look_makes_a_second_copy(
    store: Store, clock: HandClock, sender: RecordingSender, name: str, copies: int
) -> None:
    seen = careless(name).store(store, clock)
    _, enrolment_id = await left_cart(seen, clock)
    for _ in range(2):
        await send(facts.sending(seen, clock, sender), enrolment_id)
    assert len(sender.delivered) == copies


@pytest.mark.parametrize(("name", "stored"), [("", 1), ("acknowledges_before_commit", 0)])
async def test_an_answer_before_the_commit_promises_what_is_not_stored(
    store: Store, clock: HandClock, name: str, stored: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for a slow machine to look meanwhile.
    monkeypatch.setattr("waggle.testing.chaos.careless._WRITE_BEHIND_S", 3.0)
    intake = careless(name).intake(Intake(store, clock))
    event = facts.event("consent-given", "e-1", {"customer_id": "c-1"}, clock.now())
    assert await intake.accept("shop", [event]) == [Receipt("e-1", "accepted")]
    assert await store.read(lambda tx: tx.events.count_pending()) == stored

    async with asyncio.timeout(60):
        while not await store.read(lambda tx: tx.events.count_pending()):  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("name", "point", "enrolled"),
    [
        ("", "Relay.apply_batch.inside", True),
        ("marks_applied_first", "Relay.apply_batch.inside", False),
        ("marks_applied_first", "MarksAppliedFirst.take.after", False),
    ],
)
async def test_an_event_marked_before_it_is_applied_is_lost_by_a_kill(
    store: Store, clock: HandClock, name: str, point: str, *, enrolled: bool
) -> None:
    armed: set[str] = set()

    def reach(passed: str) -> None:
        if passed in armed:
            armed.clear()
            raise ProcessKilledError

    seen = careless(name).store(cast("Store", ProbedStore(store, reach)), clock)
    shop = facts.shop(seen, clock, RememberingEngine())
    await shop.customer()
    item = {"sku": "honey", "quantity": 1, "unit_price_minor": 1000}
    await shop.send("cart-updated", {"cart_id": "cart-1", "customer_id": "c-1", "currency": "EUR", "items": [item]})
    armed.add(point)
    with pytest.raises(ProcessKilledError):
        await shop.relay.apply_events()
    await shop.relay.apply_events()
    found = await store.read(lambda tx: tx.enrolments.newest(facts.JOURNEY, "cart-1"))
    assert (found is not None) == enrolled


@pytest.mark.parametrize(("name", "issued"), [("", 1), ("counts_budget_outside", 3)])
async def test_a_budget_counted_outside_is_overspent(store: Store, clock: HandClock, name: str, issued: int) -> None:
    seen = careless(name).store(store, clock)
    shop = facts.shop(seen, clock, RememberingEngine())
    coupons = Coupons(seen, {"cart-10": _campaign_of_one()}, clock)
    given = 0
    for number in range(3):
        await shop.customer(f"c-{number}")
        await shop.cart(f"cart-{number}", f"c-{number}")
        enrolment = await shop.enrolment(f"cart-{number}")
        try:
            await coupons.issue(enrolment_id=enrolment.enrolment_id, step="coupon", campaign="cart-10")
            given += 1
        except Rejected:
            pass
    assert given == issued
    assert (await store.read(lambda tx: tx.coupons.budget_use("cart-10"))).count == issued


@pytest.mark.parametrize(("name", "copies"), [("", 1), ("completes_first", 0)])
async def test_a_job_completed_before_its_effect_tells_of_a_mail_that_has_not_left(
    store: Store, clock: HandClock, sender: RecordingSender, name: str, copies: int
) -> None:
    _, enrolment_id = await left_cart(store, clock)
    services = careless(name).services({Sending: facts.sending(store, clock, sender)}, clock)
    sending = cast("Sending", services[Sending])
    assert (await send(sending, enrolment_id)).outcome == "sent"
    assert len(sender.delivered) == copies

    async with asyncio.timeout(60):
        while not sender.delivered:  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.05)
    assert len(sender.delivered) == 1


def test_every_guard_that_can_be_left_out_is_shown_here() -> None:
    shown: Sequence[type[Careful]] = [
        Careful,
        ForgetsHandOver,
        IgnoresMessageRow,
        AcknowledgesBeforeCommit,
        MarksAppliedFirst,
        CountsBudgetOutside,
        CompletesFirst,
    ]
    assert list(CARELESS.values()) == shown


def _campaign_of_one() -> CouponCampaign:
    return CouponCampaign(
        name="cart-10",
        percent=10,
        valid_for=timedelta(days=7),
        max_discount_minor=500,
        currency="EUR",
        budget_count=1,
        budget_minor=1_000_000,
    )
