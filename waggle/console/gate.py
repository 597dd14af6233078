"""Lets in who has logged in, and only what their own pages send."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.response import Redirect

from waggle.console.forms import fields_of
from waggle.console.page import escaped, page
from waggle.domain.role import ROLES
from waggle.services.approvals import SCOPE
from waggle.services.console_sessions import GOOD_FOR, Visitor

LIST: Final = "/console/approvals"
LOGIN: Final = "/console/login"
_COOKIE: Final = "waggle_console"

Handler = Callable[[Visitor, Mapping[str, str]], Awaitable[Response[Any]]]


class Sessions(Protocol):
    """Knows who has logged in."""

    async def begin(self, token: str, address: str) -> str | None: ...
    async def visitor(self, secret: str) -> Visitor | None: ...
    async def end(self, secret: str) -> None: ...


class Gate:
    """No other site can send a form with the cookie (SameSite=Lax), and each form has a token only its visitor has."""

    def __init__(self, sessions: Sessions, *, secure: bool) -> None:
        """With *secure* the cookie goes by https alone."""
        self.sessions = sessions
        self._secure = secure

    async def visitor(self, request: Request[Any, Any, Any]) -> Visitor | None:
        """Return who asks, if they have something to do here."""
        visitor = await self.sessions.visitor(_secret_of(request))
        return visitor if visitor is not None and SCOPE in ROLES[visitor.role] else None

    async def posted(self, request: Request[Any, Any, Any], handle: Handler) -> Response[Any]:
        """Let *handle* answer a form that its visitor's own page sent."""
        fields = await fields_of(request)
        visitor = await self.visitor(request)
        if visitor is None:
            return to(LOGIN)
        if not hmac.compare_digest(fields.get("form_token", "").encode(), visitor.form_token.encode()):
            return problem(visitor, "This form is too old", "Open the page again and repeat what you did.", 403)
        return await handle(visitor, fields)

    def let_in(self, secret: str) -> Response[Any]:
        """Return the way in, with the cookie."""
        answer = to(LIST)
        answer.set_cookie(
            Cookie(
                key=_COOKIE,
                value=secret,
                path="/console",
                httponly=True,
                secure=self._secure,
                samesite="lax",
                max_age=int(GOOD_FOR.total_seconds()),
            )
        )
        return answer

    async def let_out(self, request: Request[Any, Any, Any]) -> Response[Any]:
        """Return the way out."""
        await self.sessions.end(_secret_of(request))
        answer = to(LOGIN)
        answer.delete_cookie(_COOKIE, path="/console")
        return answer


def to(where: str) -> Response[Any]:
    """Send the browser to *where*; what it sent is not sent again when that page is loaded anew."""
    return Redirect(where, status_code=303, headers={"Cache-Control": "no-store"})


def problem(visitor: Visitor, title: str, text: str, status_code: int) -> Response[str]:
    """Return a page that says what is wrong."""
    body = f'<h1>{escaped(title)}</h1><p>{escaped(text)}</p><p><a href="{LIST}">Back to the approvals</a></p>'
    return page(title, body, visitor, status_code=status_code)


def _secret_of(request: Request[Any, Any, Any]) -> str:
    return str(request.cookies.get(_COOKIE, ""))
