"""Calls of Shopify: signed with HMAC-SHA256 over the body alone, without a time.

Topic, shop and ids stand in headers that nobody signs. So what a call says is taken from its body, the ids of events
are made of what they say, and a topic only says what kind of object the body is.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from connectors.shopify import ShopifySettings
from connectors.shopify.facts import (
    cart_items,
    checkout_items,
    consent_items,
    customer_items,
    fulfilment_items,
    order_items,
    product_items,
    refund_items,
)
from waggle.domain.foreign import NotUnderstood, Record, decoded, envelope
from waggle.domain.secret import revealed
from waggle.domain.signature import MAX_SIGNATURE_CHARS, body_id, hmac_sha256_base64, same
from waggle.errors import Rejected
from waggle.ports.sources import Call, Delivery, RightAsked, WebhookRequest

Reader = Callable[[Record], list[dict[str, Any]]]

_SIGNATURE = "x-shopify-hmac-sha256"
_MOST_HEADER_CHARS = 200
_GID = "gid://shopify/Customer/"
_RIGHTS: dict[str, Literal["access", "erasure"]] = {"customers/data_request": "access", "customers/redact": "erasure"}
_TYPES = {
    "customers": "Customer",
    "fulfillments": "Fulfillment",
    "orders": "Order",
    "products": "Product",
    "refunds": "Refund",
}
_ENDED = {"app/uninstalled": "app-uninstalled", "shop/redact": "shop-erased"}


class ShopifyWebhook:
    """A Webhook."""

    answer = b""
    probe = ("waggle/probe", b"{}")
    echoes_challenge = False

    def __init__(self, settings: ShopifySettings) -> None:
        self._settings = settings
        self._secrets = revealed(settings.secret, settings.previous_secret)
        readers: dict[str, Reader] = {
            "carts/create carts/update": lambda cart: cart_items(cart, settings.currency),
            "checkouts/create checkouts/update": checkout_items,
            "customers/create customers/update customers/enable customers/disable": customer_items,
            "customers/merge": _merged,
            "customers_marketing_consent/update": _consent,
            "fulfillments/create fulfillments/update": fulfilment_items,
            "orders/create orders/updated orders/paid orders/fulfilled orders/partially_fulfilled": order_items,
            "orders/cancelled": order_items,
            "orders/delete": _deleted,
            "products/create products/update": lambda it: product_items(it, settings.currency, settings.shop_url),
            "refunds/create": refund_items,
        }
        self._readers = {topic: reader for topics, reader in readers.items() for topic in topics.split()}

    def verify(self, request: WebhookRequest, now: datetime) -> Call:  # noqa: ARG002 -- Shopify signs no time
        """See `waggle.ports.sources.Webhook`."""
        given = request.headers.get(_SIGNATURE, "")
        if not given:
            raise Rejected("SIGNATURE_MISSING", f"{_SIGNATURE} is missing")
        expected = [hmac_sha256_base64(secret, request.body) for secret in self._secrets]
        if len(given) > MAX_SIGNATURE_CHARS or not same(given, expected):
            raise Rejected("SIGNATURE_WRONG", "the body was signed with another secret")
        shop = request.headers.get("x-shopify-shop-domain", self._settings.domain)
        if shop != self._settings.domain:
            raise Rejected("SIGNATURE_WRONG", "the call is of another shop")
        # One event may come under several topics, with one id: so an id counts within its topic.
        named = request.headers.get("x-shopify-event-id") or request.headers.get("x-shopify-webhook-id") or ""
        return Call(
            topic=request.headers.get("x-shopify-topic", "")[:_MOST_HEADER_CHARS],
            delivery_id=named if 0 < len(named) <= _MOST_HEADER_CHARS else body_id(request.body),
        )

    def read(self, call: Call, body: bytes, now: datetime) -> Delivery:  # noqa: ARG002 -- what it says has its own times
        """See `waggle.ports.sources.Webhook`."""
        try:
            record = decoded(body)
            self._check_shop(record)
            return self._told(call, record)
        except NotUnderstood as error:
            raise Rejected("PAYLOAD_UNREADABLE", str(error)) from None

    def sign(self, topic: str, body: bytes, delivery_id: str, now: datetime) -> Mapping[str, str]:
        """See `waggle.ports.sources.Webhook`."""
        return {
            "content-type": "application/json",
            "x-shopify-topic": topic,
            "x-shopify-shop-domain": self._settings.domain,
            "x-shopify-event-id": delivery_id,
            "x-shopify-webhook-id": delivery_id,
            "x-shopify-triggered-at": now.isoformat(),
            _SIGNATURE: hmac_sha256_base64(self._secrets[0], body),
        }

    def _check_shop(self, record: Record) -> None:
        # Privacy topics name it. With one secret for several shops it must not be possible to erase in another's name.
        shop = record.text("shop_domain")
        if shop is not None and shop != self._settings.domain:
            raise NotUnderstood("$.shop_domain", "this is another shop")

    def _told(self, call: Call, record: Record) -> Delivery:
        topic, delivery_id = call.topic, call.delivery_id
        if topic in _ENDED:
            return Delivery(delivery_id=delivery_id, topic=topic, ended=_ENDED[topic])
        if topic in _RIGHTS:
            customer_id = record.record("customer").id("id")
            asked = [RightAsked(right=_RIGHTS[topic], customer_id=customer_id)] if customer_id else []
            return Delivery(delivery_id=delivery_id, topic=topic, rights=asked)
        reader = self._readers.get(topic)
        if reader is None:
            return Delivery(delivery_id=delivery_id, topic=topic)
        # What an object is it says itself, where it is signed: an order must not pass for a customer by its topic.
        said, meant = record.text("admin_graphql_api_id"), _TYPES.get(topic.partition("/")[0])
        if said is not None and meant is not None and not said.startswith(f"gid://shopify/{meant}/"):
            raise NotUnderstood("$.admin_graphql_api_id", f"an object of the type {meant} belongs to this topic")
        return Delivery(delivery_id=delivery_id, topic=topic, items=reader(record))


def _deleted(order: Record) -> list[dict[str, Any]]:
    # Only its number is left of it.
    return [envelope("order-cancelled", None, {"order_id": order.need_id("id")})]


def _consent(change: Record) -> list[dict[str, Any]]:
    consent, customer_id = change.record("email_marketing_consent"), change.need_id("customer_id")
    return consent_items(consent, customer_id, "email", change.at("updated_at"))


def _merged(merge: Record) -> list[dict[str, Any]]:
    kept, gone = (merge.text(f"admin_graphql_api_customer_{each}_id") or "" for each in ("kept", "deleted"))
    if not kept.startswith(_GID) or not gone.startswith(_GID):
        raise NotUnderstood(merge.where, "two customers belong here")
    told = {"customer_id": kept.removeprefix(_GID), "merged_customer_id": gone.removeprefix(_GID)}
    return [envelope("customers-merged", None, told)]
