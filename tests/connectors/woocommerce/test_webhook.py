"""What WooCommerce's calls say in our words."""

import pytest

from connectors.woocommerce import WooCommerceSettings
from connectors.woocommerce.facts import order_items
from tests.connectors.vendors import NOW, facts, vendors
from waggle.domain.foreign import decoded
from waggle.errors import BadSettings, Rejected
from waggle.ports.sources import WebhookRequest

VENDOR = vendors()["woocommerce"]
WHOSE = {"order_id": "727", "customer_id": "26"}


def test_an_order_tells_who_bought_what_they_agreed_to_what_they_bought_and_that_it_is_paid() -> None:
    assert facts(VENDOR.told("order.created", "order_created")) == [
        (
            "customer-identified",
            "2026-05-04T09:28:08+00:00",
            {
                "customer_id": "26",
                "email": "jan@example.com",
                "phone": "+48 601 234 567",
                "first_name": "Jan",
                "last_name": "Kowalski",
                "country": "PL",
            },
        ),
        (
            "consent-given",
            "2026-05-04T09:28:02+00:00",
            {"customer_id": "26", "purpose": "marketing", "channel": "email", "mechanism": "checkout"},
        ),
        (
            "order-placed",
            "2026-05-04T09:28:02+00:00",
            {
                **WHOSE,
                "currency": "EUR",
                "total_minor": 2935,
                "items": [
                    {"sku": "WOO-HONEY", "quantity": 2, "unit_price_minor": 300, "name": "Woo Honey"},
                    {"sku": "product-23", "quantity": 1, "unit_price_minor": 1200, "name": "Candle - Tall"},
                ],
                "cart_id": "cart-8841",
                "coupon_code": "spring10",
            },
        ),
        ("order-paid", "2026-05-04T09:28:08+00:00", WHOSE),
    ]


def test_a_completed_order_has_left_the_house() -> None:
    said = facts(VENDOR.told("order.updated", "order_completed"))

    assert said[-1] == ("order-shipped", "2026-05-06T08:00:00+00:00", WHOSE)


def test_what_an_order_said_before_is_the_same_event() -> None:
    before, after = VENDOR.told("order.created", "order_created"), VENDOR.told("order.updated", "order_completed")
    known = {item["id"] for item in before.items}

    assert [item["type"] for item in after.items if item["id"] not in known] == ["customer-identified", "order-shipped"]


def test_the_rest_interface_brings_the_same_facts_as_the_webhook() -> None:
    record = decoded(VENDOR.body("order_created"))

    assert order_items(record, "marketing_opt_in") == list(VENDOR.told("order.created", "order_created").items)


def test_a_guests_cancelled_order_is_of_a_guest() -> None:
    identified, placed, cancelled = facts(VENDOR.told("order.updated", "order_cancelled_guest"))

    assert identified[2]["customer_id"] == "guest-728"
    assert "cart_id" not in placed[2]
    assert cancelled == (
        "order-cancelled",
        "2026-05-04T09:28:08+00:00",
        {"order_id": "728", "customer_id": "guest-728"},
    )


def test_a_refunded_order_came_back() -> None:
    said = facts(VENDOR.told("order.updated", "order_refunded"))

    assert said[-1] == ("order-returned", "2026-05-09T08:00:00+00:00", {**WHOSE, "refund_minor": 2935})


def test_a_deleted_order_was_cancelled_and_has_only_its_number() -> None:
    assert facts(VENDOR.told("order.deleted", "order_deleted")) == [("order-cancelled", None, {"order_id": "727"})]


def test_a_number_without_its_country_is_left_out() -> None:
    identified, consent = facts(VENDOR.told("customer.updated", "customer_updated"))

    assert "phone" not in identified[2]
    assert consent[2]["mechanism"] == "import"


def test_a_product_has_its_price_and_its_stock() -> None:
    assert facts(VENDOR.told("product.updated", "product_updated")) == [
        (
            "product-updated",
            "2026-05-03T00:00:00+00:00",
            {
                "sku": "WOO-HONEY",
                "name": "Woo Honey",
                "price_minor": 300,
                "currency": "EUR",
                "url": "https://shop.example/product/woo-honey/",
                "image_url": "https://shop.example/wp-content/honey.jpg",
            },
        ),
        ("stock-changed", "2026-05-03T00:00:00+00:00", {"sku": "WOO-HONEY", "quantity": 7}),
    ]


@pytest.mark.parametrize("topic", ["coupon.created", "action.woocommerce_add_to_cart", ""])
def test_what_does_not_concern_us_says_nothing(topic: str) -> None:
    assert VENDOR.told(topic, "order_created").items == []


def test_an_order_does_not_pass_for_a_customer_by_its_topic() -> None:
    with pytest.raises(Rejected, match=r"\$\.email"):
        VENDOR.told("customer.updated", "order_created")


def test_the_unsigned_ping_of_a_saved_webhook_is_answered_and_does_nothing() -> None:
    body = b"webhook_id=17"
    call = VENDOR.webhook.verify(WebhookRequest({}, body), NOW)

    assert VENDOR.webhook.read(call, body, NOW).items == ()
    with pytest.raises(Rejected, match="SIGNATURE_MISSING"):
        VENDOR.webhook.verify(WebhookRequest({}, b"webhook_id=17&x=1"), NOW)


def test_a_signed_call_cannot_call_itself_a_ping() -> None:
    body = VENDOR.body()
    call = VENDOR.webhook.verify(WebhookRequest(VENDOR.sign("ping", body, "d-1", NOW), body), NOW)

    assert call.topic == ""


def test_an_unencrypted_shop_is_refused() -> None:
    with pytest.raises(BadSettings, match="WOOCOMMERCE_UNENCRYPTED"):
        WooCommerceSettings(url="http://shop.example", currency="EUR")
