"""Who is in a segment, on a real database, a page at a time."""

from datetime import timedelta
from pathlib import Path

import pytest

from waggle.domain.segment import Segment, SegmentRule
from waggle.errors import BadSettings
from waggle.ports.unit_of_work import UnitOfWork
from waggle.resources import shipped
from waggle.services import segments as segments_module
from waggle.services.segments import Segments, load_segment, load_segments
from waggle.testing.clock import HandClock
from waggle.testing.facts import HONEY, Shop

pytestmark = pytest.mark.anyio


def rule(field: str, word: str, value: object = None, currency: str = "") -> SegmentRule:
    return SegmentRule(field=field, rule=word, value=value, currency=currency)  # type: ignore[arg-type]


def segments(store: UnitOfWork, clock: HandClock, *all_of: SegmentRule) -> Segments:
    return Segments(store, {"s": Segment(name="s", title="S", all_of=all_of)}, clock)


async def members(store: UnitOfWork, clock: HandClock, *all_of: SegmentRule) -> list[str]:
    """Return who is in the segment, page after page."""
    found, cursor, last = [], "", False
    asked = segments(store, clock, *all_of)
    while not last:
        page = await asked.members("s", cursor)
        found += [person.customer_id for person in page.persons]
        cursor, last = page.cursor, page.last
    return found


async def test_pages_of_any_size_name_everybody_once(
    shop: Shop, store: UnitOfWork, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        await shop.customer(f"c-{number}", country="DE" if number % 2 else "PL")

    for size in (1, 2, 3, 7, 100):
        monkeypatch.setattr(segments_module, "PAGE", size)
        assert await members(store, clock, rule("country", "equals", "DE")) == ["c-1", "c-3", "c-5"]
        assert await segments(store, clock, rule("country", "known")).count("s") == 7


async def test_consent_counts_as_it_stands_now(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    await shop.customer("c-1")
    await shop.customer("c-2")
    await shop.customer("c-3")
    clock.advance(timedelta(minutes=1))
    until = clock.now() + timedelta(days=1)
    await shop.tell("consent-withdrawn", {"customer_id": "c-2"})
    await shop.tell("consent-given", {"customer_id": "c-3", "valid_until": until.isoformat()})
    agreed = rule("consent", "given", "marketing/email")

    assert await members(store, clock, agreed) == ["c-1", "c-3"]
    clock.advance(timedelta(days=2))
    assert await members(store, clock, agreed) == ["c-1"]


async def test_orders_count_also_those_of_a_guest_and_not_those_that_came_back(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    await shop.customer("c-1")
    await shop.customer("c-2", anonymous_id="browser-2")
    await shop.customer("c-3")
    await shop.cart("cart-3", "c-3")
    await shop.order("o-1", customer_id="c-1", total_minor=3000)
    await shop.order("o-2", anonymous_id="browser-2", total_minor=4000)
    await shop.order("o-3", cart_id="cart-3", total_minor=5000)
    await shop.tell("order-returned", {"order_id": "o-1"})
    bought = rule("order_count", "at_least", 1)

    assert await members(store, clock, bought) == ["c-2", "c-3"]
    assert await members(store, clock, rule("total_spent", "at_least", 5000, "EUR")) == ["c-3"]
    clock.advance(timedelta(days=3))
    assert await members(store, clock, bought, rule("days_since_order", "equals", 3)) == ["c-2", "c-3"]


async def test_a_cart_counts_until_it_is_ordered_or_emptied(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    for number in (1, 2, 3):
        await shop.customer(f"c-{number}")
        await shop.cart(f"cart-{number}", f"c-{number}", [HONEY])
    await shop.order("o-1", cart_id="cart-1")
    clock.advance(timedelta(minutes=1))
    await shop.cart("cart-2", "c-2", [])

    assert await members(store, clock, rule("has_cart", "equals", value=True)) == ["c-3"]


async def test_a_level_counts_as_it_was_told_last(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    for number in (1, 2):
        await shop.customer(f"c-{number}")
        await shop.tell("tier-changed", {"customer_id": f"c-{number}", "tier": "gold"})
    clock.advance(timedelta(minutes=1))
    await shop.tell("tier-changed", {"customer_id": "c-2", "tier": "silver"})

    assert await members(store, clock, rule("tier", "equals", "gold")) == ["c-1"]
    assert await members(store, clock, rule("tier", "one_of", ("gold", "silver"))) == ["c-1", "c-2"]


async def test_ids_that_are_one_person_are_one_member(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    await shop.customer("c-1", country="DE")
    await shop.customer("c-2")
    await shop.customer("c-3", country="DE")
    await shop.tell("customers-merged", {"customer_id": "c-3", "merged_customer_id": "c-1"})
    await shop.order("o-1", customer_id="c-1")

    for size in (1, 100):
        page = await segments(store, clock, rule("order_count", "equals", 1)).count("s")
        assert (size, page) == (size, 1)
    [one] = await members(store, clock, rule("country", "equals", "DE"))
    assert one in {"c-1", "c-3"}


async def test_who_was_erased_is_in_no_segment(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    await shop.customer("c-1")
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-erased", {"customer_id": "c-1"})

    assert await members(store, clock, rule("consent", "not_given", "marketing/sms")) == []


def test_what_is_shipped_is_right() -> None:
    assert set(load_segments(shipped("config"))) >= {"newsletter-readers", "good-customers-asleep"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('title = "S"', "it names nobody"),
        ('title = "S"\nall = [{ field = "email", rule = "equals", value = "a" }]', "all, rule 1: .*encrypted"),
        ('title = "S"\nall = [{ field = "country", word = "equals" }]', "word"),
        ('title = "S', "SEGMENT_WRONG"),
    ],
)
def test_a_wrong_file_names_file_and_rule(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)

    with pytest.raises(BadSettings, match=said) as raised:
        load_segment(file)

    assert str(file) in raised.value.message
