"""A Shopify shop that is asked tells the same as its webhooks, page by page."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.shopify import ShopifySettings
from connectors.shopify.feed import ShopifyFeed
from connectors.shopify.webhook import ShopifyWebhook
from waggle.domain.secret import Secret
from waggle.errors import PermanentFailure
from waggle.ports.sources import Call, Page
from waggle.testing.json_server import Answer, Asked, json_server

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SETTINGS = ShopifySettings(
    domain="honey.myshopify.com", currency="EUR", secret=Secret("s"), access_token=Secret("shpat_1")
)


def order(number: int) -> dict[str, Any]:
    return {
        "id": 5_000_000_000_000 + number,
        "created_at": "2026-05-04T10:00:00+02:00",
        "updated_at": "2026-05-04T10:05:00+02:00",
        "processed_at": "2026-05-04T10:00:01+02:00",
        "currency": "EUR",
        "total_price": "12.50",
        "financial_status": "paid",
        "line_items": [{"sku": "honey", "quantity": 1, "price": "12.50", "title": "Honey"}],
    }


class Shop:
    """Has orders, two a page."""

    def __init__(self, orders: list[dict[str, Any]]) -> None:
        self.orders = orders

    def answer(self, asked: Asked) -> Answer:
        assert asked.headers["x-shopify-access-token"] == "shpat_1"
        resource = asked.path.rsplit("/", 1)[1].removesuffix(".json")
        if resource != "orders":
            return Answer({resource: []})
        start = int(asked.parameters.get("page_info", "0"))
        link = {"Link": f'<http://{asked.headers["host"]}{asked.path}?page_info={start + 2}>; rel="next"'}
        return Answer({"orders": self.orders[start : start + 2]}, headers=link if start + 2 < len(self.orders) else {})


async def read(feed: ShopifyFeed, cursor: str | None, since: datetime | None = None) -> list[Page]:
    pages = [await feed.pull(cursor, since)]
    while pages[-1].more:
        pages.append(await feed.pull(pages[-1].cursor, None))
    return pages


async def test_everything_is_asked_for_page_by_page_and_then_only_what_changed() -> None:
    shop = Shop([order(n) for n in range(3)])
    async with json_server(shop.answer) as server:
        feed = ShopifyFeed(SETTINGS, now=lambda: NOON, address=server.url)
        pages = await read(feed, None, datetime(2026, 5, 1, tzinfo=UTC))
        await feed.pull(pages[-1].cursor, None)
        await feed.close()

    assert [item["type"] for page in pages for item in page.items].count("order-placed") == 3
    assert [asked.path.rsplit("/", 1)[1] for asked in server.asked] == [
        "customers.json",
        "products.json",
        "checkouts.json",
        "orders.json",
        "orders.json",
        "customers.json",
    ]
    assert server.asked[3].parameters["status"] == "any"
    assert server.asked[3].parameters["updated_at_min"].startswith("2026-05-01T00:00:00")
    assert server.asked[5].parameters["updated_at_min"].startswith("2026-05-04T11:55:00")


async def test_an_order_is_the_same_events_whether_it_is_told_or_asked_for() -> None:
    async with json_server(Shop([order(1)]).answer) as server:
        feed = ShopifyFeed(SETTINGS, now=lambda: NOON, address=server.url)
        asked_for = [item for page in await read(feed, None) for item in page.items]
        await feed.close()
    body = json.dumps(order(1)).encode()
    told = ShopifyWebhook(SETTINGS).read(Call(topic="orders/paid", delivery_id="e-1"), body, NOON)

    assert [item["type"] for item in asked_for] == ["order-placed", "order-paid"]
    assert list(told.items) == asked_for


async def test_an_order_that_cannot_be_read_is_given_apart() -> None:
    async with json_server(Shop([order(1), {"id": 7}]).answer) as server:
        feed = ShopifyFeed(SETTINGS, now=lambda: NOON, address=server.url)
        pages = await read(feed, None)
        await feed.close()

    [unread] = [each for page in pages for each in page.unread]
    assert (unread.code, unread.topic, unread.where) == ("PAYLOAD_UNREADABLE", "orders/updated", "$.currency")


async def test_a_next_page_elsewhere_would_get_the_token() -> None:
    elsewhere = {"Link": '<https://elsewhere.example/x>; rel="next"'}
    async with json_server(lambda asked: Answer({"customers": []}, headers=elsewhere)) as server:
        feed = ShopifyFeed(SETTINGS, address=server.url)
        with pytest.raises(PermanentFailure, match="SHOPIFY_NEXT_ELSEWHERE"):
            await feed.pull(None, None)
        await feed.close()


async def test_a_token_without_the_scope_is_a_matter_for_a_person() -> None:
    async with json_server(lambda asked: Answer({}, 403)) as server:
        feed = ShopifyFeed(SETTINGS, address=server.url)
        with pytest.raises(PermanentFailure, match="SHOPIFY_LOGIN_REFUSED"):
            await feed.pull(None, None)
        await feed.close()
