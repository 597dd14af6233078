"""Calls of our own module, signed as Standard Webhooks 1.0 asks: HMAC-SHA256 over id, time and body."""

from collections.abc import Mapping
from datetime import datetime

from connectors.prestashop import PrestaShopSettings
from connectors.prestashop.facts import read
from waggle.domain.foreign import NotUnderstood, decoded
from waggle.domain.secret import revealed
from waggle.domain.signature import standard_refusal, standard_secret, standard_signature
from waggle.errors import Rejected
from waggle.ports.sources import Call, Delivery, WebhookRequest


class PrestaShopWebhook:
    """A Webhook."""

    answer = b""
    probe = ("ping", b'{"type":"ping"}')
    echoes_challenge = False

    def __init__(self, settings: PrestaShopSettings) -> None:
        self._keys = [standard_secret(each) for each in revealed(settings.secret, settings.previous_secret)]

    def verify(self, request: WebhookRequest, now: datetime) -> Call:
        """See `waggle.ports.sources.Webhook`."""
        refusal = standard_refusal(request.headers, request.body, self._keys, now)
        if refusal is not None:
            raise Rejected(refusal)
        return Call(delivery_id=request.headers["webhook-id"])

    def read(self, call: Call, body: bytes, now: datetime) -> Delivery:  # noqa: ARG002 -- what it says has its own times
        """See `waggle.ports.sources.Webhook`."""
        try:
            record = decoded(body)
            topic = record.need_text("type")
            items = read(topic, record)
        except NotUnderstood as error:
            raise Rejected("PAYLOAD_UNREADABLE", str(error)) from None
        return Delivery(delivery_id=call.delivery_id, topic=topic, items=items)

    def sign(self, topic: str, body: bytes, delivery_id: str, now: datetime) -> Mapping[str, str]:  # noqa: ARG002 -- the topic is in the body
        """See `waggle.ports.sources.Webhook`."""
        timestamp = str(int(now.timestamp()))
        return {
            "content-type": "application/json",
            "webhook-id": delivery_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": standard_signature(self._keys[0], delivery_id, timestamp, body),
        }
