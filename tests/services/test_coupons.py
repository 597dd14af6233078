"""A coupon is issued once per step, and a budget is never exceeded."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from waggle.domain.coupon import BudgetUse, Coupon, CouponCampaign
from waggle.errors import PermanentFailure, Rejected
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.resources import shipped
from waggle.services.coupons import Coupons, load_campaigns
from waggle.services.enrolments import Enrolments
from waggle.services.message_doubts import Doubts
from waggle.services.sending import Sending
from waggle.storage import tables
from waggle.storage.store import open_store
from waggle.testing.clock import HandClock
from waggle.testing.email import (
    ProcessKilledError,
    RecordingSender,
    kill,
    lose_answer,
    refuse_address,
    refuse_for_now,
)
from waggle.testing.facts import HONEY, LEASE, Shop, book

pytestmark = pytest.mark.anyio


def campaign(**changes: int | str) -> CouponCampaign:
    """Return one that gives 10 % of a cart of 20.00."""
    keys: dict[str, object] = {
        "name": "cart-10",
        "percent": 10,
        "valid_for": timedelta(days=7),
        "max_discount_minor": 500,
        "currency": "EUR",
        "budget_count": 1000,
        "budget_minor": 1_000_000,
        **changes,
    }
    return CouponCampaign(**keys)  # type: ignore[arg-type]


def desk(shop: Shop, **changes: int | str) -> Coupons:
    return Coupons(shop.store, {"cart-10": campaign(**changes)}, shop.clock)


async def issue(coupons: Coupons, enrolment_id: str) -> str:
    return await coupons.issue(enrolment_id=enrolment_id, step="coupon", campaign="cart-10")


@pytest.fixture
async def enrolment_id(shop: Shop) -> str:
    await shop.customer()
    await shop.cart()
    return (await shop.enrolment()).enrolment_id


async def coupon(store: UnitOfWork, coupon_id: str) -> Coupon:
    found = await store.read(lambda tx: tx.coupons.get(coupon_id))
    assert found is not None
    return found


async def use(store: UnitOfWork) -> BudgetUse:
    """Return what the counter says, once it was seen to equal the sum over the coupons."""

    def look(tx: Transaction) -> tuple[BudgetUse, list[int]]:
        rows = tx.coupons._connection.execute(select(tables.coupons)).all()  # type: ignore[attr-defined]
        taken = [row.cost_minor for row in rows if row.campaign == "cart-10" and row.state != "reversed"]
        return tx.coupons.budget_use("cart-10"), taken

    counted, taken = await store.read(look)
    assert (counted.count, counted.cost_minor) == (len(taken), sum(taken))
    return replace(counted, currency=None)


async def send_with(sending: Sending, enrolment_id: str, coupon_id: str) -> str:
    sent = await sending.send(
        enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=coupon_id
    )
    return sent.outcome


async def many_enrolments(shop: Shop, count: int) -> list[str]:
    for number in range(count):
        line = {"sku": "honey", "quantity": 1, "unit_price_minor": 2000}
        data = {"cart_id": f"cart-{number}", "currency": "EUR", "items": [line]}
        await shop.send("cart-updated", data)
    await shop.relay.apply_events()

    def ids(tx: Transaction) -> list[str]:
        found = [tx.enrolments.newest("abandoned-cart", f"cart-{number}") for number in range(count)]
        return [each.enrolment_id for each in found if each is not None]

    return await shop.store.read(ids)


async def test_a_coupon_is_reserved_for_what_it_may_cost(
    shop: Shop, store: UnitOfWork, clock: HandClock, enrolment_id: str
) -> None:
    found = await coupon(store, await issue(desk(shop), enrolment_id))

    assert (found.state, found.cost_minor, found.percent, found.customer_id) == ("reserved", 200, 10, "c-1")
    assert found.expires_at == clock.now() + timedelta(days=7)
    assert await use(store) == BudgetUse(1, 200)


async def test_the_same_step_gets_the_same_coupon_even_when_the_budget_is_gone(
    shop: Shop, store: UnitOfWork, enrolment_id: str
) -> None:
    coupons = desk(shop, budget_count=1)

    assert len({await issue(coupons, enrolment_id) for _ in range(3)}) == 1
    assert await use(store) == BudgetUse(1, 200)


async def test_the_same_job_worked_by_eight_at_once_makes_one_coupon(
    shop: Shop, store: UnitOfWork, enrolment_id: str
) -> None:
    coupons = desk(shop)

    assert len(set(await asyncio.gather(*(issue(coupons, enrolment_id) for _ in range(8))))) == 1
    assert await use(store) == BudgetUse(1, 200)


@pytest.mark.parametrize("limit", [{"budget_count": 40}, {"budget_minor": 40 * 200 + 199}])
async def test_sixty_four_issuers_at_once_never_exceed_the_budget(
    shop: Shop, store: UnitOfWork, limit: dict[str, int | str]
) -> None:
    coupons = desk(shop, **limit)
    enrolments = await many_enrolments(shop, 64)

    answers = await asyncio.gather(*(issue(coupons, each) for each in enrolments), return_exceptions=True)

    refused = [each for each in answers if isinstance(each, BaseException)]
    assert {type(each) for each in refused} == {Rejected}
    assert {str(each) for each in refused} == {"COUPON_BUDGET_EXHAUSTED: cart-10"}
    assert len(refused) == 24
    assert await use(store) == BudgetUse(40, 8000)


async def test_control_without_the_look_at_the_budget_it_is_exceeded(
    shop: Shop, store: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BudgetUse, "leaves_room_for", lambda self, campaign, cost_minor: True)
    coupons = desk(shop, budget_count=2)
    for each in await many_enrolments(shop, 4):
        await issue(coupons, each)
    monkeypatch.undo()

    assert (await use(store)).count == 4


async def test_a_coupon_whose_message_left_is_issued_and_one_in_doubt_too(
    shop: Shop, store: UnitOfWork, sending: Sending, sender: RecordingSender, enrolment_id: str
) -> None:
    coupon_id = await issue(desk(shop), enrolment_id)
    sender.when_taken = lose_answer

    assert await send_with(sending, enrolment_id, coupon_id) == "in_doubt"

    found = await coupon(store, coupon_id)
    assert (found.state, found.issued_at) == ("issued", shop.clock.now())
    [email] = sender.delivered
    assert found.code in email.text


async def test_a_coupon_that_may_have_been_read_is_never_taken_back(
    shop: Shop, store: UnitOfWork, sending: Sending, sender: RecordingSender, clock: HandClock
) -> None:
    """The process died after the hand-over, the sweeper found it, and then the journey ended."""
    await shop.customer()
    await shop.cart()
    enrolment_id = (await shop.enrolment()).enrolment_id
    coupon_id = await issue(desk(shop), enrolment_id)
    sender.when_taken = kill
    with pytest.raises(ProcessKilledError):
        await send_with(sending, enrolment_id, coupon_id)

    clock.advance(LEASE + timedelta(seconds=1))
    await shop.relay.sweep()
    await Enrolments(store, book(), clock).end(enrolment_id, "no_order", "")

    assert (await coupon(store, coupon_id)).state == "issued"
    assert await use(store) == BudgetUse(1, 200)


@pytest.mark.parametrize("how", ["suppressed", "failed"])
async def test_a_coupon_whose_message_did_not_leave_goes_back_to_the_budget(
    *, shop: Shop, store: UnitOfWork, sending: Sending, sender: RecordingSender, enrolment_id: str, how: str
) -> None:
    coupon_id = await issue(desk(shop), enrolment_id)
    if how == "failed":
        sender.when_connected = refuse_address
    else:
        await shop.tell("consent-withdrawn", {"customer_id": "c-1"})

    assert await send_with(sending, enrolment_id, coupon_id) == how

    assert (await coupon(store, coupon_id)).state == "reversed"
    assert await use(store) == BudgetUse(0, 0)


async def test_a_coupon_of_a_journey_that_ends_before_its_message_goes_back(
    *, shop: Shop, store: UnitOfWork, sending: Sending, sender: RecordingSender, clock: HandClock, enrolment_id: str
) -> None:
    coupon_id = await issue(desk(shop), enrolment_id)
    sender.when_connected = refuse_for_now
    with pytest.raises(Exception, match="SMTP_BUSY"):
        await send_with(sending, enrolment_id, coupon_id)

    await Enrolments(store, book(), clock).end(enrolment_id, "emptied", "")

    assert (await coupon(store, coupon_id)).state == "reversed"


async def test_a_coupon_at_the_door_goes_back_when_the_door_stays_shut(
    *, shop: Shop, store: UnitOfWork, sending: Sending, sender: RecordingSender, clock: HandClock, enrolment_id: str
) -> None:
    coupon_id = await issue(desk(shop), enrolment_id)

    async def the_journey_ends() -> None:
        await Enrolments(store, book(), clock).end(enrolment_id, "emptied", "")
        assert (await coupon(store, coupon_id)).state == "reserved"

    sender.when_connected = the_journey_ends

    assert await send_with(sending, enrolment_id, coupon_id) == "suppressed"
    assert (await coupon(store, coupon_id)).state == "reversed"


async def test_a_job_that_outlived_its_journey_takes_nothing_from_the_budget(
    shop: Shop, store: UnitOfWork, clock: HandClock, enrolment_id: str
) -> None:
    await Enrolments(store, book(), clock).end(enrolment_id, "ordered", "")

    with pytest.raises(Rejected, match="COUPON_BUDGET_EXHAUSTED"):
        await issue(desk(shop), enrolment_id)
    assert await use(store) == BudgetUse(0, 0)


async def test_whatever_becomes_of_coupons_the_counter_equals_their_sum(
    *, shop: Shop, store: UnitOfWork, sending: Sending, sender: RecordingSender, clock: HandClock
) -> None:
    """Of six: expired in reserve, sent, refused, in doubt and settled as failed, redeemed, ended with its journey."""
    coupons, doubts = desk(shop), Doubts(store, clock)
    enrolled = []
    for name in "abcdef":
        await shop.customer(name)
        await shop.cart(f"cart-{name}", name)
        enrolled.append((await shop.enrolment(f"cart-{name}")).enrolment_id)
    issued = [await issue(coupons, each) for each in enrolled]
    assert await use(store) == BudgetUse(6, 1200)
    await send_with(sending, enrolled[1], issued[1])
    sender.when_connected = refuse_address
    await send_with(sending, enrolled[2], issued[2])
    sender.when_connected, sender.when_taken = None, lose_answer
    await send_with(sending, enrolled[3], issued[3])
    assert await use(store) == BudgetUse(5, 1000)
    [doubtful] = await doubts.in_doubt()
    await doubts.settle(doubtful.message_id, "failed", by="kim", why="not in the log of the mail server")
    assert await use(store) == BudgetUse(4, 800)
    await shop.order(coupon_code=(await coupon(store, issued[4])).code)
    await Enrolments(store, book(), clock).end(enrolled[5], "emptied", "")
    clock.advance(timedelta(days=7))
    await shop.relay.sweep()

    states = [(await coupon(store, each)).state for each in issued]
    assert states == ["reversed", "issued", "reversed", "reversed", "redeemed", "reversed"]
    assert await use(store) == BudgetUse(2, 400)


async def test_a_coupon_that_expired_in_a_customers_hands_goes_on_counting(
    shop: Shop, store: UnitOfWork, sending: Sending, clock: HandClock, enrolment_id: str
) -> None:
    """An order of its last hour may be told much later; its money must not have been promised twice by then."""
    coupon_id = await issue(desk(shop), enrolment_id)
    await send_with(sending, enrolment_id, coupon_id)
    last_hour = clock.now() + timedelta(days=7) - timedelta(hours=1)
    clock.advance(timedelta(days=30))
    await shop.relay.sweep()
    assert await use(store) == BudgetUse(1, 200)

    await shop.order(at=last_hour, coupon_code=(await coupon(store, coupon_id)).code)

    assert (await coupon(store, coupon_id)).state == "redeemed"
    assert await use(store) == BudgetUse(1, 200)


async def test_a_campaign_cannot_go_on_in_another_currency(shop: Shop, enrolment_id: str) -> None:
    await issue(desk(shop), enrolment_id)
    await shop.cart("cart-2", currency="JPY", items=[HONEY])
    other = (await shop.enrolment("cart-2")).enrolment_id

    with pytest.raises(PermanentFailure, match="CAMPAIGN_CURRENCY_CHANGED"):
        await issue(desk(shop, currency="JPY"), other)


async def test_four_stores_at_once_never_exceed_the_budget(shop: Shop, store: UnitOfWork, database_url: str) -> None:
    """As processes would: none knows of the others but through the database."""
    enrolments = await many_enrolments(shop, 64)
    stores = [open_store(database_url) for _ in range(4)]
    desks = [Coupons(each, {"cart-10": campaign(budget_count=40)}, shop.clock) for each in stores]

    answers = await asyncio.gather(
        *(issue(desks[number % 4], each) for number, each in enumerate(enrolments)), return_exceptions=True
    )

    for each in stores:
        each.close()
    assert sum(isinstance(each, str) for each in answers) == 40
    assert await use(store) == BudgetUse(40, 8000)


async def test_a_cart_in_another_currency_takes_nothing_from_the_budget(shop: Shop, store: UnitOfWork) -> None:
    await shop.cart(currency="JPY", items=[HONEY])

    with pytest.raises(Rejected, match="COUPON_BUDGET_EXHAUSTED"):
        await issue(desk(shop), (await shop.enrolment()).enrolment_id)
    assert await use(store) == BudgetUse(0, 0)


async def test_a_coupon_that_nobody_ever_sent_goes_back_when_it_expires(
    shop: Shop, store: UnitOfWork, clock: HandClock, enrolment_id: str
) -> None:
    coupon_id = await issue(desk(shop), enrolment_id)
    clock.advance(timedelta(days=7) - timedelta(seconds=1))
    assert await shop.relay.sweep() == 0
    clock.advance(timedelta(seconds=1))

    assert await shop.relay.sweep() == 1
    assert (await coupon(store, coupon_id)).state == "reversed"
    assert await shop.relay.sweep() == 0


async def test_an_order_redeems_its_coupon_once(
    shop: Shop, store: UnitOfWork, sending: Sending, clock: HandClock, enrolment_id: str
) -> None:
    coupon_id = await issue(desk(shop), enrolment_id)
    await send_with(sending, enrolment_id, coupon_id)
    code = (await coupon(store, coupon_id)).code
    clock.advance(timedelta(hours=1))
    await shop.order("o-1", cart_id="cart-1", coupon_code=code)
    redeemed_at = clock.now()
    clock.advance(timedelta(hours=1))
    await shop.order("o-2", coupon_code=code)
    await shop.order("o-3", coupon_code="NOT-OURS")

    found = await coupon(store, coupon_id)
    assert (found.state, found.order_id, found.closed_at) == ("redeemed", "o-1", redeemed_at)
    assert await use(store) == BudgetUse(1, 200)


async def test_an_expired_coupon_stops_the_message_that_promises_it(
    shop: Shop, store: UnitOfWork, sending: Sending, clock: HandClock, enrolment_id: str
) -> None:
    coupon_id = await issue(desk(shop), enrolment_id)
    clock.advance(timedelta(days=7))

    assert await send_with(sending, enrolment_id, coupon_id) == "suppressed"
    assert (await shop.message(enrolment_id)).reason == "coupon_invalid"


async def test_unknown_campaigns_and_enrolments_are_defects(shop: Shop, enrolment_id: str) -> None:
    with pytest.raises(PermanentFailure, match="CAMPAIGN_UNKNOWN"):
        await Coupons(shop.store, {}, shop.clock).issue(enrolment_id=enrolment_id, step="coupon", campaign="cart-10")
    with pytest.raises(PermanentFailure, match="ENROLMENT_UNKNOWN"):
        await issue(desk(shop), "nobody")


def test_the_shipped_campaigns_are_read() -> None:
    campaigns = load_campaigns(shipped("config"))

    assert {"cart-5", "cart-10", "cart-15", "birthday-10"} <= set(campaigns)
    assert campaigns["cart-10"].valid_for == timedelta(days=7)
