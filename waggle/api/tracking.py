"""`/c/{token}`: the links in messages."""

from typing import Any, Protocol

from litestar import MediaType, Response, Router, get, head
from litestar.params import FromPath
from litestar.response import Redirect

from waggle.api.later import page_handlers
from waggle.api.page import page
from waggle.api.token import is_token


class Tracking(Protocol):
    """Knows where links lead."""

    async def click(self, token: str) -> str | None:
        """Record that the link was followed and return its target, an http or https address; None: no such link."""
        ...


def tracking_routes(tracking: Tracking) -> Router:
    """Return the route that counts a click and sends the shopper on.

    The target was stored when the message was made. Nothing in the request can change it, so this is no open redirect.
    """

    @get("/c/{token:str}", media_type=MediaType.HTML, status_code=302)
    async def follow(token: FromPath[str]) -> Response[Any]:
        target = await tracking.click(token) if is_token(token) else None
        if target is None:
            return page(
                "This link leads nowhere", "<p>It may have been cut in two on its way here.</p>", status_code=404
            )
        return Redirect(
            target,
            status_code=302,
            headers={
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",
                "X-Robots-Tag": "noindex, nofollow",
            },
        )

    @head("/c/{token:str}", media_type=MediaType.HTML, response_headers={"Cache-Control": "no-store"})
    async def look(token: FromPath[str]) -> None:
        # Programs that check links ask this way; no shopper followed anything.
        del token

    return Router("/", route_handlers=[follow, look], exception_handlers=page_handlers())
