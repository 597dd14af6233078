"""Notifications of PayU: signed with a hash over body and second key, without a time."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.payu import PayuSettings
from waggle.domain.foreign import NotUnderstood, Record, decoded, envelope
from waggle.domain.signature import MAX_SIGNATURE_CHARS, body_id, same
from waggle.errors import Rejected
from waggle.ports.sources import Call, Delivery, WebhookRequest

_SIGNATURE = "openpayu-signature"
# MD5 is what PayU signs with unless asked otherwise; the other names are those of its documentation and its libraries.
_ALGORITHMS = {"MD5": "md5", "SHA256": "sha256", "SHA-256": "sha256", "SHA384": "sha384", "SHA512": "sha512"}
_HEX = re.compile(r"[0-9a-f]{32,128}", re.ASCII)


class PayuWebhook:
    """A Webhook."""

    answer = b""
    echoes_challenge = False

    def __init__(self, settings: PayuSettings) -> None:
        self._settings = settings
        order = {"orderId": "probe", "merchantPosId": settings.pos_id, "currencyCode": "EUR", "totalAmount": "0"}
        self.probe = ("order.pending", json.dumps({"order": {**order, "status": "PENDING"}}).encode())

    def verify(self, request: WebhookRequest, now: datetime) -> Call:  # noqa: ARG002 -- PayU signs no time
        """See `waggle.ports.sources.Webhook`."""
        given = request.headers.get(_SIGNATURE) or request.headers.get(f"x-{_SIGNATURE}") or ""
        if not given:
            raise Rejected("SIGNATURE_MISSING", f"{_SIGNATURE} is missing")
        if len(given) > MAX_SIGNATURE_CHARS:
            raise Rejected("SIGNATURE_WRONG", "the signature is too long")
        parts = {
            name.strip().lower(): value.strip() for name, _, value in (it.partition("=") for it in given.split(";"))
        }
        algorithm = _ALGORITHMS.get(parts.get("algorithm", "MD5").upper())
        signature = parts.get("signature", "").lower()
        if algorithm is None or not _HEX.fullmatch(signature):
            raise Rejected("SIGNATURE_WRONG", "no signature of a known form")
        if not same(signature, [self._hash(algorithm, request.body)]):
            raise Rejected("SIGNATURE_WRONG", "the body was signed with another key")
        return Call(delivery_id=body_id(request.body))

    def read(self, call: Call, body: bytes, now: datetime) -> Delivery:  # noqa: ARG002 -- all of it is in the body
        """See `waggle.ports.sources.Webhook`."""
        try:
            record = decoded(body)
            topic, items = self._told(record)
        except NotUnderstood as error:
            raise Rejected("PAYLOAD_UNREADABLE", str(error)) from None
        return Delivery(delivery_id=call.delivery_id, topic=topic, items=items)

    def sign(self, topic: str, body: bytes, delivery_id: str, now: datetime) -> Mapping[str, str]:  # noqa: ARG002 -- all of it is in the body
        """See `waggle.ports.sources.Webhook`."""
        signature = self._hash("md5", body)
        return {
            "content-type": "application/json",
            _SIGNATURE: f"sender=checkout;signature={signature};algorithm=MD5;content=DOCUMENT",
        }

    def _hash(self, algorithm: str, body: bytes) -> str:
        signed = body + self._settings.second_key.reveal().encode()
        return hashlib.new(algorithm, signed, usedforsecurity=True).hexdigest()

    def _told(self, record: Record) -> tuple[str, list[dict[str, Any]]]:
        refund, order = record.record("refund"), record.record("order")
        if refund:
            return f"refund.{(refund.text('status') or 'unknown').lower()}", _refund(record, refund)
        pos_id = order.id("merchantPosId")
        if self._settings.pos_id and pos_id != self._settings.pos_id:
            raise NotUnderstood("$.order.merchantPosId", "this is another point of sale")
        status = order.text("status") or ""
        return f"order.{status.lower()}", _payment(record, order, status)


def _payment(record: Record, order: Record, status: str) -> list[dict[str, Any]]:
    payment_id, currency = order.need_id("orderId"), order.currency("currencyCode")
    amount_minor, order_id = order.whole("totalAmount"), order.id("extOrderId")
    if amount_minor is None:
        raise NotUnderstood("$.order.totalAmount", "an amount in the smallest unit belongs here")
    at = record.at("localReceiptDateTime")
    told = {"payment_id": payment_id, "amount_minor": amount_minor, "currency": currency, "order_id": order_id}
    match status:
        case "WAITING_FOR_CONFIRMATION":
            return [envelope("payment-authorised", at, told)]
        case "COMPLETED":
            paid = [envelope("order-paid", at, {"order_id": order_id})] if order_id else []
            return [envelope("payment-authorised", at, told), *paid]
        case "CANCELED" | "REJECTED":
            return [envelope("payment-failed", at, {**told, "code": status.lower()})]
    return []


def _refund(record: Record, refund: Record) -> list[dict[str, Any]]:
    if refund.text("status") != "FINALIZED":
        return []
    amount_minor = refund.whole("amount")
    if amount_minor is None:
        raise NotUnderstood("$.refund.amount", "an amount in the smallest unit belongs here")
    told = {
        "payment_id": record.need_id("orderId"),
        "amount_minor": amount_minor,
        "currency": refund.currency("currencyCode"),
        "order_id": record.id("extOrderId"),
    }
    at = refund.at("statusDateTime") or refund.at("refundDate")
    # Two refunds of one amount on one day are two.
    return [envelope("payment-refunded", at, told, salt=refund.id("refundId") or "")]
