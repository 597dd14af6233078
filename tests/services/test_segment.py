from datetime import UTC, datetime
from typing import Any

import pytest

from waggle.services.intake import Translated
from waggle.services.segment import Call, CallKind, Ignored, translated

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)

# As analytics.js sends it from a page of a shop.
ORDER_COMPLETED: dict[str, Any] = {
    "timestamp": "2026-05-04T09:59:58.100Z",
    "integrations": {},
    "userId": "c-1",
    "anonymousId": "3d4a8a0e-5d5c-4f8e-9d61-8a3b7cfa2d10",
    "event": "Order Completed",
    "type": "track",
    "properties": {
        "checkout_id": "checkout-1",
        "order_id": 50314,
        "affiliation": "Web",
        "total": 27.5,
        "subtotal": 22.5,
        "revenue": 25.0,
        "shipping": 3,
        "tax": 2,
        "discount": 2.5,
        "coupon": "HONEY",
        "currency": "eur",
        "cart_id": "cart-1",
        "products": [
            {"product_id": "p-1", "sku": "honey", "name": "Honey", "price": 9.99, "quantity": 2, "category": "Food"},
            {"product_id": "p-2", "price": "5.5"},
        ],
    },
    "context": {
        "page": {
            "path": "/thanks",
            "referrer": "https://pay.example/",
            "search": "?order=50314",
            "title": "Thank you",
            "url": "https://shop.example/thanks?order=50314",
        },
        "userAgent": "Mozilla/5.0",
        "locale": "pl-PL",
        "library": {"name": "analytics.js", "version": "next-1.70.0"},
        "timezone": "Europe/Warsaw",
    },
    "messageId": "ajs-next-1777888798100-5d5c4f8e",
    "writeKey": "key-of-shop",
    "sentAt": "2026-05-04T09:59:59.100Z",
    "_metadata": {"bundled": ["Segment.io"], "unbundled": [], "bundledIds": []},
}


def means(kind: CallKind, message: dict[str, Any], *, sent_at: object = None, currency: str = "") -> dict[str, Any]:
    read = translated(Call(kind, message, sent_at), NOW, currency)
    assert isinstance(read, Translated)
    return read.item


def tracked(event: str, properties: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"event": event, "properties": properties, "anonymousId": "v-1", "messageId": "m-1", **more}


def test_an_order_of_analytics_js_is_an_order() -> None:
    item = means("track", ORDER_COMPLETED)

    assert item == {
        "specversion": "1.0",
        "id": "ajs-next-1777888798100-5d5c4f8e",
        "type": "order-placed",
        "time": "2026-05-04T09:59:59+00:00",
        "data": {
            "order_id": "50314",
            "checkout_id": "checkout-1",
            "cart_id": "cart-1",
            "customer_id": "c-1",
            "anonymous_id": "3d4a8a0e-5d5c-4f8e-9d61-8a3b7cfa2d10",
            "currency": "EUR",
            "total_minor": 2750,
            "coupon_code": "HONEY",
            "items": [
                {"sku": "honey", "quantity": 2, "unit_price_minor": 999, "name": "Honey"},
                {"sku": "p-2", "quantity": 1, "unit_price_minor": 550},
            ],
        },
    }


def test_another_try_of_the_same_call_says_the_same() -> None:
    first = translated(Call("track", ORDER_COMPLETED, None), NOW)
    again = translated(Call("track", ORDER_COMPLETED | {"sentAt": "2026-05-04T10:05:00Z", "_metadata": {}}, None), NOW)

    assert isinstance(first, Translated)
    assert isinstance(again, Translated)
    assert first.said == again.said
    assert first.item["id"] == again.item["id"]


@pytest.mark.parametrize(
    ("timestamp", "sent_at", "happened_at"),
    [
        ("2026-05-04T09:00:00Z", "2026-05-04T09:00:30Z", "2026-05-04T09:59:30+00:00"),
        ("2031-01-01T00:00:00Z", "2031-01-01T00:01:00Z", "2026-05-04T09:59:00+00:00"),
        ("2026-05-04T09:00:00Z", None, "2026-05-04T09:00:00+00:00"),
        ("2026-05-04T12:00:00Z", None, "2026-05-04T10:00:00+00:00"),
        ("2026-05-04T09:00:30Z", "2026-05-04T09:00:00Z", "2026-05-04T10:00:00+00:00"),
        ("2026-05-04T11:00:00.5+02:00", None, "2026-05-04T09:00:00.500000+00:00"),
        ("a while ago", None, "a while ago"),
    ],
)
def test_the_time_is_put_right_by_the_clock_of_the_sender(
    timestamp: str, sent_at: str | None, happened_at: str
) -> None:
    message = tracked("Order Cancelled", {"order_id": "o-1"}, timestamp=timestamp)

    assert means("track", message, sent_at=sent_at)["time"] == happened_at


@pytest.mark.parametrize(
    ("event", "properties", "event_type", "data"),
    [
        (
            "Product Viewed",
            {"product_id": "p-1", "sku": "honey", "url": "https://shop.example/honey"},
            "product-viewed",
            {"sku": "honey", "url": "https://shop.example/honey"},
        ),
        (
            "Product Added",
            {"cart_id": "cart-1", "sku": "honey", "price": 6.5, "quantity": 2, "currency": "EUR", "name": "Honey"},
            "product-added",
            {
                "cart_id": "cart-1",
                "currency": "EUR",
                "sku": "honey",
                "quantity": 2,
                "unit_price_minor": 650,
                "name": "Honey",
            },
        ),
        (
            "product_removed",
            {"cart_id": "cart-1", "product_id": 7},
            "product-removed",
            {"cart_id": "cart-1", "sku": "7", "quantity": 1},
        ),
        (
            "Cart Viewed",
            {"cart_id": "cart-1", "currency": "JPY", "products": [{"sku": "honey", "price": 650}]},
            "cart-updated",
            {
                "cart_id": "cart-1",
                "currency": "JPY",
                "items": [{"sku": "honey", "quantity": 1, "unit_price_minor": 650}],
            },
        ),
        (
            "Checkout Started",
            {"order_id": "o-1", "value": 13, "currency": "EUR", "products": []},
            "checkout-started",
            {"checkout_id": "o-1", "currency": "EUR", "total_minor": 1300, "items": []},
        ),
        (
            "Order Refunded",
            {"order_id": "o-1", "total": 6.5, "currency": "EUR"},
            "order-returned",
            {"order_id": "o-1", "refund_minor": 650},
        ),
        ("Order Cancelled", {"order_id": "o-1"}, "order-cancelled", {"order_id": "o-1"}),
        ("Order Canceled", {"order_id": "o-1"}, "order-cancelled", {"order_id": "o-1"}),
    ],
)
def test_the_words_of_a_shop_are_ours(
    event: str, properties: dict[str, Any], event_type: str, data: dict[str, Any]
) -> None:
    item = means("track", tracked(event, properties))

    assert (item["type"], item["data"]) == (event_type, {"anonymous_id": "v-1", **data})


def test_prices_without_currency_are_in_the_one_that_is_set() -> None:
    message = tracked("Product Added", {"cart_id": "cart-1", "sku": "honey", "price": 6.5})

    assert means("track", message, currency="PLN")["data"]["unit_price_minor"] == 650
    assert means("track", message, currency="PLN")["data"]["currency"] == "PLN"
    assert "unit_price_minor" not in means("track", message)["data"]


def test_a_person_is_identified_by_what_they_told() -> None:
    # As analytics-node sends it.
    message = {
        "userId": "c-1",
        "anonymousId": "v-1",
        "traits": {
            "email": "ada@example.com",
            "firstName": "Ada",
            "last_name": "Lovelace",
            "phone": "+48123456789",
            "birthday": "1990-04-30T00:00:00.000Z",
            "address": {"country": "PL", "street": "Meadow Lane"},
            "plan": "gold",
        },
        "context": {"locale": "pl_PL", "timezone": "Europe/Warsaw", "ip": "192.0.2.7"},
        "timestamp": "2026-05-04T09:00:00Z",
        "type": "identify",
        "messageId": "node-next-1",
    }

    assert means("identify", message)["data"] == {
        "customer_id": "c-1",
        "anonymous_id": "v-1",
        "email": "ada@example.com",
        "phone": "+48123456789",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "birth_date": "1990-04-30",
        "time_zone": "Europe/Warsaw",
        "language": "pl-PL",
        "country": "PL",
    }


def test_a_guest_who_left_an_address_is_somebody() -> None:
    item = means("identify", {"anonymousId": "v-1", "traits": {"email": "ada@example.com"}, "messageId": "m-1"})

    assert item["data"] == {"customer_id": "guest-v-1", "anonymous_id": "v-1", "email": "ada@example.com"}


def test_an_alias_makes_nobody_another_customer() -> None:
    item = means("alias", {"userId": "c-1", "previousId": "v-1", "messageId": "m-1"})

    assert (item["type"], item["data"]) == ("customer-identified", {"customer_id": "c-1", "anonymous_id": "v-1"})


def test_a_page_is_where_its_context_says() -> None:
    item = means("page", ORDER_COMPLETED | {"type": "page", "name": "Thanks", "properties": {}})

    assert (item["type"], item["data"]) == (
        "page-viewed",
        {
            "url": "https://shop.example/thanks?order=50314",
            "title": "Thank you",
            "referrer": "https://pay.example/",
            "customer_id": "c-1",
            "anonymous_id": "3d4a8a0e-5d5c-4f8e-9d61-8a3b7cfa2d10",
        },
    )


@pytest.mark.parametrize(
    ("kind", "message", "what"),
    [
        ("track", tracked("Promotion Viewed", {}), "promotion viewed"),
        ("track", tracked("Order Updated", {"order_id": "o-1"}), "order updated"),
        ("track", tracked("ada@example.com signed up", {}), "another event"),
        ("track", {"messageId": "m-1"}, "another event"),
        ("track", tracked("Cart Viewed", {"cart_id": "cart-1"}), "cart viewed without products"),
        ("identify", {"anonymousId": "v-1", "traits": {"plan": "gold"}}, "identify without userId"),
        ("alias", {"userId": "c-1"}, "alias without userId or previousId"),
        ("group", {"groupId": "g-1", "userId": "c-1"}, "group"),
        ("screen", {"name": "Home", "userId": "c-1"}, "screen"),
    ],
)
def test_what_we_have_no_word_for_is_ignored_in_words_of_ours(
    kind: CallKind, message: dict[str, Any], what: str
) -> None:
    read = translated(Call(kind, message, None), NOW)

    assert isinstance(read, Ignored)
    assert read.what == what


def test_a_call_without_id_that_says_when_is_known_again() -> None:
    message = {"event": "Order Cancelled", "properties": {"order_id": "o-1"}, "timestamp": "2026-05-04T09:00:00Z"}

    assert means("track", message)["id"] == means("track", dict(reversed(message.items())))["id"]


def test_two_calls_without_id_and_time_are_two() -> None:
    message = {"event": "Product Removed", "properties": {"cart_id": "cart-1", "sku": "honey"}}

    assert means("track", message)["id"] != means("track", message)["id"]


@pytest.mark.parametrize("kind", ["track", "identify", "page", "screen", "group", "alias"])
@pytest.mark.parametrize(
    "message",
    [
        {},
        {"event": ["Order Completed"], "properties": "none", "traits": [], "context": 7},
        {"event": "Order Completed", "properties": {"products": [1, None, {"price": {}}], "total": [], "currency": 7}},
        {"event": "Order Completed", "properties": {"total": 1e308, "currency": "EUR", "order_id": {}}},
        {"userId": {"a": 1}, "anonymousId": [], "previousId": True, "messageId": 7, "timestamp": 7, "sentAt": []},
        {"timestamp": "0001-01-01T00:00:00+14:00", "sentAt": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_nothing_that_is_sent_breaks_the_translation(kind: CallKind, message: dict[str, Any]) -> None:
    assert isinstance(translated(Call(kind, message, message.get("sentAt")), NOW), Translated | Ignored)
