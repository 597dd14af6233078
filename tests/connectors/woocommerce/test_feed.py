"""A WooCommerce shop that is asked tells everything, also what changes while it is being asked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.woocommerce import WooCommerceSettings
from connectors.woocommerce import feed as module
from connectors.woocommerce.feed import WooCommerceFeed
from waggle.domain.secret import Secret
from waggle.errors import BadSettings
from waggle.testing.json_server import Answer, Asked, json_server

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def settings(url: str) -> WooCommerceSettings:
    return WooCommerceSettings(url=url, currency="EUR", consumer_key="ck", consumer_secret=Secret("cs"))


def written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S")


class Shop:
    """Has orders by id, with the time of their last change, and answers as WordPress does."""

    def __init__(self, changed_at: dict[int, datetime], size: int) -> None:
        self.changed_at = changed_at
        self.size = size
        self.asked = 0

    def answer(self, asked: Asked) -> Answer:
        if asked.path.endswith("/products"):
            return Answer([])
        self.asked += 1
        after = datetime.fromisoformat(asked.parameters.get("modified_after", "2000-01-01T00:00:00")).replace(
            tzinfo=UTC
        )
        found = sorted((at, number) for number, at in self.changed_at.items() if at > after)
        page = int(asked.parameters["page"])
        return Answer([self.order(number) for _, number in found[(page - 1) * self.size : page * self.size]])

    def order(self, number: int) -> dict[str, Any]:
        return {
            "id": number,
            "status": "processing",
            "currency": "EUR",
            "total": "12.50",
            "date_created_gmt": "2026-05-01T00:00:00",
            "date_modified_gmt": written(self.changed_at[number]),
            "line_items": [],
        }


async def read(shop: Shop, feed: WooCommerceFeed, change: int | None = None) -> set[str]:
    """Read a round; after its first page of orders the order *change* changes."""
    cursor, more, seen = None, True, set[str]()
    while more:
        page = await feed.pull(cursor, None)
        cursor, more = page.cursor, page.more
        seen |= {item["data"]["order_id"] for item in page.items if item["type"] == "order-placed"}
        if shop.asked == 1 and change is not None:
            shop.changed_at[change] = NOON
    return seen


async def test_an_order_that_changes_while_pages_are_turned_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGE_SIZE", 3)
    shop = Shop({n: NOON - timedelta(hours=20 - n) for n in range(1, 10)}, size=3)
    async with json_server(shop.answer) as server:
        feed = WooCommerceFeed(settings(server.url), now=lambda: NOON)
        seen = await read(shop, feed, change=1)
        await feed.close()

    assert seen == {str(n) for n in range(1, 10)}


async def test_more_changes_of_one_second_than_a_page_holds_are_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGE_SIZE", 3)
    shop = Shop(dict.fromkeys(range(1, 9), NOON - timedelta(hours=1)), size=3)
    async with json_server(shop.answer) as server:
        feed = WooCommerceFeed(settings(server.url), now=lambda: NOON)
        seen = await read(shop, feed)
        await feed.close()

    assert seen == {str(n) for n in range(1, 9)}


async def test_the_next_round_asks_for_what_changed_since_the_last_one_began() -> None:
    shop = Shop({}, size=100)
    async with json_server(shop.answer) as server:
        feed = WooCommerceFeed(settings(server.url), now=lambda: NOON)
        first = await feed.pull(None, None)
        second = await feed.pull(first.cursor, None)
        await feed.pull(second.cursor, None)
        await feed.close()

    assert not second.more
    assert server.asked[2].parameters["modified_after"] == "2026-05-04T11:55:00"
    assert server.asked[2].headers["authorization"] == "Basic Y2s6Y3M="


def test_the_key_is_not_sent_in_the_clear() -> None:
    with pytest.raises(BadSettings):
        WooCommerceFeed(settings("http://shop.example"))
