"""Each system that calls us, set up twice with other secrets, and how it signs; the keys are made here."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connectors.adobe_commerce import AdobeCommerceSettings
from connectors.adobe_commerce.webhook import AdobeCommerceWebhook
from connectors.payu import PayuSettings
from connectors.payu.webhook import PayuWebhook
from connectors.prestashop import PrestaShopSettings
from connectors.prestashop.webhook import PrestaShopWebhook
from connectors.saleor import SaleorSettings
from connectors.saleor.webhook import SaleorWebhook
from connectors.shopify import ShopifySettings
from connectors.shopify.webhook import ShopifyWebhook
from connectors.standard_webhooks import StandardWebhooksSettings
from connectors.standard_webhooks.webhook import StandardWebhook
from connectors.stripe import StripeSettings
from connectors.stripe.webhook import StripeWebhook
from connectors.woocommerce import WooCommerceSettings
from connectors.woocommerce.webhook import WooCommerceWebhook
from waggle.domain.mapping import RecordMapping, read_mapping
from waggle.domain.secret import Secret
from waggle.domain.signature import as_base64url
from waggle.ports.sources import Delivery, Webhook, WebhookRequest

HERE = Path(__file__).parent
NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)

Sign = Callable[[str, bytes, str, datetime], Mapping[str, str]]


@dataclass(frozen=True)
class Vendor:
    """One system under test."""

    name: str
    webhook: Webhook
    sample: str
    topic: str
    signature: str
    """The header that holds it."""
    sign: Sign
    sign_otherwise: Sign
    """As somebody would who has another secret."""
    signs_time: bool = False

    def body(self, sample: str | None = None) -> bytes:
        return (HERE / self.name / f"{sample or self.sample}.json").read_bytes()

    def request(self, body: bytes | None = None, *, delivery_id: str = "d-1", at: datetime = NOW) -> WebhookRequest:
        body = self.body() if body is None else body
        return WebhookRequest(headers=dict(self.sign(self.topic, body, delivery_id, at)), body=body)

    def told(self, topic: str, sample: str, *, delivery_id: str = "d-1") -> Delivery:
        """What one of its own calls says."""
        body = self.body(sample)
        call = self.webhook.verify(WebhookRequest(self.sign(topic, body, delivery_id, NOW), body), NOW)
        return self.webhook.read(call, body, NOW)


def facts(delivery: Delivery) -> list[tuple[str, str | None, dict[str, Any]]]:
    """Return type, time and data of what a call says; times in UTC."""
    return [(item["type"], item.get("time"), item["data"]) for item in delivery.items]


@cache
def private_key(which: str) -> RSAPrivateKey:
    """Return a key of the test run; *which* tells the right one from another."""
    return generate_private_key(65537, 2048)


def pem(which: str) -> str:
    return private_key(which).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def jwks(which: str) -> str:
    numbers = private_key(which).public_key().public_numbers()
    encoded = {
        name: as_base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))
        for name, value in (("n", numbers.n), ("e", numbers.e))
    }
    return json.dumps({"keys": [{"kty": "RSA", "kid": "1", "use": "sig", **encoded}]})


def rsa_signature(which: str, content: bytes) -> bytes:
    return private_key(which).sign(content, PKCS1v15(), SHA256())


def saleor_headers(which: str, body: bytes, header: Mapping[str, Any] | None = None) -> dict[str, str]:
    said = {"alg": "RS256", "b64": False, "crit": ["b64"], "kid": "1"} if header is None else header
    protected = as_base64url(json.dumps(said).encode())
    signature = as_base64url(rsa_signature(which, protected.encode() + b"." + body))
    return {"saleor-event": "order_created", "saleor-signature": f"{protected}..{signature}"}


def adobe_headers(which: str, topic: str, body: bytes) -> dict[str, str]:
    signature = base64.b64encode(rsa_signature(which, base64.b64encode(body))).decode()
    return {"x-waggle-topic": topic, "x-adobe-commerce-webhook-signature": signature}


def adobe_event_headers(which: str, body: bytes) -> dict[str, str]:
    signature = base64.b64encode(rsa_signature(which, body)).decode()
    return {
        "x-adobe-digital-signature-1": signature,
        "x-adobe-digital-signature-2": signature,
        "x-adobe-public-key1-path": "/prod/keys/pub-key-1.pem",
    }


STOCK_MAPPING: RecordMapping = read_mapping(
    {
        "event": [
            {
                "type": "stock-changed",
                "time": "timestamp",
                "data": {"sku": "data.article", "quantity": {"from": "data.left", "as": "integer"}},
            }
        ]
    },
    "stock",
)

WHSEC = "whsec_" + base64.b64encode(b"the right secret of 32 bytes----").decode()
OTHER_WHSEC = "whsec_" + base64.b64encode(b"another secret, also of 32 bytes").decode()


def shopify(secret: str) -> ShopifyWebhook:
    return ShopifyWebhook(
        ShopifySettings(
            domain="hive-and-honey.myshopify.com",
            currency="EUR",
            secret=Secret(secret),
            shop_url="https://honey.example",
        )
    )


def woocommerce(secret: str) -> WooCommerceWebhook:
    return WooCommerceWebhook(
        WooCommerceSettings(
            url="https://shop.example", currency="EUR", secret=Secret(secret), consent_key="marketing_opt_in"
        )
    )


def adobe_commerce(which: str) -> AdobeCommerceWebhook:
    return AdobeCommerceWebhook(
        AdobeCommerceSettings(
            currency="EUR",
            public_key=Secret(pem(which)),
            events_public_keys=Secret(pem("unused") + pem(which)),
            client_id="client-of-hive",
            shop_url="https://shop.example",
        )
    )


def saleor(which: str) -> SaleorWebhook:
    return SaleorWebhook(
        SaleorSettings(jwks=Secret(jwks(which)), consent_key="marketing", shop_url="https://shop.example")
    )


def stripe_of(secret: str, previous: str = "") -> StripeWebhook:
    return StripeWebhook(StripeSettings(secret=Secret(secret), previous_secret=Secret(previous)))


def standard(secret: str) -> StandardWebhook:
    return StandardWebhook(StandardWebhooksSettings(secret=Secret(secret), mapping=STOCK_MAPPING))


@cache
def vendors() -> dict[str, Vendor]:
    """Return all of them, by the name of the connector."""
    payu = PayuWebhook(PayuSettings(second_key=Secret("right"), pos_id="145227"))
    stripe = stripe_of("whsec_right", previous="whsec_old")
    prestashop = PrestaShopWebhook(PrestaShopSettings(secret=Secret(WHSEC)))
    listed = [
        Vendor(
            name="shopify",
            webhook=shopify("right"),
            sample="orders_create",
            topic="orders/create",
            signature="x-shopify-hmac-sha256",
            sign=shopify("right").sign,
            sign_otherwise=shopify("other").sign,
        ),
        Vendor(
            name="woocommerce",
            webhook=woocommerce("right"),
            sample="order_created",
            topic="order.created",
            signature="x-wc-webhook-signature",
            sign=woocommerce("right").sign,
            sign_otherwise=woocommerce("other").sign,
        ),
        Vendor(
            name="adobe_commerce",
            webhook=adobe_commerce("right"),
            sample="order",
            topic="order",
            signature="x-adobe-commerce-webhook-signature",
            sign=lambda topic, body, _id, _at: adobe_headers("right", topic, body),
            sign_otherwise=lambda topic, body, _id, _at: adobe_headers("other", topic, body),
        ),
        Vendor(
            name="saleor",
            webhook=saleor("right"),
            sample="order_created",
            topic="OrderCreated",
            signature="saleor-signature",
            sign=lambda _topic, body, _id, _at: saleor_headers("right", body),
            sign_otherwise=lambda _topic, body, _id, _at: saleor_headers("other", body),
        ),
        Vendor(
            name="prestashop",
            webhook=prestashop,
            sample="order_validated",
            topic="order-validated",
            signature="webhook-signature",
            sign=prestashop.sign,
            sign_otherwise=PrestaShopWebhook(PrestaShopSettings(secret=Secret(OTHER_WHSEC))).sign,
            signs_time=True,
        ),
        Vendor(
            name="standard_webhooks",
            webhook=standard(WHSEC),
            sample="stock_moved",
            topic="stock.moved",
            signature="webhook-signature",
            sign=standard(WHSEC).sign,
            sign_otherwise=standard(OTHER_WHSEC).sign,
            signs_time=True,
        ),
        Vendor(
            name="stripe",
            webhook=stripe,
            sample="payment_intent_succeeded",
            topic="payment_intent.succeeded",
            signature="stripe-signature",
            sign=stripe.sign,
            sign_otherwise=stripe_of("whsec_other").sign,
            signs_time=True,
        ),
        Vendor(
            name="payu",
            webhook=payu,
            sample="order_completed",
            topic="order.completed",
            signature="openpayu-signature",
            sign=payu.sign,
            sign_otherwise=PayuWebhook(PayuSettings(second_key=Secret("other"))).sign,
        ),
    ]
    return {vendor.name: vendor for vendor in listed}
