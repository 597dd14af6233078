"""What Adobe Commerce's calls say in our words."""

import pytest

from connectors.adobe_commerce import AdobeCommerceSettings
from connectors.adobe_commerce.webhook import AdobeCommerceWebhook
from tests.connectors.vendors import NOW, adobe_event_headers, facts, pem, vendors
from waggle.domain.secret import Secret
from waggle.errors import BadSettings, Rejected
from waggle.ports.sources import WebhookRequest

VENDOR = vendors()["adobe_commerce"]
WHOSE = {"order_id": "58", "customer_id": "12"}


def event(body: bytes) -> list[tuple[str, str | None, dict[str, object]]]:
    call = VENDOR.webhook.verify(WebhookRequest(adobe_event_headers("right", body), body), NOW)
    return facts(VENDOR.webhook.read(call, body, NOW))


def test_an_order_tells_who_bought_what_and_its_parts_once() -> None:
    identified, placed = facts(VENDOR.told("order", "order"))

    assert identified[2] == {
        "customer_id": "12",
        "email": "ewa@example.com",
        "first_name": "Ewa",
        "last_name": "Lis",
    }
    assert placed == (
        "order-placed",
        "2026-05-04T10:00:00+00:00",
        {
            **WHOSE,
            "currency": "EUR",
            "total_minor": 4499,
            "items": [
                {"sku": "HONEY-500", "quantity": 2, "unit_price_minor": 1250, "name": "Linden honey 500 g"},
                {"sku": "SET-RED", "quantity": 1, "unit_price_minor": 1999, "name": "Candle set"},
            ],
            "cart_id": "141",
            "coupon_code": "SPRING10",
        },
    )


def test_an_event_of_adobe_io_tells_how_far_an_order_has_come() -> None:
    said = event(VENDOR.body("io_order"))

    assert said[1] == facts(VENDOR.told("order", "order"))[1]
    assert said[2:] == [
        ("order-paid", None, WHOSE),
        ("order-shipped", None, WHOSE),
        ("order-returned", None, {**WHOSE, "refund_minor": 1250}),
    ]


def test_an_event_that_adobe_signed_for_somebody_else_is_not_ours() -> None:
    with pytest.raises(Rejected, match="recipient_client_id"):
        event(VENDOR.body("io_order").replace(b"client-of-hive", b"client-of-else"))


def test_one_good_signature_of_adobe_io_is_enough_and_no_key_is_fetched() -> None:
    body = VENDOR.body("io_order")
    headers = {**adobe_event_headers("right", body), "x-adobe-digital-signature-1": "AAAA"}
    VENDOR.webhook.verify(WebhookRequest(headers, body), NOW)

    with pytest.raises(Rejected, match="SIGNATURE_WRONG"):
        VENDOR.webhook.verify(WebhookRequest(adobe_event_headers("other", body), body), NOW)


def test_a_cart_is_told_with_who_fills_it() -> None:
    identified, cart = facts(VENDOR.told("cart", "cart"))

    assert identified[2]["customer_id"] == "guest-141"
    assert cart == (
        "cart-updated",
        "2026-05-04T09:45:00+00:00",
        {
            "cart_id": "141",
            "currency": "EUR",
            "items": [{"sku": "HONEY-500", "quantity": 2, "unit_price_minor": 1250, "name": "Linden honey 500 g"}],
            "customer_id": "guest-141",
        },
    )


def test_customer_newsletter_and_product_are_told() -> None:
    assert facts(VENDOR.told("customer", "customer"))[0][2]["customer_id"] == "12"
    assert facts(VENDOR.told("subscriber", "subscriber")) == [
        (
            "consent-given",
            "2026-05-01T10:05:00+00:00",
            {"customer_id": "12", "purpose": "marketing", "channel": "email", "mechanism": "import"},
        )
    ]
    assert facts(VENDOR.told("product", "product")) == [
        (
            "product-updated",
            "2026-05-03T10:00:00+00:00",
            {
                "sku": "HONEY-500",
                "name": "Linden honey 500 g",
                "price_minor": 1250,
                "currency": "EUR",
                "url": "https://shop.example/linden-honey.html",
            },
        ),
        ("stock-changed", "2026-05-03T10:00:00+00:00", {"sku": "HONEY-500", "quantity": 14}),
    ]


@pytest.mark.parametrize("topic", ["", "io-event", "x"])
def test_a_hook_without_a_topic_of_ours_is_set_aside(topic: str) -> None:
    with pytest.raises(Rejected, match="PAYLOAD_UNREADABLE"):
        VENDOR.told(topic, "order")


def test_it_is_told_to_go_on_so_that_no_shopper_is_stopped() -> None:
    assert VENDOR.webhook.answer == b'{"op":"success"}'
    with pytest.raises(Rejected, match="CANNOT_SIGN"):
        VENDOR.webhook.sign("order", b"{}", "d-1", NOW)


def test_keys_that_cannot_work_are_refused() -> None:
    with pytest.raises(BadSettings, match="ADOBE_SIGNING"):
        AdobeCommerceSettings(currency="EUR")
    with pytest.raises(BadSettings, match="client_id"):
        AdobeCommerceSettings(currency="EUR", events_public_keys=Secret(pem("right")))
    for wrong in ("", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"):
        with pytest.raises(BadSettings, match="ADOBE_SIGNING"):
            AdobeCommerceWebhook(AdobeCommerceSettings(currency="EUR", public_key=Secret(wrong)))
