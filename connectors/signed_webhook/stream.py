"""Post events to a receiver of Standard Webhooks."""

from collections.abc import Sequence

import msgspec

from connectors.signed_webhook import SignedWebhookSettings
from waggle.errors import BadSettings, OutcomeUnknown, TemporaryFailure
from waggle.ports.sources import OutEvent
from waggle.posting.signed import SignedCalls

_RETRY_S = 5.0
_ONE, _BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


class SignedWebhookStream:
    """An EventStream. Serves one event loop."""

    def __init__(self, settings: SignedWebhookSettings) -> None:
        """Take *settings*.

        Raises:
            BadSettings: SETTING_WRONG or PLAINTEXT_REFUSED.
        """
        if settings.batch < 1:
            raise BadSettings("SETTING_WRONG", "signed_webhook: batch must be at least 1")
        self._settings = settings
        self._calls = SignedCalls(
            "WEBHOOK",
            settings.url,
            settings.secret,
            section="signed_webhook",
            allow_private=settings.allow_private,
            allow_plaintext=settings.allow_plaintext,
            timeout_s=settings.timeout_s,
            retry_s=_RETRY_S,
        )

    @property
    def most_at_once(self) -> int:
        """How many events a call holds."""
        return self._settings.batch

    async def publish(self, events: Sequence[OutEvent]) -> None:
        """Post *events* in one call and return once the receiver has taken them; no redirect is followed.

        Raises:
            TemporaryFailure: WEBHOOK_UNREACHABLE, whatever the cause, an address that may not be called among them;
                WEBHOOK_BUSY: it asks for a pause, or is out of order.
            PermanentFailure: WEBHOOK_REFUSED: it does not want this call, with the status.
        """
        single = self._settings.batch == 1
        body = msgspec.json.encode(events[0].item if single else [event.item for event in events])
        about = "\n".join(f"{event.item['source']} {event.item['id']}" for event in events)
        try:
            await self._calls.post(body, _ONE if single else _BATCH, about)
        except OutcomeUnknown:
            # It comes again under the same id, by which the receiver knows it.
            message = "the receiver cannot be reached"
            raise TemporaryFailure("WEBHOOK_UNREACHABLE", message, retry_after_s=_RETRY_S) from None

    async def close(self) -> None:
        """End the connections that are kept open."""
        await self._calls.close()
