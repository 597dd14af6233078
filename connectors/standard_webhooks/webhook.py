"""Calls signed as Standard Webhooks 1.0 asks: HMAC-SHA256 over id, time and body."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.standard_webhooks import StandardWebhooksSettings
from waggle.domain.foreign import NotUnderstood, decoded
from waggle.domain.mapping import MappingProblem
from waggle.domain.secret import revealed
from waggle.domain.signature import standard_refusal, standard_secret, standard_signature
from waggle.errors import Rejected
from waggle.ports.sources import Call, Delivery, WebhookRequest

_MOST_TOPIC_CHARS = 200
_PROBE = "waggle.probe"


class StandardWebhook:
    """A Webhook."""

    answer = b""
    probe = (_PROBE, b'{"type":"waggle.probe"}')
    echoes_challenge = False

    def __init__(self, settings: StandardWebhooksSettings) -> None:
        self._mapping = settings.mapping
        self._keys = [standard_secret(each) for each in revealed(settings.secret, settings.previous_secret)]

    def verify(self, request: WebhookRequest, now: datetime) -> Call:
        """See `waggle.ports.sources.Webhook`."""
        refusal = standard_refusal(request.headers, request.body, self._keys, now)
        if refusal is not None:
            raise Rejected(refusal)
        return Call(delivery_id=request.headers["webhook-id"])

    def read(self, call: Call, body: bytes, now: datetime) -> Delivery:
        """See `waggle.ports.sources.Webhook`."""
        try:
            record = decoded(body)
            topic = (record.text("type") or "")[:_MOST_TOPIC_CHARS]
            items = self._items(dict(record.values), call.delivery_id, now) if topic != _PROBE else []
        except (NotUnderstood, MappingProblem) as error:
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

    def _items(self, record: dict[str, Any], delivery_id: str, now: datetime) -> list[dict[str, Any]]:
        if self._mapping is not None:
            return self._mapping.items(record, now, fallback_id=delivery_id)
        # One envelope as /v1/events takes it; what is wrong with it the intake says.
        record.pop("source", None)
        return [record]
