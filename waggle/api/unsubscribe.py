"""`/u/{token}`: how a shopper stops messages, by a page or by the button of a mail program (RFC 8058)."""

from typing import Any, Protocol

from litestar import HttpMethod, MediaType, Request, Response, Router, post, route
from litestar.params import FromPath

from waggle.api.body import MAX_BODY_BYTES
from waggle.api.later import page_handlers
from waggle.api.page import escaped, page
from waggle.api.token import is_token


class Unsubscription(Protocol):
    """What a link would stop."""

    @property
    def shop_name(self) -> str: ...


class Unsubscribing(Protocol):
    """Knows what unsubscribe links stop, and stops it."""

    async def describe(self, token: str) -> Unsubscription | None:
        """Say what the link would stop, changing nothing; None: no such link."""
        ...

    async def unsubscribe(self, token: str) -> bool:
        """Withdraw the consent the link stands for, durably; again is harmless. False: no such link."""
        ...


def unsubscribe_routes(unsubscribing: Unsubscribing) -> Router:
    """Return the page that asks, and the route that does it.

    Scanners of mail systems follow every link, so GET and HEAD change nothing. POST does it at once, without cookies or
    redirects, whatever its body says: the token is the authority, and who asks to be left alone is not asked for forms.
    """

    @route(
        "/u/{token:str}",
        http_method=[HttpMethod.GET, HttpMethod.HEAD],
        media_type=MediaType.HTML,
    )
    async def ask(token: FromPath[str]) -> Response[str]:
        found = await unsubscribing.describe(token) if is_token(token) else None
        return _unknown() if found is None else _question(found.shop_name)

    @post(
        "/u/{token:str}",
        media_type=MediaType.HTML,
        status_code=200,
        request_max_body_size=MAX_BODY_BYTES,
    )
    async def stop(token: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
        # Taken to its end so that the connection closes in peace and the answer arrives.
        await request.body()
        return _done() if is_token(token) and await unsubscribing.unsubscribe(token) else _unknown()

    return Router("/", route_handlers=[ask, stop], exception_handlers=page_handlers())


def _question(shop_name: str) -> Response[str]:
    shop = escaped(shop_name)
    return page(
        "Stop these e-mails?",
        f"<p><strong>{shop}</strong> will send you no more offers and reminders by e&#8209;mail.</p>"
        '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
        '<button type="submit">Unsubscribe</button></form>'
        '<p class="quiet">Mails about your orders still arrive. Came here by accident? Just close this page.</p>',
    )


def _done() -> Response[str]:
    return page(
        "You are unsubscribed",
        "<p>We have noted it and send you no more offers and reminders by e&#8209;mail.</p>"
        '<p class="quiet">You can close this page. Mails about your orders still arrive.</p>',
    )


def _unknown() -> Response[str]:
    return page(
        "We do not know this link",
        "<p>It may have been cut in two on its way here. Try the link in the mail again, or write to the shop.</p>",
        status_code=404,
    )
