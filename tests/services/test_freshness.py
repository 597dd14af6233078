"""A message does not rest on facts that are older than the shop allows: it asks, waits, or ends with that reason."""

from dataclasses import replace
from datetime import timedelta

import pytest

from waggle.domain.freshness import FreshnessLimits, kinds_of
from waggle.domain.message import ORDER
from waggle.errors import TemporaryFailure
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.freshness import Caller, Freshness, Refresher
from waggle.services.intake import Intake
from waggle.services.message_checks import SendingPolicy
from waggle.services.pulling import FeedPlan, Puller
from waggle.services.sending import Sending, Sent
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop, event
from waggle.testing.feeds import PagedFeed

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
STOCK = FreshnessLimits({"stock": HOUR})


def rules(limits: FreshnessLimits = STOCK, *callers: Caller, valid_for: timedelta = 10 * HOUR) -> SendingPolicy:
    return facts.policy(freshness=Freshness(limits=limits, callers=callers), message_valid_for=valid_for)


async def send(sending: Sending, enrolment_id: str) -> Sent:
    return await sending.send(enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None)


class Erp:
    """An ERP that can be asked for its stock."""

    def __init__(self, store: UnitOfWork, clock: HandClock) -> None:
        self.feed = PagedFeed()
        self._clock = clock
        self._plan = FeedPlan(source="erp", feed=self.feed, covers=("stock",))
        self.refresher = Refresher(Puller(store, Intake(store, clock), clock), [self._plan], store, clock)

    def counts(self, quantity: int) -> None:
        told = len(self.feed.items)
        data = {"sku": "honey", "quantity": quantity}
        self.feed.items.append(event("stock-changed", f"erp-{told}", data, self._clock.now()))


@pytest.fixture
async def stocked(shop: Shop, enrolment_id: str) -> str:
    """An enrolment whose cart holds honey, of which five were there at noon."""
    await shop.tell("stock-changed", {"sku": "honey", "quantity": 5})
    return enrolment_id


async def test_a_message_leaves_while_what_it_rests_on_is_new_enough(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, stocked: str
) -> None:
    clock.advance(HOUR)

    assert (await send(facts.sending(store, clock, sender, rules()), stocked)).outcome == "sent"


async def test_a_message_waits_that_would_rest_on_older_stock(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, shop: Shop, stocked: str
) -> None:
    clock.advance(HOUR + timedelta(seconds=1))
    sending = facts.sending(store, clock, sender, rules())

    held = await send(sending, stocked)

    assert held == Sent("held", "too_stale", clock.now() + timedelta(minutes=5))
    assert sender.delivered == []
    # The ERP counts again, and the message leaves.
    await shop.tell("stock-changed", {"sku": "honey", "quantity": 4})
    assert (await send(sending, stocked)).outcome == "sent"


async def test_without_a_limit_the_same_message_leaves(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, stocked: str
) -> None:
    """The negative control: it is the limit that holds it, nothing else."""
    clock.advance(HOUR + timedelta(seconds=1))

    assert (await send(facts.sending(store, clock, sender, rules(FreshnessLimits({}))), stocked)).outcome == "sent"


async def test_stock_of_which_nobody_ever_told_is_too_old(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, enrolment_id: str
) -> None:
    assert (await send(facts.sending(store, clock, sender, rules()), enrolment_id)).reason == "too_stale"


async def test_a_message_that_waited_in_vain_says_so_at_its_end(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, shop: Shop, stocked: str
) -> None:
    clock.advance(2 * HOUR)
    sending = facts.sending(store, clock, sender, rules(valid_for=timedelta(minutes=8)))
    first = await send(sending, stocked)
    clock.advance(first.next_at - clock.now())
    second = await send(sending, stocked)
    clock.advance(second.next_at - clock.now())

    # The wait does not lengthen its life.
    assert second.next_at - first.next_at == timedelta(minutes=3)
    assert await send(sending, stocked) == Sent("suppressed", "too_stale", clock.now())


async def test_the_sweeper_gives_the_same_reason(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, shop: Shop, stocked: str
) -> None:
    clock.advance(2 * HOUR)
    await send(facts.sending(store, clock, sender, rules()), stocked)
    clock.advance(10 * HOUR)

    assert await shop.relay.sweep() == 1
    message = await shop.message(stocked)
    assert (message.state, message.reason) == ("suppressed", "too_stale")


async def test_an_order_mail_waits_for_nothing_of_the_kind(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, stocked: str
) -> None:
    clock.advance(2 * HOUR)
    sending = facts.sending(store, clock, sender, rules())

    sent = await sending.send(
        enrolment_id=stocked, step="order-mail", template="order-received", coupon_id=None, kind=ORDER
    )

    assert sent.reason != "too_stale"


async def test_an_old_word_that_none_is_left_suppresses_nothing_for_good(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    await shop.tell("stock-changed", {"sku": "honey", "quantity": 0})
    sending = facts.sending(store, clock, sender, rules())
    clock.advance(2 * HOUR)
    assert (await send(sending, enrolment_id)).outcome == "held"

    await shop.tell("stock-changed", {"sku": "honey", "quantity": 0})
    assert await send(sending, enrolment_id) == Sent("suppressed", "out_of_stock", clock.now())


async def test_a_source_that_can_be_asked_is_asked_and_the_message_leaves(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, stocked: str
) -> None:
    clock.advance(2 * HOUR)
    erp = Erp(store, clock)
    sending = facts.sending(store, clock, sender, rules(), erp.refresher)

    # It has no news, so what was told is still so.
    assert (await send(sending, stocked)).outcome == "sent"
    assert len(erp.feed.asked) == 1


async def test_news_of_a_source_that_was_asked_are_applied_before_the_message_leaves(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, shop: Shop, stocked: str
) -> None:
    clock.advance(2 * HOUR)
    erp = Erp(store, clock)
    erp.counts(0)
    sending = facts.sending(store, clock, sender, rules(), erp.refresher)

    with pytest.raises(TemporaryFailure, match="FACTS_PENDING"):
        await send(sending, stocked)
    await shop.relay.apply_events()

    assert (await send(sending, stocked)).reason == "out_of_stock"
    assert sender.delivered == []


async def test_a_source_that_does_not_answer_leaves_the_message_waiting_and_is_not_pressed(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, stocked: str
) -> None:
    clock.advance(2 * HOUR)
    erp = Erp(store, clock)
    erp.feed.trouble = [TemporaryFailure("REST_BUSY", retry_after_s=600)]
    sending = facts.sending(store, clock, sender, rules(), erp.refresher)

    assert (await send(sending, stocked)).reason == "too_stale"
    assert (await send(sending, stocked)).reason == "too_stale"
    assert len(erp.feed.asked) == 1


async def test_what_was_bought_meanwhile_is_asked_for_as_well(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, enrolment_id: str
) -> None:
    sending = facts.sending(store, clock, sender, rules(FreshnessLimits({"order": HOUR})))

    assert (await send(sending, enrolment_id)).reason == "too_stale"
    await store.run(lambda tx: tx.pulling.covered("erp", "order", clock.now()))
    assert (await send(sending, enrolment_id)).outcome == "sent"


async def test_a_source_that_calls_us_covers_its_kinds_until_its_last_call_or_through_a_silence_that_is_normal(
    store: UnitOfWork, clock: HandClock
) -> None:
    caller = Caller(source="shopify", covers=("order",))
    patient = replace(caller, expect_within=3 * HOUR)

    def hear(tx: Transaction) -> None:
        tx.deliveries.add("shopify", "orders/create", "d-1", "sha", clock.now())

    await store.run(hear)
    heard_at = clock.now()
    clock.advance(2 * HOUR)

    async def known(each: Caller) -> list[object]:
        rules = Freshness(callers=[each])
        found = await store.read(lambda tx: rules.known_until(tx, clock.now()))
        return [coverage.covered_until for coverage in found]

    assert await known(caller) == [heard_at]
    assert await known(patient) == [clock.now()]
    clock.advance(2 * HOUR)
    assert await known(patient) == [heard_at]


@pytest.mark.parametrize(
    ("event_type", "kinds"),
    [
        ("stock-changed", ("stock",)),
        ("product-updated", ("product", "price")),
        ("order-shipped", ("order",)),
        ("customers-merged", ("customer",)),
        ("checkout-started", ("cart",)),
        ("consent-given", ("consent",)),
        ("page-viewed", ()),
        ("message-clicked", ()),
    ],
)
def test_each_event_tells_of_its_kinds(event_type: str, kinds: tuple[str, ...]) -> None:
    assert kinds_of(event_type) == kinds
