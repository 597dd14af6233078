"""Events reach projections and engine in order and once, whatever is away or dies on the way."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import pytest

from waggle.domain.event import Event
from waggle.errors import TemporaryFailure
from waggle.ports.journey_engine import EngineMessage, Published
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.resources import shipped
from waggle.services import projections
from waggle.services import relay as relay_module
from waggle.services.catalogue import load_catalogue
from waggle.services.enrolling import Enrolling
from waggle.services.enrolments import Enrolments
from waggle.services.relay import Relay
from waggle.services.state_rules import StateRules
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop, book
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio

T = TypeVar("T")

LINE = {"sku": "honey", "quantity": 1, "unit_price_minor": 1}


def cart(cart_id: str) -> dict[str, object]:
    return {"cart_id": cart_id, "currency": "EUR", "items": [LINE]}


class ForgetfulStore:
    """A process that dies, once, right before or right after the transaction of a given number."""

    def __init__(self, store: UnitOfWork, fatal: int, *, committed: bool) -> None:
        self._store = store
        self._fatal = fatal
        self._committed = committed
        self.transactions = 0

    async def run(self, work: Callable[[Transaction], T]) -> T:
        self.transactions += 1
        if self.transactions != self._fatal:
            return await self._store.run(work)
        if self._committed:
            await self._store.run(work)
        raise KilledError

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._store.read(work)


class KilledError(BaseException):
    """Nobody catches it."""


async def test_events_are_applied_in_the_order_of_their_arrival(shop: Shop, store: UnitOfWork) -> None:
    at = shop.clock.now()
    for name in ("first", "second"):
        data = {"sku": "honey", "name": name, "price_minor": 1, "currency": "EUR"}
        await shop.send("product-updated", data, at=at)

    assert await shop.relay.apply_events() == 2
    assert await shop.relay.apply_events() == 0

    product = await store.read(lambda tx: tx.products.get("honey"))
    assert product is not None
    assert product.name == "second"


async def test_an_event_that_cannot_be_applied_is_set_aside_and_the_others_go_on(
    shop: Shop, store: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = projections.project

    def choke(tx: Transaction, event: Event, fact: object, rules: StateRules) -> None:
        if event.data.get("cart_id") == "poison":
            tx.carts.get("cart-1")
            raise ValueError("ada@example.com")
        real(tx, event, fact, rules)  # type: ignore[arg-type]

    monkeypatch.setattr(relay_module, "project", choke)
    for cart_id in ("cart-1", "poison", "cart-2"):
        await shop.send("cart-updated", cart(cart_id))

    assert await shop.relay.apply_events() == 3

    [aside] = await store.read(lambda tx: tx.events.quarantined())
    assert (aside.event_id, aside.event_type, aside.code) == ("cart-updated-2", "cart-updated", "ValueError")
    assert await store.read(lambda tx: tx.events.count_pending()) == 0
    assert [(await shop.enrolment(each)).entry for each in ("cart-1", "cart-2")] == [1, 1]


async def test_while_the_engine_is_away_messages_wait_and_go_out_once_when_it_is_back(
    shop: Shop, store: UnitOfWork, engine: RememberingEngine, clock: HandClock
) -> None:
    engine.away = True
    for number in range(20):
        await shop.send("cart-updated", cart(f"cart-{number}"))
    await shop.relay.apply_events()
    for _ in range(10):
        await shop.relay.publish()
        clock.advance(timedelta(seconds=30))
    assert engine.taken == []
    assert await store.read(lambda tx: tx.engine_messages.count_due()) == 20

    engine.away = False
    while await shop.relay.publish():
        pass

    assert len(engine.taken) == 20
    assert engine.repeats == []
    assert await store.read(lambda tx: tx.engine_messages.count_due()) == 0


async def test_the_pause_of_a_message_grows_to_half_a_minute_and_after_a_thousand_tries_is_the_same(
    shop: Shop, store: UnitOfWork, engine: RememberingEngine, clock: HandClock
) -> None:
    engine.away = True
    await shop.send("cart-updated", cart("cart-1"))
    await shop.relay.apply_events()
    waits_s = []
    for _ in range(5):
        await shop.relay.publish()
        waited_s = 0
        while not await store.read(lambda tx: tx.engine_messages.due(clock.now(), 1)):
            clock.advance(timedelta(seconds=5))
            waited_s += 5
        waits_s.append(waited_s)
    assert waits_s == [5, 10, 20, 30, 30]

    [queued] = await store.read(lambda tx: tx.engine_messages.due(clock.now(), 1))

    def fail_a_whole_night(tx: Transaction) -> None:
        for _ in range(1_100):
            tx.engine_messages.postpone(queued.queue_id, clock.now())

    await store.run(fail_a_whole_night)
    await shop.relay.publish()

    assert await store.read(lambda tx: tx.engine_messages.due(clock.now() + timedelta(seconds=29), 1)) == []
    assert len(await store.read(lambda tx: tx.engine_messages.due(clock.now() + timedelta(seconds=30), 1))) == 1


async def test_a_message_that_the_engine_will_never_take_is_put_aside(
    shop: Shop, store: UnitOfWork, engine: RememberingEngine
) -> None:
    engine.refused = {"cart-updated"}
    await shop.cart()
    await shop.relay.publish()

    assert await shop.relay.publish() == 0
    assert await store.read(lambda tx: tx.engine_messages.count_due()) == 0


async def test_a_start_that_nobody_claims_within_a_minute_is_published_again(
    shop: Shop, engine: RememberingEngine, clock: HandClock
) -> None:
    await shop.cart()
    await shop.relay.publish()
    clock.advance(timedelta(seconds=60))
    assert await shop.relay.sweep() == 0
    clock.advance(timedelta(seconds=1))

    assert await shop.relay.sweep() == 1
    await shop.relay.publish()

    [first] = engine.taken
    assert engine.repeats == [first]


async def test_a_start_that_was_claimed_is_not_published_again(
    shop: Shop, store: UnitOfWork, engine: RememberingEngine, clock: HandClock
) -> None:
    await shop.cart()
    await shop.relay.publish()
    await Enrolments(store, book(), clock).open((await shop.enrolment()).enrolment_id, 1)
    clock.advance(timedelta(minutes=5))

    assert await shop.relay.sweep() == 0


async def test_an_enrolment_whose_start_the_engine_refuses_ends_with_the_reason_and_may_come_again(
    shop: Shop, engine: RememberingEngine, clock: HandClock
) -> None:
    await shop.cart()
    started = await shop.enrolment()
    engine.refused = {"cart-updated"}
    await shop.relay.publish()

    assert await shop.relay.sweep() == 1
    assert await shop.relay.sweep() == 0

    ended = await shop.enrolment()
    assert (ended.state, ended.outcome, ended.outcome_reason) == ("ended", "not_started", "VARIABLE_REFUSED")
    assert ended.ended_at == clock.now()
    engine.refused = set()
    await shop.cart()
    again = await shop.enrolment()
    assert (again.state, again.entry, again.enrolment_id != started.enrolment_id) == ("entering", 2, True)


async def test_an_enrolment_that_runs_outlives_the_refusal_of_a_later_message(
    shop: Shop, engine: RememberingEngine, clock: HandClock
) -> None:
    await shop.cart()
    await shop.relay.publish()
    enrolment = await shop.enrolment()
    await Enrolments(shop.store, book(), clock).open(enrolment.enrolment_id, 1)
    engine.refused = {"order-placed"}
    await shop.order(cart_id="cart-1")
    await shop.relay.publish()

    assert await shop.relay.sweep() == 0
    assert (await shop.enrolment()).state == "running"


async def test_only_starts_are_published_again(shop: Shop, engine: RememberingEngine, clock: HandClock) -> None:
    await shop.cart()
    await shop.order(cart_id="cart-1")
    await shop.relay.publish()
    clock.advance(timedelta(minutes=2))
    await shop.relay.sweep()
    await shop.relay.publish()

    assert [message.name for message in engine.repeats] == ["cart-updated"]


@pytest.mark.parametrize("committed", [False, True])
async def test_killed_at_any_transaction_and_started_again_it_loses_nothing_and_repeats_nothing(
    store: UnitOfWork, clock: HandClock, committed: bool
) -> None:
    """A kill right before each transaction, and one right after it: apply, publish and sweep, until none is left."""
    fatal = 0
    while True:
        fatal += 1
        engine = RememberingEngine()
        dying = ForgetfulStore(store, fatal, committed=committed)
        enrolling = Enrolling(load_catalogue(shipped("bpmn")), book())
        shop = facts.shop(store, clock, engine)
        shop.told = fatal * 1000
        mine = f"cart-{committed}-{fatal}"
        await shop.send("cart-updated", cart(mine))
        await shop.send(
            "order-placed", {"order_id": f"o-{fatal}", "currency": "EUR", "total_minor": 1, "cart_id": mine}
        )
        survived = True
        try:
            await work_once(Relay(dying, engine, enrolling, clock), clock)
        except KilledError:
            survived = False
        await work_once(Relay(store, engine, enrolling, clock), clock)

        enrolment_id = (await shop.enrolment(mine)).enrolment_id
        # The order of the two does not matter: an exit waits in the engine for its start.
        assert sorted(m.name for m in engine.taken if m.enrolment_id == enrolment_id) == [
            "cart-updated",
            "order-placed",
        ]
        await Enrolments(store, book(), clock).end(enrolment_id, "ordered", "")
        if survived:
            break
    assert fatal > 3


async def work_once(relay: Relay, clock: HandClock) -> None:
    while await relay.apply_events():
        pass
    while await relay.publish():
        pass
    clock.advance(timedelta(seconds=61))
    await relay.sweep()
    while await relay.publish():
        pass


class WaitingEngine(RememberingEngine):
    """Tells when it has been given something."""

    def __init__(self) -> None:
        super().__init__()
        self.given = asyncio.Event()

    async def publish(self, message: EngineMessage) -> Published:
        self.given.set()
        return await super().publish(message)


class LockedAtFirst:
    """A database that is locked for the first works."""

    def __init__(self, store: UnitOfWork, times: int) -> None:
        self._store = store
        self._times = times

    async def run(self, work: Callable[[Transaction], T]) -> T:
        if self._times:
            self._times -= 1
            raise TemporaryFailure("DATABASE_LOCKED")
        return await self._store.run(work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._store.read(work)


async def test_the_loop_waits_for_a_locked_database_works_and_ends_when_asked(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    engine = WaitingEngine()
    relay = Relay(LockedAtFirst(store, 2), engine, Enrolling(load_catalogue(shipped("bpmn")), book()), clock)
    await shop.send("cart-updated", cart("cart-1"))
    stop = asyncio.Event()
    running = asyncio.create_task(relay.run(stop))

    async with asyncio.timeout(60):
        await engine.given.wait()
        stop.set()
        await running

    assert [message.name for message in engine.taken] == ["cart-updated"]
