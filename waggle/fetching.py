"""Ask a foreign HTTP interface for JSON: bounded in time and size, never in the clear to another machine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from waggle.domain.loopback import is_loopback
from waggle.errors import BadSettings, PermanentFailure, TemporaryFailure

_RETRY_UNREACHABLE_S = 30.0
_RETRY_BUSY_S = 60.0
_LONGEST_WAIT_S = 3600.0
MOST_BODY_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """A good answer."""

    said: Any
    """The decoded JSON; numbers with a point are Decimal, as they were written."""
    headers: Mapping[str, str]
    """Names in lower case."""
    next_url: str | None
    """What the header `Link` calls next."""


class Fetcher:
    """Asks one system; opens nothing before the first question. Serves one event loop."""

    def __init__(
        self,
        name: str,
        *,
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
        timeout_s: float = 30.0,
        most_bytes: int = MOST_BODY_BYTES,
    ) -> None:
        """*name* in capitals begins the codes of its errors."""
        self._name = name
        self._headers = {"Accept": "application/json", **(headers or {})}
        self._basic = basic
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes
        self._client: httpx.AsyncClient | None = None

    async def get(self, url: str, parameters: Mapping[str, str] | None = None) -> Fetched:
        """Return what is said at *url*; no redirect is followed.

        Raises:
            TemporaryFailure: _UNAVAILABLE, or _BUSY with the wait that the other side asks for.
            PermanentFailure: _LOGIN_REFUSED, _REFUSED (with the status), _MOVED, _TOO_LARGE or _UNREADABLE.
        """
        return await self._ask("GET", url, parameters, None)

    async def post(self, url: str, body: Mapping[str, Any]) -> Fetched:
        """Return what is answered to *body*, sent as JSON; only for questions, since it may be asked twice.

        Raises:
            TemporaryFailure, PermanentFailure: as `get`.
        """
        return await self._ask("POST", url, None, body)

    async def close(self) -> None:
        """End the connections that are kept open."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _ask(
        self, method: str, url: str, parameters: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> Fetched:
        try:
            async with self._opened().stream(method, url, params=parameters, json=body) as response:
                self._check(response)
                raw = await self._read(response)
        except httpx.HTTPError as error:
            raise TemporaryFailure(
                f"{self._name}_UNAVAILABLE", type(error).__name__, retry_after_s=_RETRY_UNREACHABLE_S
            ) from None
        try:
            said = json.loads(raw, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise PermanentFailure(f"{self._name}_UNREADABLE", "the answer is no JSON") from None
        return Fetched(said, dict(response.headers), response.links.get("next", {}).get("url"))

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                timeout=self._timeout_s,
                headers=self._headers,
                auth=self._basic,
                limits=httpx.Limits(max_connections=2),
            )
        return self._client

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if response.is_success:
            return
        if status == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
            wait_s = _asked_wait_s(response.headers.get("retry-after", ""))
            raise TemporaryFailure(f"{self._name}_BUSY", str(status), retry_after_s=wait_s)
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise PermanentFailure(f"{self._name}_LOGIN_REFUSED", f"{status}: check the secret and what it may read")
        if response.is_redirect:
            raise PermanentFailure(f"{self._name}_MOVED", f"{status}: set the address it leads to")
        raise PermanentFailure(f"{self._name}_REFUSED", str(status))

    async def _read(self, response: httpx.Response) -> bytes:
        parts, size_bytes = [], 0
        async for part in response.aiter_bytes():
            size_bytes += len(part)
            if size_bytes > self._most_bytes:
                raise PermanentFailure(
                    f"{self._name}_TOO_LARGE", f"more than {self._most_bytes} bytes: ask for smaller pages"
                )
            parts.append(part)
        return b"".join(parts)


def refuse_plaintext(url: str, setting: str, *, allowed: bool = False) -> None:
    """Check that *url* is encrypted or stays on this machine.

    Raises:
        BadSettings: PLAINTEXT_REFUSED, unless it is *allowed*; SETTING_WRONG, if it is no web address.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadSettings("SETTING_WRONG", f"{setting}: give an address that begins with https://")
    if parts.username or parts.password:
        raise BadSettings("SETTING_WRONG", f"{setting}: leave name and password out of the address; they have own keys")
    if parts.scheme == "http" and not allowed and not is_loopback(parts.hostname):
        raise BadSettings("PLAINTEXT_REFUSED", f"{setting} is not encrypted: begin it with https://")


def same_place(url: str, other: str) -> bool:
    """Say whether two addresses lead to the same scheme, host and port: there a secret may go."""
    one, two = httpx.URL(url), httpx.URL(other)
    return (one.scheme, one.host, one.port) == (two.scheme, two.host, two.port)


def _asked_wait_s(asked: str) -> float:
    """Return the wait of a header Retry-After (seconds or a date) within bounds."""
    if asked.isascii() and asked.isdigit():
        wait_s = float(asked)
    else:
        try:
            wait_s = (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            wait_s = _RETRY_BUSY_S
    return min(max(wait_s, 1.0), _LONGEST_WAIT_S)
