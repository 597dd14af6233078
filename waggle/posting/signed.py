"""Calls signed as Standard Webhooks (specification 1.0.0, read in November 2026)."""

import hashlib
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook

from waggle.domain.loopback import is_loopback
from waggle.domain.secret import Secret
from waggle.errors import BadSettings, OutcomeUnknown, PermanentFailure, TemporaryFailure
from waggle.posting.addresses import resolved

_RETRY_BUSY_S = 60.0
_MOST_ANSWER_BYTES = 65_536
"""What is longer, or of unknown length, is not read: nothing in it counts, and the connection is given up."""
_PASSING = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS})
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class SignedCalls:
    """Calls one receiver; opens nothing before the first call. Serves one event loop."""

    def __init__(  # noqa: PLR0913 -- each is a setting of the receiver's
        self,
        name: str,
        url: str,
        secret: Secret,
        *,
        section: str,
        allow_private: bool,
        allow_plaintext: bool = False,
        timeout_s: float,
        retry_s: float,
    ) -> None:
        """*name* in capitals begins the codes of its errors; *section* is where its settings stand.

        Raises:
            BadSettings: SETTING_WRONG or PLAINTEXT_REFUSED.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise BadSettings("SETTING_WRONG", f"{section}: url must look like https://host/path, without user")
        if parts.scheme == "http" and not is_loopback(parts.hostname) and not allow_plaintext:
            raise BadSettings(
                "PLAINTEXT_REFUSED",
                f"{section}: {parts.hostname} is another machine and http:// travels readable: begin url with https://",
            )
        self._name = name
        self._host = parts.hostname
        self._url = httpx.URL(url)
        self._signer = _signer(secret, section)
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        self._retry_s = retry_s
        self._client: httpx.AsyncClient | None = None

    async def post(self, content: bytes, content_type: str, about: str) -> None:
        """Return once the receiver has taken *content*; no redirect is followed.

        What it is *about* is the same for every repeat: from it follows the id by which the receiver knows one.

        Raises:
            TemporaryFailure: _UNREACHABLE, whatever the cause, an address that may not be called among them: nothing
                was sent. _BUSY: it asks for a pause, or is out of order.
            OutcomeUnknown: _ANSWER_LOST: the call went out.
            PermanentFailure: _REFUSED: it does not want this call, with the status.
        """
        address = await resolved(self._host, self._url.port or 443, allow_private=self._allow_private)
        if address is None:
            raise self._unreachable()
        call = self._opened().stream(
            "POST",
            self._url.copy_with(host=address),
            content=content,
            headers=self._headers(content, content_type, about),
            # The certificate must be that of the name, though the call goes to the address that was looked at.
            extensions={"sni_hostname": self._host},
        )
        try:
            async with call as response:
                if int(response.headers.get("content-length", _MOST_ANSWER_BYTES + 1)) <= _MOST_ANSWER_BYTES:
                    await response.aread()
        except _NEVER_SENT:
            raise self._unreachable() from None
        except (httpx.HTTPError, ValueError) as error:
            raise OutcomeUnknown(f"{self._name}_ANSWER_LOST", type(error).__name__) from None
        self._judge(response)

    async def close(self) -> None:
        """End the connections that are kept open."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            # No proxy of the surroundings: it would look up the name once more.
            self._client = httpx.AsyncClient(timeout=self._timeout_s, trust_env=False, follow_redirects=False)
        return self._client

    def _headers(self, content: bytes, content_type: str, about: str) -> dict[str, str]:
        message_id = f"msg_{hashlib.sha256(about.encode()).hexdigest()[:32]}"
        now = datetime.now(UTC)
        return {
            "Host": self._url.netloc.decode("ascii"),
            "Content-Type": content_type,
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message_id, now, content.decode()),
        }

    def _unreachable(self) -> TemporaryFailure:
        # One word for every cause: that of a refused address tells nobody what is behind it.
        return TemporaryFailure(
            f"{self._name}_UNREACHABLE", "the receiver cannot be reached", retry_after_s=self._retry_s
        )

    def _judge(self, response: httpx.Response) -> None:
        # Texts of the other side are not quoted: they may hold what was sent.
        status = response.status_code
        if response.is_success:
            return
        if response.is_server_error or status in _PASSING:
            asked = response.headers.get("retry-after", "")
            pause_s = float(asked) if asked.isascii() and asked.isdigit() else _RETRY_BUSY_S
            raise TemporaryFailure(f"{self._name}_BUSY", str(status), retry_after_s=pause_s)
        raise PermanentFailure(f"{self._name}_REFUSED", f"the receiver answers {status}")


def _signer(secret: Secret, section: str) -> Webhook:
    try:
        return Webhook(secret.reveal())
    except Exception as error:  # the library raises errors of several kinds, one of its own
        raise BadSettings("SETTING_WRONG", f"{section}: secret must be whsec_ and base64") from error
