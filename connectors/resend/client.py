"""Hand e-mails to Resend, each under its own idempotency key (vendor's documentation, read in November 2026)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx

from connectors.resend import ResendSettings
from waggle.errors import OutcomeUnknown, PermanentFailure, TemporaryFailure
from waggle.ports.email import Email

_RETRY_UNREACHABLE_S = 30.0
_RETRY_BUSY_S = 60.0
_RETRY_LOGIN_S = 300.0
_MOST_ID_CHARS = 100


class ResendSender:
    """An EmailSender; opens nothing before the first message. Serves one event loop."""

    name = "resend"
    repeat_safe_for = timedelta(hours=24)
    """So long the vendor keeps a key; the same key then gets the first answer and sends nothing."""

    def __init__(self, settings: ResendSettings) -> None:
        self._settings = settings
        self._client: httpx.AsyncClient | None = None

    async def send(self, email: Email, *, before_data: Callable[[], Awaitable[None]]) -> str:
        """Hand *email* over as the port demands; see `waggle.ports.email`.

        Raises:
            TemporaryFailure: RESEND_UNAVAILABLE, RESEND_LOGIN_REFUSED, RESEND_BUSY.
            PermanentFailure: MESSAGE_REFUSED; the vendor does not say whether it was the address.
            OutcomeUnknown: RESEND_ANSWER_LOST.
        """
        client = self._opened()
        await before_data()
        try:
            response = await client.post("/emails", json=_laid_out(email), headers={"Idempotency-Key": _key(email)})
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise TemporaryFailure(
                "RESEND_UNAVAILABLE", type(error).__name__, retry_after_s=_RETRY_UNREACHABLE_S
            ) from None
        except httpx.HTTPError as error:
            raise OutcomeUnknown("RESEND_ANSWER_LOST", type(error).__name__) from None
        return _answer(response)

    async def close(self) -> None:
        """End the connections that are kept open."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                base_url=self._settings.url,
                timeout=self._settings.timeout_s,
                limits=httpx.Limits(max_connections=self._settings.connections),
                headers={"Authorization": f"Bearer {self._settings.api_key.reveal()}"},
            )
        return self._client


def _key(email: Email) -> str:
    return email.message_id.strip("<>")


def _laid_out(email: Email) -> dict[str, Any]:
    headers = {"List-Id": f"<{email.list_id}>"} if email.list_id is not None else {}
    if email.unsubscribe_url is not None:
        headers["List-Unsubscribe"] = f"<{email.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return {
        "from": email.sender,
        "to": [email.to],
        "subject": email.subject,
        "text": email.text,
        "html": email.html,
        "headers": headers,
    }


def _answer(response: httpx.Response) -> str:
    """Return the vendor's id for the message, or raise what its answer means; its texts may quote the recipient."""
    status, said = response.status_code, _body(response)
    if response.is_success:
        given = said.get("id")
        return f"{status} {given}" if isinstance(given, str) and len(given) <= _MOST_ID_CHARS else str(status)
    if status == httpx.codes.CONFLICT:
        if said.get("name") == "invalid_idempotent_request":
            # A mail under this key was accepted before; that prices in it have changed since does not unsend it.
            return f"{status} accepted before"
        raise OutcomeUnknown("RESEND_ANSWER_LOST", "the first request under this key is still being worked on")
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise TemporaryFailure(
            "RESEND_LOGIN_REFUSED",
            f"{status}: check resend.api_key and that the sender's domain is verified",
            retry_after_s=_RETRY_LOGIN_S,
        )
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise TemporaryFailure("RESEND_BUSY", str(status), retry_after_s=_retry_after_s(response))
    if response.is_client_error:
        raise PermanentFailure("MESSAGE_REFUSED", str(status))
    raise OutcomeUnknown("RESEND_ANSWER_LOST", str(status))


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        said = response.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _retry_after_s(response: httpx.Response) -> float:
    """Return what the answer asks for in seconds; the vendor gives no dates there."""
    asked = response.headers.get("retry-after", "")
    return float(asked) if asked.isascii() and asked.isdigit() else _RETRY_BUSY_S
