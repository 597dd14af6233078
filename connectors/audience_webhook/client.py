"""Post who joins and who leaves an audience.

A member is named by the SHA-256 of the address in lower case without spaces around it, as hexadecimal digits: what
advertising platforms compare with the hashes of their own customers.
"""

import hashlib

import msgspec

from connectors.audience_webhook import AudienceWebhookSettings
from waggle.errors import OutcomeUnknown, TemporaryFailure
from waggle.posting.signed import SignedCalls

_RETRY_S = 30.0


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
        self._settings = settings
        self._calls = SignedCalls(
            "AUDIENCE",
            settings.url,
            settings.secret,
            section="audience_webhook",
            allow_private=settings.allow_private,
            timeout_s=settings.timeout_s,
            retry_s=_RETRY_S,
        )

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
        await self._calls.close()

    async def _post(self, action: str, audience: str, member: str, key: str) -> None:
        content = msgspec.json.encode({"action": action, "audience": audience, "sha256_email": member})
        await self._calls.post(content, "application/json", key)
