"""`/u/{token}`: how a shopper stops messages, by a page or by the button of a mail program (RFC 8058)."""

from typing import Any, Protocol

from litestar import HttpMethod, MediaType, Request, Response, Router, post, route
from litestar.params import FromPath

from waggle.api.body import MAX_BODY_BYTES, small_body
from waggle.api.later import page_handlers
from waggle.api.page import page
from waggle.api.preference_texts import Speech, speech_for
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
    async def ask(token: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
        found = await unsubscribing.describe(token) if is_token(token) else None
        return _unknown(_speech(request)) if found is None else _question(found.shop_name, _speech(request))

    @post(
        "/u/{token:str}",
        media_type=MediaType.HTML,
        status_code=200,
        request_max_body_size=MAX_BODY_BYTES,
    )
    async def stop(token: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
        # Taken to its end so that the connection closes in peace and the answer arrives.
        await small_body(request)
        stopped = is_token(token) and await unsubscribing.unsubscribe(token)
        return _done(_speech(request)) if stopped else _unknown(_speech(request))

    return Router("/", route_handlers=[ask, stop], exception_handlers=page_handlers())


def _speech(request: Request[Any, Any, Any]) -> Speech:
    return speech_for(request.headers.get("accept-language", ""))


def _question(shop_name: str, speech: Speech) -> Response[str]:
    return page(
        speech.plain("unsubscribe_title"),
        f"<p>{speech('unsubscribe_text', shop=shop_name)}</p>"
        '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
        f'<button type="submit">{speech("unsubscribe_button")}</button></form>'
        f'<p class="quiet">{speech("unsubscribe_orders")} {speech("accident")}</p>',
        language=speech.language,
    )


def _done(speech: Speech) -> Response[str]:
    return page(
        speech.plain("unsubscribed_title"),
        f'<p>{speech("unsubscribed")}</p><p class="quiet">{speech("close")} {speech("unsubscribe_orders")}</p>',
        language=speech.language,
    )


def _unknown(speech: Speech) -> Response[str]:
    return page(
        speech.plain("unsubscribe_unknown_title"),
        f"<p>{speech('unsubscribe_unknown')}</p>",
        status_code=404,
        language=speech.language,
    )
