"""On either database the shop is told the same of a person, under whichever id it asks."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from waggle.domain.event import Event
from waggle.services.projections import fact_of, project
from waggle.services.reading import Place, Reading
from waggle.storage.store import Store
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
FACTS: list[tuple[str, dict[str, Any]]] = [
    ("customer-identified", {"customer_id": "c-1", "email": "ada@shop.example", "first_name": "Ada"}),
    ("customer-identified", {"customer_id": "c-2", "email": "eve@shop.example", "last_name": "Lovelace"}),
    ("customer-identified", {"customer_id": "c-3", "email": "kim@shop.example"}),
    ("customers-merged", {"customer_id": "c-1", "merged_customer_id": "c-2"}),
    ("consent-given", {"customer_id": "c-2"}),
    ("order-placed", {"order_id": "o-1", "customer_id": "c-1", "currency": "EUR", "total_minor": 5}),
    ("order-placed", {"order_id": "o-2", "customer_id": "c-2", "currency": "EUR", "total_minor": 6}),
    ("cart-updated", {"cart_id": "cart-1", "customer_id": "c-2", "currency": "EUR", "items": []}),
    ("customer-erased", {"customer_id": "c-3"}),
]


@pytest.fixture
async def reading(store: Store) -> Reading:
    for number, (event_type, data) in enumerate(FACTS):
        time = NOON + timedelta(seconds=number)
        event = Event(id=f"e-{number}", source="shop", type=event_type, subject="s", time=time, data=data)
        await store.run(lambda tx, event=event: project(tx, event, fact_of(event)))  # type: ignore[misc]
    return Reading(store, HandClock(NOON))


async def test_two_ids_of_one_person_are_answered_alike(reading: Reading) -> None:
    one, other, erased, unknown = await asyncio.gather(*(reading.customer(ref) for ref in ("c-1", "c-2", "c-3", "c-0")))

    assert one is not None
    assert one == other
    assert (one.first_name, one.last_name) == ("Ada", "Lovelace")
    assert (erased, unknown) == (None, None)
    for ask in (reading.consents, lambda ref: reading.orders(ref, 10, None), lambda ref: reading.carts(ref, 10, None)):
        assert await ask("c-1") == await ask("c-2")


async def test_a_person_is_found_by_each_of_their_addresses(reading: Reading) -> None:
    found = await asyncio.gather(
        *(reading.customers_with("email", f"{name}@shop.example") for name in ("ada", "eve", "kim", "nobody"))
    )

    assert [[each.other_ids for each in some] for some in found] == [[["c-2"]], [["c-2"]], [], []]


async def test_a_list_goes_on_where_it_ended(reading: Reading) -> None:
    first = await reading.orders("c-1", 1, None)
    assert first is not None
    second = await reading.orders("c-1", 1, first.end)
    assert second is not None

    assert [each.order_id for each in (*first.entries, *second.entries)] == ["o-2", "o-1"]
    assert (first.end, second.end) == (Place(NOON + timedelta(seconds=6), "o-2"), None)
