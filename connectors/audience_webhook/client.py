"""Post who joins and who leaves an audience, signed as Standard Webhooks (specification 1.0.0, read in November 2026).

A member is named by the SHA-256 of the address in lower case without spaces around it, as hexadecimal digits: what
advertising platforms compare with the hashes of their own customers.
"""

import hashlib
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import msgspec
from standardwebhooks import Webhook

from connectors.audience_webhook import AudienceWebhookSettings
from waggle.domain.loopback import is_loopback
from waggle.errors import BadSettings, OutcomeUnknown, PermanentFailure, TemporaryFailure

_RETRY_S = 30.0
_PASSING = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS})


def hashed(email: str) -> str:
    """Return the address as advertising platforms ask for it."""
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()


class AudienceWebhook:
    """An AudienceKeeper. Serves one event loop."""

    def __init__(self, settings: AudienceWebhookSettings) -> None:
        """Take *settings*.

        Raises:
            BadSettings: SETTING_WRONG or PLAINTEXT_REFUSED.
        """
        parts = urlsplit(settings.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise BadSettings("SETTING_WRONG", "audience_webhook: url must look like https://host/path, without user")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise BadSettings("PLAINTEXT_REFUSED", "audience_webhook: url must begin with https://")
        self._settings = settings
        self._signer = _signer(settings)
        self._client: httpx.AsyncClient | None = None

    @property
    def name(self) -> str:
        """As the settings call it."""
        return self._settings.keeper

    async def add(self, audience: str, email: str, *, key: str) -> str:
        """Post that the address joins and return its hash.

        Raises:
            TemporaryFailure: AUDIENCE_UNREACHABLE, AUDIENCE_BUSY.
            PermanentFailure: AUDIENCE_REFUSED.
            OutcomeUnknown: AUDIENCE_ANSWER_LOST.
        """
        member = hashed(email)
        await self._post("add", audience, member, key)
        return member

    async def remove(self, audience: str, member: str, *, key: str) -> None:
        """Post that *member* leaves; the same may be posted any number of times.

        Raises:
            TemporaryFailure: AUDIENCE_UNREACHABLE, AUDIENCE_BUSY, AUDIENCE_ANSWER_LOST.
            PermanentFailure: AUDIENCE_REFUSED.
        """
        try:
            await self._post("remove", audience, member, key)
        except OutcomeUnknown as unknown:
            raise TemporaryFailure(unknown.code, "remove", retry_after_s=_RETRY_S) from unknown

    async def close(self) -> None:
        """End the connections that are kept open."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _post(self, action: str, audience: str, member: str, key: str) -> None:
        content = msgspec.json.encode({"action": action, "audience": audience, "sha256_email": member})
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._settings.timeout_s, trust_env=False, follow_redirects=False)
        try:
            response = await self._client.post(self._settings.url, content=content, headers=self._headers(content, key))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise TemporaryFailure("AUDIENCE_UNREACHABLE", type(error).__name__, retry_after_s=_RETRY_S) from None
        except httpx.HTTPError as error:
            raise OutcomeUnknown("AUDIENCE_ANSWER_LOST", type(error).__name__) from None
        _judge(response.status_code)

    def _headers(self, content: bytes, key: str) -> dict[str, str]:
        # The same for every repeat: by it the receiver knows one.
        message_id = f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"
        now = datetime.now(UTC)
        return {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message_id, now, content.decode()),
        }


def _signer(settings: AudienceWebhookSettings) -> Webhook:
    try:
        return Webhook(settings.secret.reveal())
    except Exception as error:  # the library raises errors of several kinds, one of its own
        raise BadSettings("SETTING_WRONG", "audience_webhook: secret must be whsec_ and base64") from error


def _judge(status: int) -> None:
    """Return if the call was taken; texts of the other side are not quoted, they may hold what was sent."""
    if httpx.codes.is_success(status):
        return
    if status in _PASSING or httpx.codes.is_server_error(status):
        raise TemporaryFailure("AUDIENCE_BUSY", str(status), retry_after_s=_RETRY_S)
    raise PermanentFailure("AUDIENCE_REFUSED", str(status))
