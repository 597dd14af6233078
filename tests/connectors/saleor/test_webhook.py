"""What Saleor's calls say in our words."""

import base64
import json

import pytest

from connectors.saleor import SaleorSettings
from connectors.saleor.webhook import SaleorWebhook
from tests.connectors.vendors import NOW, facts, jwks, saleor_headers, vendors
from waggle.domain.secret import Secret
from waggle.domain.signature import as_base64url
from waggle.errors import BadSettings, Rejected
from waggle.ports.sources import WebhookRequest

VENDOR = vendors()["saleor"]
OLA = "VXNlcjoxMg=="
WHOSE = {"order_id": "T3JkZXI6MTIz", "customer_id": OLA}


def test_an_order_tells_who_bought_what_they_agreed_to_and_what_they_bought() -> None:
    identified, consent, placed = facts(VENDOR.told("", "order_created"))

    assert identified[2] == {
        "customer_id": OLA,
        "email": "ola@example.com",
        "first_name": "Ola",
        "last_name": "Zięba",
        "language": "pl-pl",
    }
    assert consent[2] == {"customer_id": OLA, "purpose": "marketing", "channel": "email", "mechanism": "import"}
    assert placed == (
        "order-placed",
        "2026-05-04T10:00:00.123456+00:00",
        {
            **WHOSE,
            "currency": "EUR",
            "total_minor": 3599,
            "items": [{"sku": "HONEY-500", "quantity": 2, "unit_price_minor": 1250, "name": "Linden honey 500 g"}],
            "cart_id": "Q2hlY2tvdXQ6OTk=",
            "coupon_code": "SPRING10",
        },
    )


def test_later_steps_of_an_order_are_told_by_the_time_of_the_event() -> None:
    assert facts(VENDOR.told("", "order_fully_paid")) == [("order-paid", "2026-05-04T10:02:00+00:00", WHOSE)]
    assert facts(VENDOR.told("", "order_fully_refunded")) == [
        ("order-returned", "2026-05-10T10:02:00+00:00", {**WHOSE, "refund_minor": 3599})
    ]


def test_a_checkout_is_a_cart() -> None:
    identified, cart = facts(VENDOR.told("", "checkout_updated"))

    assert identified[2] == {"customer_id": "guest-Q2hlY2tvdXQ6OTk=", "email": "ola@example.com"}
    assert (cart[0], cart[2]["cart_id"], cart[2]["items"][0]["unit_price_minor"]) == (
        "cart-updated",
        "Q2hlY2tvdXQ6OTk=",
        1250,
    )


def test_a_variant_has_its_price_and_its_stock_also_where_the_answer_is_wrapped() -> None:
    updated, stock = facts(VENDOR.told("", "product_variant_updated"))

    assert updated[2] == {
        "sku": "HONEY-500",
        "name": "Linden honey",
        "price_minor": 1250,
        "currency": "EUR",
        "url": "https://shop.example/products/linden-honey",
        "image_url": "https://shop.example/media/honey.png",
    }
    assert stock[2] == {"sku": "HONEY-500", "quantity": 14}


def test_what_an_event_is_called_is_read_where_it_is_signed() -> None:
    body = VENDOR.body("order_fully_paid")
    headers = {**VENDOR.sign("", body, "d", NOW), "saleor-event": "order_cancelled"}
    call = VENDOR.webhook.verify(WebhookRequest(headers, body), NOW)

    assert [item["type"] for item in VENDOR.webhook.read(call, body, NOW).items] == ["order-paid"]


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "b64": False, "kid": "1"},
        {"alg": "HS256", "b64": False, "kid": "1"},
        {"alg": "RS256", "b64": False, "kid": "2"},
        {"alg": "RS256", "b64": False},
        {"alg": "RS256", "b64": True, "kid": "1"},
        {"alg": "RS256", "b64": False, "kid": "1", "crit": ["exp"]},
        {"alg": "RS256", "b64": False, "kid": "1", "crit": "b64"},
        {"alg": "RS256", "b64": False, "kid": "1", "crit": [1]},
        {},
    ],
    ids=repr,
)
def test_the_token_does_not_choose_how_it_is_checked(header: dict[str, object]) -> None:
    body = VENDOR.body()
    with pytest.raises(Rejected, match="SIGNATURE_WRONG"):
        VENDOR.webhook.verify(WebhookRequest(saleor_headers("right", body, header), body), NOW)


def test_a_token_that_brings_its_own_payload_is_refused() -> None:
    body = VENDOR.body()
    protected, _, signature = saleor_headers("right", body)["saleor-signature"].split(".")
    token = f"{protected}.{as_base64url(body)}.{signature}"

    with pytest.raises(Rejected, match="SIGNATURE_WRONG"):
        VENDOR.webhook.verify(WebhookRequest({"saleor-signature": token}, body), NOW)


def test_an_older_shop_signs_with_a_secret_of_its_own() -> None:
    webhook = SaleorWebhook(SaleorSettings(secret=Secret("right")))
    body = VENDOR.body()

    webhook.verify(WebhookRequest(webhook.sign("order_created", body, "d", NOW), body), NOW)
    with pytest.raises(Rejected, match="SIGNATURE_WRONG"):
        webhook.verify(VENDOR.request(), NOW)
    with pytest.raises(Rejected, match="CANNOT_SIGN"):
        VENDOR.webhook.sign("order_created", body, "d", NOW)


def test_keys_that_cannot_work_are_refused() -> None:
    with pytest.raises(BadSettings, match="not both"):
        SaleorSettings(secret=Secret("a"), jwks=Secret("b"))
    small = {
        "keys": [{"kty": "RSA", "kid": "1", "n": base64.b64encode(b"\x01" * 32).decode().rstrip("="), "e": "AQAB"}]
    }
    for wrong in ("", "[]", "{}", '{"keys": []}', '{"keys": [{"kty": "EC"}]}', '{"keys": [1]}', json.dumps(small)):
        with pytest.raises(BadSettings, match="SALEOR_SIGNING"):
            SaleorWebhook(SaleorSettings(jwks=Secret(wrong)))
    SaleorWebhook(SaleorSettings(jwks=Secret(jwks("right"))))
