"""What Shopify's calls say in our words."""

import json
from datetime import UTC, datetime

import pytest

from connectors.shopify import ShopifySettings
from connectors.shopify.facts import order_items
from connectors.shopify.webhook import ShopifyWebhook
from tests.connectors.vendors import NOW, facts, shopify, vendors
from waggle.domain.foreign import decoded
from waggle.domain.secret import Secret
from waggle.errors import BadSettings, Rejected
from waggle.ports.sources import Delivery, RightAsked, WebhookRequest

VENDOR = vendors()["shopify"]
ANNA = "7402150199411"
ORDER = "5123456789012"
IDENTIFIED = (
    "customer-identified",
    "2026-05-04T09:58:02+00:00",
    {
        "customer_id": ANNA,
        "email": "anna@example.com",
        "phone": "+48123456789",
        "first_name": "Anna",
        "last_name": "Nowak",
        "language": "pl-PL",
        "country": "PL",
    },
)
SHOPS_WORD = (
    "consent-given",
    "2026-05-01T07:00:00+00:00",
    {"customer_id": ANNA, "purpose": "marketing", "channel": "email", "mechanism": "import"},
)
TICKED = (
    "consent-given",
    "2026-05-04T09:58:00+00:00",
    {"customer_id": ANNA, "purpose": "marketing", "channel": "email", "mechanism": "checkout"},
)
PLACED = (
    "order-placed",
    "2026-05-04T09:58:00+00:00",
    {
        "order_id": ORDER,
        "currency": "EUR",
        "total_minor": 3599,
        "items": [
            {"sku": "HONEY-500", "quantity": 2, "unit_price_minor": 1250, "name": "Linden honey 500 g"},
            {"sku": "variant-4400002", "quantity": 1, "unit_price_minor": 900, "name": "Beeswax candle"},
        ],
        "customer_id": ANNA,
        "cart_id": "Z2NwLWV1cm9wZS13ZXN0MTowMUhY",
        "checkout_id": "c1a5f0e6b2d94b7f8a1d3c5e7f902b4d",
        "coupon_code": "SPRING10",
    },
)
WHOSE = {"order_id": ORDER, "customer_id": ANNA}


def told(topic: str, sample: str) -> Delivery:
    return VENDOR.told(topic, sample)


def test_an_order_tells_who_bought_what_they_agreed_to_and_what_they_bought() -> None:
    assert facts(told("orders/create", "orders_create")) == [IDENTIFIED, SHOPS_WORD, TICKED, PLACED]


def test_a_paid_order_says_so_with_the_time_at_which_it_was_processed() -> None:
    said = facts(told("orders/paid", "orders_paid"))

    assert said[-1] == ("order-paid", "2026-05-04T09:57:59+00:00", WHOSE)


def test_an_order_that_left_the_house_and_one_that_was_cancelled_say_so() -> None:
    shipped, cancelled = (facts(told(f"orders/{topic}", f"orders_{topic}"))[-1] for topic in ("fulfilled", "cancelled"))

    assert shipped == ("order-shipped", "2026-05-06T07:00:00+00:00", WHOSE)
    assert cancelled == ("order-cancelled", "2026-05-05T06:00:00+00:00", WHOSE)


def test_every_call_about_one_order_repeats_the_same_facts_and_none_twice() -> None:
    created, paid = told("orders/create", "orders_create"), told("orders/updated", "orders_paid")
    known = {item["id"] for item in created.items}

    assert [item["type"] for item in paid.items if item["id"] not in known] == ["order-paid"]


def test_the_admin_interface_brings_the_same_facts_as_the_webhook() -> None:
    record = decoded(VENDOR.body("orders_paid"))

    assert order_items(record) == list(told("orders/paid", "orders_paid").items)


def test_a_guest_is_named_after_the_order() -> None:
    identified, placed = facts(told("orders/create", "orders_create_guest"))

    assert identified[2] == {
        "customer_id": "guest-5123456789013",
        "email": "guest@example.com",
        "first_name": "Anna",
        "last_name": "Nowak",
        "language": "pl-PL",
        "country": "PL",
    }
    assert placed[2]["customer_id"] == "guest-5123456789013"
    assert "cart_id" not in placed[2]


def test_a_delivered_parcel_is_told() -> None:
    assert facts(told("fulfillments/update", "fulfillments_update")) == [
        ("order-delivered", "2026-05-08T12:20:00+00:00", {"order_id": ORDER})
    ]


def test_goods_and_money_that_come_back_are_two_facts() -> None:
    returned, refunded = facts(told("refunds/create", "refunds_create"))

    assert returned == ("order-returned", "2026-05-12T08:00:00+00:00", {"order_id": ORDER, "refund_minor": 900})
    assert refunded == (
        "payment-refunded",
        "2026-05-12T08:00:01+00:00",
        {"payment_id": "3000", "amount_minor": 900, "currency": "EUR", "order_id": ORDER},
    )


def test_a_cart_is_told_without_the_key_in_its_token() -> None:
    assert facts(told("carts/update", "carts_update")) == [
        (
            "cart-updated",
            "2026-05-04T09:45:12.345000+00:00",
            {
                "cart_id": "Z2NwLWV1cm9wZS13ZXN0MTowMUhY",
                "currency": "EUR",
                "items": [{"sku": "HONEY-500", "quantity": 2, "unit_price_minor": 1250, "name": "Linden honey 500 g"}],
            },
        )
    ]


def test_an_emptied_cart_has_the_currency_of_the_shop() -> None:
    [(_, _, data)] = facts(told("carts/update", "carts_update_empty"))

    assert (data["currency"], data["items"]) == ("EUR", [])


def test_a_checkout_tells_whose_the_cart_is_and_where_to_go_on() -> None:
    said = facts(told("checkouts/update", "checkouts_update"))
    cart, checkout = said[-2:]

    assert [each[0] for each in said] == [
        *("customer-identified", "consent-given", "consent-given", "cart-updated", "checkout-started")
    ]
    assert cart[2]["cart_id"] == "Z2NwLWV1cm9wZS13ZXN0MTowMUhY"
    assert cart[2]["customer_id"] == ANNA
    assert checkout[1:] == (
        "2026-05-04T09:47:30+00:00",
        {
            **cart[2],
            "checkout_id": "c1a5f0e6b2d94b7f8a1d3c5e7f902b4d",
            "total_minor": 2999,
        },
    )
    assert cart[2]["url"].startswith("https://honey.example/52/checkouts/")


def test_a_customer_is_told_with_the_consent_that_the_shop_holds() -> None:
    identified, consent = facts(told("customers/update", "customers_update"))

    assert identified[2] == {name: value for name, value in IDENTIFIED[2].items() if name != "language"}
    assert consent == SHOPS_WORD


def test_who_unsubscribes_in_the_shop_withdraws() -> None:
    assert facts(told("customers_marketing_consent/update", "customers_marketing_consent_update")) == [
        (
            "consent-withdrawn",
            "2026-05-09T05:00:00+00:00",
            {"customer_id": ANNA, "purpose": "marketing", "channel": "email", "mechanism": "import"},
        )
    ]


def test_a_tick_that_waits_for_a_confirmation_is_no_consent() -> None:
    order = json.loads(VENDOR.body("orders_create"))
    order["customer"]["email_marketing_consent"]["state"] = "pending"

    said = [item["type"] for item in order_items(decoded(json.dumps(order).encode()))]

    assert said == ["customer-identified", "consent-requested", "order-placed"]


def test_merged_customers_are_merged() -> None:
    assert facts(told("customers/merge", "customers_merge")) == [
        ("customers-merged", None, {"customer_id": ANNA, "merged_customer_id": "7402150199500"})
    ]


def test_each_variant_of_a_product_has_its_price_and_its_stock_if_that_is_counted() -> None:
    assert facts(told("products/update", "products_update")) == [
        (
            "product-updated",
            "2026-05-03T08:00:00+00:00",
            {
                "sku": "HONEY-500",
                "name": "Linden honey, 500 g",
                "price_minor": 1250,
                "currency": "EUR",
                "url": "https://honey.example/products/linden-honey",
                "image_url": "https://cdn.shopify.com/s/files/1/honey.jpg",
            },
        ),
        ("stock-changed", "2026-05-03T08:00:00+00:00", {"sku": "HONEY-500", "quantity": 14}),
        (
            "product-updated",
            "2026-05-03T08:00:00+00:00",
            {
                "sku": "variant-4400003",
                "name": "Linden honey",
                "price_minor": 600,
                "currency": "EUR",
                "url": "https://honey.example/products/linden-honey",
                "image_url": "https://cdn.shopify.com/s/files/1/honey.jpg",
            },
        ),
    ]


@pytest.mark.parametrize("topic", ["inventory_levels/update", "orders/edited", "themes/publish", ""])
def test_what_does_not_concern_us_says_nothing(topic: str) -> None:
    assert not told(topic, "inventory_levels_update").items


def test_the_three_privacy_topics_and_an_uninstalled_app_are_heard() -> None:
    assert told("customers/data_request", "customers_data_request").rights == [
        RightAsked(right="access", customer_id=ANNA)
    ]
    assert told("customers/redact", "customers_redact").rights == [RightAsked(right="erasure", customer_id=ANNA)]
    assert told("shop/redact", "shop_redact").ended == "shop-erased"
    assert told("app/uninstalled", "app_uninstalled").ended == "app-uninstalled"


def test_one_event_under_two_topics_is_two_calls_with_one_id() -> None:
    first, second = told("orders/create", "orders_create"), told("orders/paid", "orders_paid")

    assert (first.delivery_id, second.delivery_id) == ("d-1", "d-1")
    assert first.topic != second.topic


def test_without_an_event_id_a_call_is_known_by_its_webhook_id_and_then_by_its_body() -> None:
    body = VENDOR.body()
    headers = dict(VENDOR.sign("orders/create", body, "e-1", NOW))
    headers["x-shopify-webhook-id"] = "w-1"

    named = []
    for gone in ("", "x-shopify-event-id", "x-shopify-webhook-id"):
        headers.pop(gone, None)
        named.append(VENDOR.webhook.verify(WebhookRequest(headers, body), NOW).delivery_id)

    assert named[:2] == ["e-1", "w-1"]
    assert named[2].startswith("sha256-")


def test_an_order_does_not_pass_for_a_customer_by_its_topic() -> None:
    with pytest.raises(Rejected, match="admin_graphql_api_id"):
        told("customers/update", "orders_create")


def test_the_shop_of_somebody_else_is_refused() -> None:
    body = VENDOR.body()
    headers = {**VENDOR.sign("orders/create", body, "d-1", NOW), "x-shopify-shop-domain": "other.myshopify.com"}
    with pytest.raises(Rejected, match="SIGNATURE_WRONG"):
        VENDOR.webhook.verify(WebhookRequest(headers, body), NOW)

    erasing = VENDOR.body("customers_redact").replace(b"hive-and-honey", b"somebody-else")
    call = VENDOR.webhook.verify(
        WebhookRequest(VENDOR.sign("customers/redact", erasing, "d-1", NOW), erasing), datetime(2026, 5, 4, tzinfo=UTC)
    )
    with pytest.raises(Rejected, match="another shop"):
        VENDOR.webhook.read(call, erasing, NOW)


def test_while_the_secret_is_changed_both_are_good() -> None:
    settings = ShopifySettings(
        domain="hive-and-honey.myshopify.com", currency="EUR", secret=Secret("new"), previous_secret=Secret("right")
    )
    body = VENDOR.body()

    ShopifyWebhook(settings).verify(WebhookRequest(shopify("right").sign("orders/create", body, "d", NOW), body), NOW)


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(BadSettings, match="SHOPIFY_DOMAIN"):
        ShopifySettings(domain="honey.example", currency="EUR")
    with pytest.raises(BadSettings, match="SHOPIFY_UNENCRYPTED"):
        ShopifySettings(domain="h.myshopify.com", currency="EUR", shop_url="http://honey.example")
