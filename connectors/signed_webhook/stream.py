"""Post events, signed as Standard Webhooks (specification 1.0.0, read in November 2026)."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import msgspec
from standardwebhooks import Webhook

from connectors.signed_webhook import SignedWebhookSettings
from connectors.signed_webhook.addresses import resolved
from waggle.domain.loopback import is_loopback
from waggle.errors import BadSettings, PermanentFailure, TemporaryFailure
from waggle.ports.sources import OutEvent

_RETRY_S = 5.0
_RETRY_BUSY_S = 60.0
_ONE, _BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
_MOST_ANSWER_BYTES = 65_536
"""What is longer, or of unknown length, is not read: nothing in it counts, and the connection is given up."""
_PASSING = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS})


class SignedWebhookStream:
    """An EventStream. Serves one event loop."""

    def __init__(self, settings: SignedWebhookSettings) -> None:
        """Take *settings*.

        Raises:
            BadSettings: SETTING_WRONG or PLAINTEXT_REFUSED.
        """
        parts = urlsplit(settings.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise BadSettings("SETTING_WRONG", "signed_webhook: url must look like https://host/path, without user")
        if parts.scheme == "http" and not is_loopback(parts.hostname) and not settings.allow_plaintext:
            raise BadSettings(
                "PLAINTEXT_REFUSED",
                f"signed_webhook: {parts.hostname} is another machine and http:// travels readable: "
                "write https://, or allow_plaintext = true",
            )
        if settings.batch < 1:
            raise BadSettings("SETTING_WRONG", "signed_webhook: batch must be at least 1")
        self._settings = settings
        self._host = parts.hostname
        self._url = httpx.URL(settings.url)
        self._signer = _signer(settings)
        self._client: httpx.AsyncClient | None = None

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
        body = msgspec.json.encode(events[0].item if self._settings.batch == 1 else [event.item for event in events])
        address = await resolved(self._host, self._url.port or 443, allow_private=self._settings.allow_private)
        if address is None:
            raise _unreachable()
        call = self._opened().stream(
            "POST",
            self._url.copy_with(host=address),
            content=body,
            headers=self._headers(events, body),
            # The certificate must be that of the name, though the call goes to the address that was looked at.
            extensions={"sni_hostname": self._host},
        )
        try:
            async with call as response:
                if int(response.headers.get("content-length", _MOST_ANSWER_BYTES + 1)) <= _MOST_ANSWER_BYTES:
                    await response.aread()
        except (httpx.HTTPError, ValueError):
            raise _unreachable() from None
        _judge(response)

    async def close(self) -> None:
        """End the connections that are kept open."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            # No proxy of the surroundings: it would look up the name once more.
            self._client = httpx.AsyncClient(timeout=self._settings.timeout_s, trust_env=False, follow_redirects=False)
        return self._client

    def _headers(self, events: Sequence[OutEvent], body: bytes) -> dict[str, str]:
        # The same for every repeat: by it the receiver knows one.
        named = "\n".join(f"{event.item['source']} {event.item['id']}" for event in events)
        message_id = f"msg_{hashlib.sha256(named.encode()).hexdigest()[:32]}"
        now = datetime.now(UTC)
        return {
            "Host": self._url.netloc.decode("ascii"),
            "Content-Type": _ONE if self._settings.batch == 1 else _BATCH,
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message_id, now, body.decode()),
        }


def _signer(settings: SignedWebhookSettings) -> Webhook:
    try:
        return Webhook(settings.secret.reveal())
    except Exception as error:  # the library raises errors of several kinds, one of its own
        raise BadSettings("SETTING_WRONG", "signed_webhook: secret must be whsec_ and base64") from error


def _unreachable() -> TemporaryFailure:
    # One word for every cause: that of a refused address tells nobody what is behind it.
    return TemporaryFailure("WEBHOOK_UNREACHABLE", "the receiver cannot be reached", retry_after_s=_RETRY_S)


def _judge(response: httpx.Response) -> None:
    status = response.status_code
    if response.is_success:
        return
    if response.is_server_error or status in _PASSING:
        asked = response.headers.get("retry-after", "")
        pause_s = float(asked) if asked.isascii() and asked.isdigit() else _RETRY_BUSY_S
        raise TemporaryFailure("WEBHOOK_BUSY", str(status), retry_after_s=pause_s)
    raise PermanentFailure("WEBHOOK_REFUSED", f"the receiver answers {status}")
