"""What is known depends on what happened, not on the order in which it came to be known."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waggle.domain.consent import is_given
from waggle.domain.customer import Customer
from waggle.domain.event import Event
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.projections import fact_of, project
from waggle.storage.store import Store, open_store
from waggle.storage.tables import metadata
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAME = "adalovelace"
"""Too long to stand by chance in a hash or in what is sealed."""

EMAILS = st.sampled_from([None, "a@example.com", "b@example.com"])
CUSTOMERS = st.sampled_from([None, "c-1", "c-2"])
LINES = st.sampled_from([[], [{"sku": "honey", "quantity": 1, "unit_price_minor": 5, "name": None}]])


def of(event_type: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    told = st.fixed_dictionaries(fields).map(lambda data: {k: v for k, v in data.items() if v is not None})
    return told.map(lambda data: (event_type, data))


ONE = st.just("c-1")
FACTS = st.one_of(
    of("customer-identified", customer_id=ONE, email=EMAILS, first_name=st.sampled_from([None, "Ada", "Eve"])),
    of("customer-erased", customer_id=ONE),
    of("cart-updated", cart_id=st.just("k-1"), currency=st.just("EUR"), items=LINES, customer_id=CUSTOMERS)
    | of(
        "cart-updated", cart_id=st.just("k-1"), currency=st.just("EUR"), items=LINES, url=st.just("https://x.example")
    ),
    of("order-placed", order_id=st.just("o-1"), currency=st.just("EUR"), total_minor=st.sampled_from([1, 2])),
    of(
        "product-updated",
        sku=st.just("honey"),
        name=st.just("H"),
        price_minor=st.sampled_from([1, 2]),
        currency=st.just("EUR"),
    ),
    of("stock-changed", sku=st.just("honey"), quantity=st.sampled_from([0, 1])),
    of("consent-given", customer_id=ONE),
    of("consent-withdrawn", customer_id=ONE),
)


def told(facts: Sequence[tuple[str, dict[str, Any]]]) -> list[Event]:
    """Events of one minute each."""
    return [
        Event(f"e-{minute}", "shop", event_type, "c-1", NOON + timedelta(minutes=minute), data)
        for minute, (event_type, data) in enumerate(facts)
    ]


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """For many examples, each of which undoes what it did."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('projections') / 'waggle.db'}")
    yield store
    store.close()


class _SeenError(Exception):
    """Ends an example's transaction without storing anything."""


def known_after(store: Store, events: Sequence[Event]) -> list[object]:
    """Return everything that is known after *events* in this order, kept events included."""
    known: list[object] = []

    def work(tx: Transaction) -> None:
        for event in events:
            # Stored as they come, so that an erasure finds what it has to empty.
            tx.events.add(event, NOON, event.id)
            project(tx, event, fact_of(event))
        known.extend(
            [
                tx.customers.get("c-1"),
                tx.carts.get("k-1"),
                tx.orders.get("o-1"),
                tx.products.get("honey"),
                is_given(tx.consents.facts("c-1", "marketing", "email")),
                sorted((stored.event.id, repr(stored.event.data)) for stored in tx.events.pending(100)),
            ]
        )
        raise _SeenError

    async def run() -> None:
        with pytest.raises(_SeenError):
            await store.run(work)

    asyncio.run(run())
    return known


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), facts=st.lists(FACTS, min_size=2, max_size=7))
def test_the_same_events_in_any_order_make_the_same_projections(
    one_store: Store, data: st.DataObject, facts: list[tuple[str, dict[str, Any]]]
) -> None:
    events = told(facts)
    shuffled = data.draw(st.permutations(events))

    assert known_after(one_store, shuffled) == known_after(one_store, events)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=st.lists(FACTS, min_size=1, max_size=5))
def test_events_told_twice_are_known_as_if_told_once(one_store: Store, facts: list[tuple[str, dict[str, Any]]]) -> None:
    events = told(facts)

    assert known_after(one_store, [*events, *events]) == known_after(one_store, events)


async def customer(store: UnitOfWork) -> Customer:
    found = await store.read(lambda tx: tx.customers.get("c-1"))
    assert found is not None
    return found


async def test_a_field_that_is_left_out_keeps_what_was_told_of_it(store: UnitOfWork, shop: Shop) -> None:
    await shop.tell("customer-identified", {"customer_id": "c-1", "email": "a@example.com"})
    shop.clock.advance(timedelta(minutes=1))
    await shop.tell("customer-identified", {"customer_id": "c-1", "first_name": "Ada"})

    known = await customer(store)
    assert (known.email, known.first_name) == ("a@example.com", "Ada")


async def test_a_late_field_is_newer_than_what_is_known_of_it_though_other_fields_are_newer(
    store: UnitOfWork, shop: Shop, clock: HandClock
) -> None:
    start = clock.now()
    clock.advance(timedelta(minutes=3))
    await shop.tell("customer-identified", {"customer_id": "c-1", "email": "old@example.com"}, at=start)
    await shop.tell("customer-identified", {"customer_id": "c-1", "first_name": "Ada"})
    await shop.tell(
        "customer-identified", {"customer_id": "c-1", "email": "new@example.com"}, at=start + timedelta(minutes=1)
    )

    assert (await customer(store)).email == "new@example.com"


async def test_after_an_erasure_nothing_personal_is_left_not_even_in_events_under_another_subject(
    store: UnitOfWork, shop: Shop
) -> None:
    told = {"customer_id": "c-1", "email": f"{NAME}@example.com", "first_name": NAME}
    await shop.accept(
        {
            "specversion": "1.0",
            "id": "e-1",
            "type": "customer-identified",
            "subject": "visitor-7",
            "time": shop.clock.now().isoformat(),
            "data": told,
        }
    )
    await shop.tell("customer-erased", {"customer_id": "c-1"})

    known = await customer(store)
    assert known.erased
    assert (known.email, known.first_name) == (None, None)
    assert NAME not in await everything_in(store)


async def test_what_comes_late_from_before_an_erasure_is_forgotten_on_arrival(
    store: UnitOfWork, shop: Shop, clock: HandClock
) -> None:
    before = clock.now()
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-erased", {"customer_id": "c-1"})
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-identified", {"customer_id": "c-1", "email": "new@example.com"})
    await shop.tell("customer-identified", {"customer_id": "c-1", "first_name": NAME}, at=before)

    known = await customer(store)
    assert not known.erased
    assert (known.email, known.first_name) == ("new@example.com", None)
    assert NAME not in await everything_in(store)


async def everything_in(store: UnitOfWork) -> str:
    """Return every text that the database's tables hold, in lower case."""
    assert isinstance(store, Store)
    with store._engine.connect() as connection:
        rows = [tuple(row) for table in metadata.sorted_tables for row in connection.execute(table.select())]
    return repr(rows).lower()


async def test_an_older_picture_of_a_cart_changes_nothing_but_may_name_its_customer(
    store: UnitOfWork, shop: Shop, clock: HandClock
) -> None:
    before = clock.now()
    clock.advance(timedelta(minutes=5))
    await shop.cart(customer_id=None, items=[])
    await shop.cart(customer_id="c-1", at=before)

    cart = await store.read(lambda tx: tx.carts.get("cart-1"))
    assert cart is not None
    assert (cart.items, cart.customer_id, cart.last_activity_at) == ((), "c-1", clock.now())


async def test_orders_of_a_guest_count_once_the_cart_is_known_to_be_somebodys(store: UnitOfWork, shop: Shop) -> None:
    await shop.order("o-1", cart_id="cart-1")
    await shop.order("o-2", customer_id="c-1")
    await shop.order("o-3", cart_id="cart-2", customer_id="c-2")
    await shop.cart("cart-1", "c-1")
    await shop.cart("cart-2", "c-1")

    orders = await store.read(lambda tx: tx.orders.of_customer("c-1"))

    assert sorted(order.order_id for order in orders) == ["o-1", "o-2"]


async def test_stock_and_product_are_told_apart(store: UnitOfWork, shop: Shop) -> None:
    await shop.tell("stock-changed", {"sku": "honey", "quantity": 0})
    await shop.tell("product-updated", {"sku": "honey", "name": "Honey", "price_minor": 5, "currency": "EUR"})

    product = await store.read(lambda tx: tx.products.get("honey"))
    assert product is not None
    assert (product.quantity, product.name, product.available) == (0, "Honey", False)
