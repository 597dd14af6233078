"""Calls of Saleor: a detached JWS, or HMAC-SHA256 in older shops, over the body alone; neither signs a time.

What an event is called stands in the body (`__typename`), where it is signed, and not only in a header.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.saleor import SaleorSettings
from connectors.saleor.facts import checkout_items, customer_items, order_items, variant_items
from connectors.saleor.signature import is_signed, public_keys
from waggle.domain.foreign import NotUnderstood, Record, decoded
from waggle.domain.signature import MAX_SIGNATURE_CHARS, body_id, hmac_sha256_hex, same
from waggle.errors import Rejected
from waggle.ports.sources import Call, Delivery, WebhookRequest

_SIGNATURE = "saleor-signature"


class SaleorWebhook:
    """A Webhook."""

    answer = b""
    probe = ("waggle_probe", b'{"__typename":"WaggleProbe"}')
    echoes_challenge = False

    def __init__(self, settings: SaleorSettings) -> None:
        self._settings = settings
        self._keys = public_keys(settings.jwks.reveal()) if settings.jwks is not None else {}
        self._secret = settings.secret.reveal() if settings.secret is not None else None

    def verify(self, request: WebhookRequest, now: datetime) -> Call:  # noqa: ARG002 -- Saleor signs no time
        """See `waggle.ports.sources.Webhook`."""
        given = request.headers.get(_SIGNATURE) or request.headers.get(f"x-{_SIGNATURE}") or ""
        if not given:
            raise Rejected("SIGNATURE_MISSING", f"{_SIGNATURE} is missing")
        if len(given) > MAX_SIGNATURE_CHARS or not self._is_signed(given, request.body):
            raise Rejected("SIGNATURE_WRONG", "the body was signed with another key")
        return Call(delivery_id=body_id(request.body))

    def read(self, call: Call, body: bytes, now: datetime) -> Delivery:  # noqa: ARG002 -- all of it is in the body
        """See `waggle.ports.sources.Webhook`."""
        try:
            record = decoded(body)
            # Shops that wrap the answer of the query as GraphQL does are understood, too.
            event = record.record("data", "event") or record
            topic = event.need_text("__typename")
            items = self._items(topic, event)
        except NotUnderstood as error:
            raise Rejected("PAYLOAD_UNREADABLE", str(error)) from None
        return Delivery(delivery_id=call.delivery_id, topic=topic, items=items)

    def sign(self, topic: str, body: bytes, delivery_id: str, now: datetime) -> Mapping[str, str]:  # noqa: ARG002 -- the body alone is signed
        """See `waggle.ports.sources.Webhook`."""
        if self._secret is None:
            raise Rejected("CANNOT_SIGN", "only the shop holds the private key; set secret instead to try it out")
        return {
            "content-type": "application/json",
            "saleor-event": topic,
            _SIGNATURE: hmac_sha256_hex(self._secret, body),
        }

    def _is_signed(self, given: str, body: bytes) -> bool:
        if self._secret is not None:
            return same(given, [hmac_sha256_hex(self._secret, body)])
        return is_signed(given, body, self._keys)

    def _items(self, topic: str, event: Record) -> list[dict[str, Any]]:
        at, consent_key = event.at("issuedAt"), self._settings.consent_key
        if topic in {"CheckoutCreated", "CheckoutUpdated"}:
            return checkout_items(event.record("checkout"), at, consent_key)
        if topic.startswith("Order"):
            return order_items(event.record("order"), at, consent_key, topic)
        if topic in {"CustomerCreated", "CustomerUpdated"}:
            return customer_items(event.record("user"), at, consent_key)
        if topic.startswith("ProductVariant"):
            return variant_items(event.record("productVariant"), at, topic, self._settings.shop_url)
        return []
