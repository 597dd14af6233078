"""Calls of WooCommerce: signed with HMAC-SHA256 over the body alone, without a time.

Topic and ids stand in headers that nobody signs; see `connectors.shopify.webhook` for what follows from that.
"""

import re
from collections.abc import Mapping
from datetime import datetime

from connectors.woocommerce import WooCommerceSettings
from connectors.woocommerce.facts import Items, customer_items, order_items, product_items
from waggle.domain.foreign import NotUnderstood, Record, decoded, envelope
from waggle.domain.secret import revealed
from waggle.domain.signature import MAX_SIGNATURE_CHARS, body_id, hmac_sha256_base64, same
from waggle.errors import Rejected
from waggle.ports.sources import Call, Delivery, WebhookRequest

_SIGNATURE = "x-wc-webhook-signature"
_MOST_HEADER_CHARS = 200
_PING = re.compile(rb"webhook_id=[0-9]{1,18}")
_PINGED = "ping"


class WooCommerceWebhook:
    """A Webhook."""

    answer = b""
    probe = ("waggle.probe", b"{}")
    echoes_challenge = False

    def __init__(self, settings: WooCommerceSettings) -> None:
        self._settings = settings
        self._secrets = revealed(settings.secret, settings.previous_secret)

    def verify(self, request: WebhookRequest, now: datetime) -> Call:  # noqa: ARG002 -- WooCommerce signs no time
        """See `waggle.ports.sources.Webhook`."""
        given = request.headers.get(_SIGNATURE, "")
        if not given:
            if _PING.fullmatch(request.body):
                # Sent unsigned when a webhook is saved, which WooCommerce reports as failed unless it is answered.
                return Call(topic=_PINGED, delivery_id=body_id(request.body))
            raise Rejected("SIGNATURE_MISSING", f"{_SIGNATURE} is missing")
        expected = [hmac_sha256_base64(secret, request.body) for secret in self._secrets]
        if len(given) > MAX_SIGNATURE_CHARS or not same(given, expected):
            raise Rejected("SIGNATURE_WRONG", "the body was signed with another secret")
        named = request.headers.get("x-wc-webhook-delivery-id", "")
        topic = request.headers.get("x-wc-webhook-topic", "")[:_MOST_HEADER_CHARS]
        return Call(
            topic="" if topic == _PINGED else topic,
            delivery_id=named if 0 < len(named) <= _MOST_HEADER_CHARS else body_id(request.body),
        )

    def read(self, call: Call, body: bytes, now: datetime) -> Delivery:  # noqa: ARG002 -- what it says has its own times
        """See `waggle.ports.sources.Webhook`."""
        if call.topic == _PINGED:
            return Delivery(delivery_id=call.delivery_id, topic=_PINGED)
        try:
            items = self._items(call.topic, decoded(body))
        except NotUnderstood as error:
            raise Rejected("PAYLOAD_UNREADABLE", str(error)) from None
        return Delivery(delivery_id=call.delivery_id, topic=call.topic, items=items)

    def sign(self, topic: str, body: bytes, delivery_id: str, now: datetime) -> Mapping[str, str]:  # noqa: ARG002 -- the port's
        """See `waggle.ports.sources.Webhook`."""
        resource, _, event = topic.partition(".")
        return {
            "content-type": "application/json",
            "x-wc-webhook-topic": topic,
            "x-wc-webhook-resource": resource,
            "x-wc-webhook-event": event,
            "x-wc-webhook-delivery-id": delivery_id,
            "x-wc-webhook-source": self._settings.url,
            _SIGNATURE: hmac_sha256_base64(self._secrets[0], body),
        }

    def _items(self, topic: str, record: Record) -> Items:
        match topic:
            case "order.created" | "order.updated" | "order.restored":
                return order_items(record, self._settings.consent_key)
            case "order.deleted":
                # Only its number is left of it.
                return [envelope("order-cancelled", None, {"order_id": record.need_id("id")})]
            case "customer.created" | "customer.updated":
                return customer_items(record, self._settings.consent_key)
            case "product.created" | "product.updated" | "product.restored":
                return product_items(record, self._settings.currency)
        return []
