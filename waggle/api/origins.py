"""Which pages of browsers may send events (CORS)."""

from collections.abc import Iterable, Mapping
from typing import Any

from litestar import HttpMethod, Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from waggle.api.problem import ProblemError
from waggle.services.access import Principal

_ANY = "*"
_SENDING = frozenset({"events:write", "events:track"})


class Origins:
    """The pages that are allowed, as `https://shop.example`; `*` stands for any.

    Cookies play no part, so the worst that a foreign page can do is what whoever knows the key can do anyway.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(allowed)

    def headers(self, origin: str | None) -> dict[str, str]:
        """Return what lets a script of *origin* read an answer."""
        if origin is None or not (origin in self._allowed or _ANY in self._allowed):
            return {}
        return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "Retry-After", "Vary": "Origin"}

    def require_harmless(self, request: Request[Any, Any, Any], principal: Principal) -> None:
        """Refuse a key that stands in a page and may do more than send events: everybody can read it there.

        Raises:
            ProblemError: SCOPE_MISSING.
        """
        if "origin" in request.headers and not principal.scopes <= _SENDING:
            raise ProblemError("SCOPE_MISSING", "In a page use a key that may send events and nothing else.")

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """Return *app* with its answers, failures too, readable for scripts of allowed pages.

        The question of a browser whether a script may send is answered here.
        """

        async def answering(scope: Scope, receive: Receive, send: Send) -> None:
            asked = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _ASKED}
            given = self.headers(asked.get(b"origin"))

            async def readable(message: Message) -> None:
                if given and message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], *_raw(given)]
                await send(message)

            if scope["type"] == ScopeType.HTTP and scope["method"] == HttpMethod.OPTIONS and b"origin" in asked:
                may = _raw({"Allow": "POST", **(_MAY if given else {})})
                await readable({"type": "http.response.start", "status": 204, "headers": may})
                await readable({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await app(scope, receive, readable)

        return answering


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


_ASKED = frozenset({b"origin"})
_MAY = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "86400",
}
