"""Calls of Stripe: signed with HMAC-SHA256 over time and body (scheme v1)."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.stripe import StripeSettings
from waggle.domain.foreign import NotUnderstood, Record, decoded, envelope
from waggle.domain.secret import revealed
from waggle.domain.signature import MAX_SIGNATURE_CHARS, hmac_sha256_hex, same, signed_time
from waggle.errors import Rejected
from waggle.ports.sources import Call, Delivery, WebhookRequest

_SIGNATURE = "stripe-signature"

# Where Stripe's smallest unit is not the one of ISO 4217 (docs.stripe.com/currencies, as known in November 2026).
_FACTORS = {"ISK": Decimal("0.01"), "UGX": Decimal("0.01"), "MGA": Decimal(100)}


class StripeWebhook:
    """A Webhook."""

    answer = b""
    probe = ("waggle.probe", b'{"id":"evt_probe","type":"waggle.probe"}')
    echoes_challenge = False

    def __init__(self, settings: StripeSettings) -> None:
        self._settings = settings
        self._secrets = revealed(settings.secret, settings.previous_secret)

    def verify(self, request: WebhookRequest, now: datetime) -> Call:
        """See `waggle.ports.sources.Webhook`."""
        given = request.headers.get(_SIGNATURE, "")
        if not given:
            raise Rejected("SIGNATURE_MISSING", f"{_SIGNATURE} is missing")
        parts = [part.strip().partition("=") for part in given[: MAX_SIGNATURE_CHARS + 1].split(",")]
        times = [value for name, _, value in parts if name == "t"]
        if len(given) > MAX_SIGNATURE_CHARS or len(times) != 1:
            raise Rejected("SIGNATURE_WRONG", "one time belongs into the signature")
        refusal = signed_time(times[0], now)
        if refusal == "SIGNATURE_WRONG":
            raise Rejected(refusal, "the time is no number")
        signed = times[0].encode() + b"." + request.body
        expected = [hmac_sha256_hex(secret, signed) for secret in self._secrets]
        if not any([same(value, expected) for name, _, value in parts if name == "v1"]):  # noqa: C419 -- all of them, whichever is right
            raise Rejected("SIGNATURE_WRONG", "the body was signed with another secret")
        if refusal is not None:
            raise Rejected(refusal)
        return Call()

    def read(self, call: Call, body: bytes, now: datetime) -> Delivery:  # noqa: ARG002 -- all of it is in the body
        """See `waggle.ports.sources.Webhook`."""
        try:
            event = decoded(body)
            topic, event_id = event.text("type") or "", event.need_id("id")
            items = self._items(topic, event)
        except NotUnderstood as error:
            raise Rejected("PAYLOAD_UNREADABLE", str(error)) from None
        return Delivery(delivery_id=event_id, topic=topic, items=items)

    def sign(self, topic: str, body: bytes, delivery_id: str, now: datetime) -> Mapping[str, str]:  # noqa: ARG002 -- both are in the body
        """See `waggle.ports.sources.Webhook`."""
        timestamp = str(int(now.timestamp()))
        signature = hmac_sha256_hex(self._secrets[0], timestamp.encode() + b"." + body)
        return {"content-type": "application/json", _SIGNATURE: f"t={timestamp},v1={signature}"}

    def _items(self, topic: str, event: Record) -> list[dict[str, Any]]:
        at, it = event.at("created"), event.record("data", "object")
        match topic:
            case "payment_intent.amount_capturable_updated":
                return [envelope("payment-authorised", at, self._payment(it, "amount_capturable"))]
            case "payment_intent.succeeded":
                payment = self._payment(it, "amount_received")
                items = [envelope("payment-authorised", at, payment)]
                if payment["order_id"] is not None:
                    whose = {"order_id": payment["order_id"], "customer_id": payment["customer_id"]}
                    items.append(envelope("order-paid", at, whose))
                return items
            case "payment_intent.payment_failed":
                error = it.record("last_payment_error")
                code = error.text("decline_code") or error.text("code")
                return [envelope("payment-failed", at, {**self._payment(it, "amount"), "code": code})]
            case "payment_intent.canceled":
                code = it.text("cancellation_reason") or "canceled"
                return [envelope("payment-failed", at, {**self._payment(it, "amount"), "code": code})]
            case "charge.refunded":
                return self._refund(event, it, at)
        return []

    def _refund(self, event: Record, charge: Record, at: datetime | None) -> list[dict[str, Any]]:
        """Return what went back this time: the charge names the sum so far, and the event what it was before."""
        refund = self._payment(charge, "amount_refunded")
        before = event.record("data", "previous_attributes")
        known = (
            self._payment(charge, "amount_refunded", before)["amount_minor"] if before.whole("amount_refunded") else 0
        )
        refund["amount_minor"] -= known
        refund["payment_id"] = charge.id("payment_intent") or refund["payment_id"]
        refund.pop("cart_id")
        return [envelope("payment-refunded", at, refund)] if refund["amount_minor"] > 0 else []

    def _payment(self, it: Record, amount: str, holder: Record | None = None) -> dict[str, Any]:
        currency = it.currency("currency")
        minor = (holder or it).whole(amount)
        if minor is None:
            raise NotUnderstood(f"{it.where}.{amount}", "an amount in the smallest unit belongs here")
        ours, settings = it.record("metadata"), self._settings
        return {
            "payment_id": it.need_id("id"),
            "amount_minor": int(minor * _FACTORS.get(currency, Decimal(1))),
            "currency": currency,
            "order_id": ours.id(settings.order_key),
            "cart_id": ours.id(settings.cart_key),
            "customer_id": ours.id(settings.customer_key),
        }
