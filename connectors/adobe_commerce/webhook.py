"""Calls of Adobe Commerce: RSA signatures over the body, without a time.

Its webhooks sign the Base64 of the body; Adobe I/O Events signs the body itself, twice, with keys that Adobe uses for
all its customers. Only the keys that are set are believed: a header that says where to fetch one is not followed.
"""

import base64
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from connectors.adobe_commerce import AdobeCommerceSettings
from connectors.adobe_commerce.facts import cart_items, customer_items, order_items, product_items, subscriber_items
from waggle.domain.foreign import NotUnderstood, Record, decoded
from waggle.domain.secret import Secret
from waggle.domain.signature import MAX_SIGNATURE_CHARS, body_id, from_base64, same
from waggle.errors import BadSettings, Rejected
from waggle.ports.sources import Call, Delivery, WebhookRequest

_HOOK_SIGNATURE = "x-adobe-commerce-webhook-signature"
_EVENT_SIGNATURES = ("x-adobe-digital-signature-1", "x-adobe-digital-signature-2")
_TOPIC = "x-waggle-topic"
_EVENT_TOPIC = "io-event"
_LEAST_BITS = 2048
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)

# The part of an event's name behind "com.adobe.commerce.observer." -> what it carries.
_KINDS = {
    "sales_order_save_commit_after": "order",
    "sales_order_place_after": "order",
    "sales_quote_save_commit_after": "cart",
    "sales_quote_save_after": "cart",
    "customer_save_commit_after": "customer",
    "customer_save_after": "customer",
    "newsletter_subscriber_save_commit_after": "subscriber",
    "catalog_product_save_commit_after": "product",
}


class AdobeCommerceWebhook:
    """A Webhook."""

    answer = b'{"op":"success"}'
    """What its webhooks wait for: anything else stops the shopper's order."""
    probe = ("order", b"{}")
    """Never sent: it cannot be signed here."""
    echoes_challenge = True

    def __init__(self, settings: AdobeCommerceSettings) -> None:
        self._settings = settings
        self._hook_keys = _public_keys(settings.public_key)
        self._event_keys = _public_keys(settings.events_public_keys)
        self._readers: dict[str, Callable[[Record], list[dict[str, Any]]]] = {
            "order": order_items,
            "cart": cart_items,
            "customer": customer_items,
            "subscriber": subscriber_items,
            "product": lambda product: product_items(product, settings.currency, settings.shop_url),
        }

    def verify(self, request: WebhookRequest, now: datetime) -> Call:  # noqa: ARG002 -- Adobe signs no time
        """See `waggle.ports.sources.Webhook`."""
        hook = request.headers.get(_HOOK_SIGNATURE, "")
        events = [request.headers[name] for name in _EVENT_SIGNATURES if request.headers.get(name)]
        if not hook and not events:
            raise Rejected("SIGNATURE_MISSING", f"{_HOOK_SIGNATURE} and {_EVENT_SIGNATURES[0]} are missing")
        if hook:
            is_signed = _is_signed(hook, base64.b64encode(request.body), self._hook_keys)
        else:
            is_signed = any(_is_signed(each, request.body, self._event_keys) for each in events)
        if not is_signed:
            raise Rejected("SIGNATURE_WRONG", "the body was signed with another key")
        topic = _EVENT_TOPIC if not hook else request.headers.get(_TOPIC, "")
        return Call(topic=topic if topic in {*self._readers, _EVENT_TOPIC} else "", delivery_id=body_id(request.body))

    def read(self, call: Call, body: bytes, now: datetime) -> Delivery:  # noqa: ARG002 -- what it says has its own times
        """See `waggle.ports.sources.Webhook`."""
        try:
            record = decoded(body)
            return self._event(call, record) if call.topic == _EVENT_TOPIC else self._hook(call, record)
        except NotUnderstood as error:
            raise Rejected("PAYLOAD_UNREADABLE", str(error)) from None

    def sign(self, topic: str, body: bytes, delivery_id: str, now: datetime) -> Mapping[str, str]:  # noqa: ARG002 -- the port's
        """See `waggle.ports.sources.Webhook`."""
        raise Rejected("CANNOT_SIGN", "only the shop holds the private key")

    def _hook(self, call: Call, record: Record) -> Delivery:
        reader = self._readers.get(call.topic)
        if reader is None:
            raise NotUnderstood("$", f"set the header {_TOPIC} of the hook, see connectors/adobe_commerce/README.md")
        told = record.record("data") or record
        told = told.record({"cart": "quote"}.get(call.topic, call.topic)) or told
        return Delivery(delivery_id=call.delivery_id, topic=call.topic, items=reader(told))

    def _event(self, call: Call, record: Record) -> Delivery:
        if not same(record.text("recipient_client_id") or "", [self._settings.client_id]):
            raise NotUnderstood("$.recipient_client_id", "this event is somebody else's")
        event = record.record("event") or record
        name = event.text("type") or ""
        kind = _KINDS.get(name.rpartition(".")[2])
        told = event.record("data", "value") or event.record("data")
        items = self._readers[kind](told) if kind is not None else []
        delivery_id = record.id("event_id") or event.id("id") or call.delivery_id
        return Delivery(delivery_id=delivery_id[:200], topic=name[:200], items=items)


def _public_keys(pem: Secret | None) -> list[RSAPublicKey]:
    if pem is None:
        return []
    keys = []
    for block in _PEM.findall(pem.reveal()):
        try:
            key = load_pem_public_key(block.encode())
        except ValueError:
            raise BadSettings("ADOBE_SIGNING", "a public key is no PEM") from None
        if not isinstance(key, RSAPublicKey) or key.key_size < _LEAST_BITS:
            raise BadSettings("ADOBE_SIGNING", f"public keys are RSA of at least {_LEAST_BITS} bits")
        keys.append(key)
    if not keys:
        raise BadSettings("ADOBE_SIGNING", "there is no -----BEGIN PUBLIC KEY----- in what is set")
    return keys


def _is_signed(given: str, signed: bytes, keys: list[RSAPublicKey]) -> bool:
    signature = from_base64(given) if len(given) <= MAX_SIGNATURE_CHARS else None
    if signature is None:
        return False
    for key in keys:
        try:
            key.verify(signature, signed, PKCS1v15(), SHA256())
        except InvalidSignature:
            continue
        return True
    return False
