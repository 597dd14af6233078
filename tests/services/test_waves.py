"""What thousands wait for is told a few to a transaction, each once, in order, and nobody else is held up."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import pytest

from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.resources import shipped
from waggle.services import enrolling as enrolling_module
from waggle.services import relay as relay_module
from waggle.services.catalogue import load_catalogue
from waggle.services.enrolling import Enrolling
from waggle.services.enrolments import Enrolments
from waggle.services.overview import look
from waggle.services.relay import Relay
from waggle.services.sending import Sending
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop, book
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio

T = TypeVar("T")

AT_ONCE = 2
WATCHERS = tuple(f"c-{number}" for number in range(7))


class KilledError(BaseException):
    """Nobody catches it."""


class WatchedStore:
    """Notes how many engine messages each transaction has queued; dies once, around the one of a given number."""

    def __init__(self, store: UnitOfWork, fatal: int = 0, *, committed: bool = False) -> None:
        self._store = store
        self._fatal = fatal
        self._committed = committed
        self.queued: list[int] = []

    async def run(self, work: Callable[[Transaction], T]) -> T:
        def counted(tx: Transaction) -> tuple[T, int]:
            before = tx.engine_messages.count_due()
            result = work(tx)
            return result, tx.engine_messages.count_due() - before

        fatal = len(self.queued) + 1 == self._fatal
        if fatal and not self._committed:
            self._fatal = 0
            raise KilledError
        result, queued = await self._store.run(counted)
        self.queued.append(queued)
        if fatal:
            raise KilledError
        return result

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._store.read(work)


@pytest.fixture
async def shop(store: UnitOfWork, clock: HandClock, engine: RememberingEngine, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop of whose honey, at 12.90, seven people want to hear when it is back, and when it costs less."""
    monkeypatch.setattr(enrolling_module, "_LOOKED_AT_ONCE", AT_ONCE)
    shop = facts.shop(store, clock, engine, book(enabled=("back-in-stock", "price-drop")))
    await shop.tell("product-updated", {"sku": "honey", "name": "Honey", "price_minor": 1290, "currency": "EUR"})
    for customer_id in WATCHERS:
        await wait(shop, customer_id)
        clock.advance(timedelta(seconds=1))
    await publish(shop)
    engine.taken.clear()
    return shop


async def wait(shop: Shop, customer_id: str) -> None:
    whose = {"customer_id": customer_id, "sku": "honey"}
    await shop.tell("stock-subscription-created", whose)
    await shop.tell("price-watch-created", {**whose, "price_minor": 1290, "currency": "EUR"})


async def publish(shop: Shop) -> None:
    while await shop.relay.publish():
        pass


async def stock(shop: Shop, quantity: int) -> None:
    """Tell the stock, and no further than the first transaction goes."""
    await shop.send("stock-changed", {"sku": "honey", "quantity": quantity})
    await shop.store.run(shop.relay._apply_batch)


async def settle(shop: Shop) -> None:
    while await shop.relay.apply_events():
        pass
    await publish(shop)


async def told(shop: Shop, engine: RememberingEngine, name: str = "stock-changed") -> list[str]:
    """Return who was told, in the order in which they were."""
    ids = [message.enrolment_id for message in engine.taken if message.name == name]

    def whose(tx: Transaction) -> list[str]:
        found = [tx.enrolments.get(each) for each in ids]
        return [each.customer_id for each in found if each is not None and each.customer_id is not None]

    return await shop.store.read(whose)


def relay(shop: Shop, store: UnitOfWork, engine: RememberingEngine) -> Relay:
    enrolling = Enrolling(load_catalogue(shipped("bpmn")), book(enabled=("back-in-stock", "price-drop")))
    return Relay(store, engine, enrolling, shop.clock)


async def test_all_who_wait_are_told_a_few_to_a_transaction(shop: Shop, engine: RememberingEngine) -> None:
    watched = WatchedStore(shop.store)
    await shop.send("price-changed", {"sku": "honey", "price_minor": 990, "currency": "EUR"})
    while await relay(shop, watched, engine).apply_events():
        pass
    await publish(shop)

    assert max(watched.queued) <= AT_ONCE
    assert await told(shop, engine, "price-changed") == list(WATCHERS)
    assert (await look(shop.store)).waves == 0


@pytest.mark.parametrize("committed", [False, True])
async def test_whatever_dies_in_between_everybody_is_told_once(
    shop: Shop, engine: RememberingEngine, *, committed: bool
) -> None:
    fatal = 0
    died = True
    while died:
        fatal += 1
        await shop.send("stock-changed", {"sku": "honey", "quantity": 100})
        try:
            mortal = relay(shop, WatchedStore(shop.store, fatal, committed=committed), engine)
            while await mortal.apply_events():
                pass
            died = False
        except KilledError:
            await settle(shop)
        await publish(shop)
        assert Counter(await told(shop, engine)) == dict.fromkeys(WATCHERS, 1)
        engine.taken.clear()
    assert fatal > len(WATCHERS) / AT_ONCE


async def test_events_of_others_are_applied_before_a_wave_has_reached_its_end(shop: Shop) -> None:
    await stock(shop, 100)
    await shop.cart("cart-1", "c-9")

    assert (await shop.enrolment("cart-1")).entry == 1
    assert (await look(shop.store)).waves > 0


async def test_nothing_about_the_product_waits_for_the_wave(shop: Shop) -> None:
    await stock(shop, 100)

    assert not await shop.store.read(lambda tx: tx.events.any_pending(["honey", *WATCHERS]))


async def test_no_more_are_told_than_there_are_pieces_and_the_others_the_next_time(
    shop: Shop, engine: RememberingEngine, sending: Sending
) -> None:
    await stock(shop, 5)
    await settle(shop)
    assert await told(shop, engine) == list(WATCHERS[:5])

    for message in list(engine.taken):
        await sending.send(enrolment_id=message.enrolment_id, step="mail", template="back-in-stock", coupon_id=None)
    engine.taken.clear()
    await stock(shop, 5)
    await settle(shop)

    # Nobody may be written to here, so what was planned for them ended: they wait as before.
    assert await told(shop, engine) == list(WATCHERS[:5])


async def test_who_is_being_written_to_takes_no_place_however_long_the_line_of_them(
    shop: Shop, engine: RememberingEngine, sending: Sending
) -> None:
    for customer_id in WATCHERS[:5]:
        await shop.customer(customer_id)
    await stock(shop, 5)
    await settle(shop)
    for message in list(engine.taken):
        await sending.send(enrolment_id=message.enrolment_id, step="mail", template="back-in-stock", coupon_id=None)
    engine.taken.clear()

    await stock(shop, 1)
    await settle(shop)

    assert await told(shop, engine) == [WATCHERS[5]]


async def test_who_begins_to_wait_after_the_event_is_not_told_of_it_and_who_has_left_neither(
    shop: Shop, engine: RememberingEngine
) -> None:
    await stock(shop, 100)
    shop.clock.advance(timedelta(seconds=1))
    last = await shop.store.read(lambda tx: tx.enrolments.newest("back-in-stock", f"{WATCHERS[-1]}:honey"))
    assert last is not None
    await Enrolments(shop.store, book(), shop.clock).end(last.enrolment_id, "not_told", "")
    await wait(shop, "c-late")
    await settle(shop)

    assert await told(shop, engine) == list(WATCHERS[:-1])


async def test_nobody_hears_of_a_later_event_before_the_one_before_it(shop: Shop, engine: RememberingEngine) -> None:
    await stock(shop, 100)
    await shop.send("stock-changed", {"sku": "honey", "quantity": 50})
    await settle(shop)

    taken = [message for message in engine.taken if message.name == "stock-changed"]
    heard: dict[str, list[str]] = {}
    for message in taken:
        heard.setdefault(message.enrolment_id, []).append(message.message_id.partition(":")[0])
    first, second = dict.fromkeys(message.message_id.partition(":")[0] for message in taken)
    assert list(heard.values()) == [[first, second]] * len(WATCHERS)


async def test_the_rest_are_not_told_of_a_product_that_is_sold_out_meanwhile(
    shop: Shop, engine: RememberingEngine
) -> None:
    await stock(shop, 100)
    await stock(shop, 0)
    await settle(shop)

    assert await told(shop, engine) == list(WATCHERS[:AT_ONCE])
    assert (await look(shop.store)).waves == 0


async def test_a_wave_waits_while_many_engine_messages_wait_to_be_published(
    shop: Shop, engine: RememberingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "_CROWD", AT_ONCE)
    await stock(shop, 100)
    while await shop.relay.apply_events():
        pass
    assert await shop.store.read(lambda tx: tx.engine_messages.count_due()) <= 2 * AT_ONCE
    assert (await look(shop.store)).under_way > 0

    while (await look(shop.store)).waves:
        await settle(shop)

    assert await told(shop, engine) == list(WATCHERS)


async def test_events_that_many_wait_for_are_not_all_applied_in_one_transaction(
    shop: Shop, engine: RememberingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "_REACTIONS_PER_TRANSACTION", AT_ONCE)
    for number in range(5):
        await shop.send("price-changed", {"sku": "honey", "price_minor": 900 - number, "currency": "EUR"})
    watched = WatchedStore(shop.store)
    while await relay(shop, watched, engine).apply_events():
        pass

    assert sum(watched.queued) == 5 * len(WATCHERS)
    assert max(watched.queued) <= AT_ONCE
