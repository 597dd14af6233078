"""`/console/login`: with a person's own token."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response, Router, get, post

from waggle.console.forms import MAX_FORM_BYTES, fields_of
from waggle.console.gate import LIST, LOGIN, Gate, to
from waggle.console.page import escaped, page
from waggle.domain.role import ROLES
from waggle.errors import TemporaryFailure
from waggle.services.approvals import SCOPE
from waggle.services.console_sessions import Visitor


def login_routes(gate: Gate) -> Router:
    """Return the way in and the way out."""

    @get(["/console", LOGIN])
    async def enter(request: Request[Any, Any, Any]) -> Response[Any]:
        return to(LIST) if await gate.visitor(request) is not None else _login()

    @post(LOGIN, status_code=200, request_max_body_size=MAX_FORM_BYTES)
    async def login(request: Request[Any, Any, Any]) -> Response[Any]:
        fields = await fields_of(request)
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return _login("Log in from this page.", 403)
        address = request.client.host if request.client is not None else ""
        try:
            secret = await gate.sessions.begin(fields.get("token", "").strip(), address)
        except TemporaryFailure as failure:
            if failure.code != "TOO_MANY_TRIES":
                raise
            return _login("Too many tries. Wait a minute.", 429)
        visitor = await gate.sessions.visitor(secret) if secret is not None else None
        if secret is None or visitor is None:
            return _login("That is no token of a person here, or it has ended.", 401)
        if SCOPE not in ROLES[visitor.role]:
            await gate.sessions.end(secret)
            return _login(f"The role {visitor.role} has nothing to decide here.", 403)
        return gate.let_in(secret)

    @post("/console/leave", status_code=200, request_max_body_size=MAX_FORM_BYTES)
    async def leave(request: Request[Any, Any, Any]) -> Response[Any]:
        async def out(_visitor: Visitor, _fields: Mapping[str, str]) -> Response[Any]:
            return await gate.let_out(request)

        return await gate.posted(request, out)

    return Router("/", route_handlers=[enter, login, leave], include_in_schema=False)


def _login(trouble: str = "", status_code: int = 200) -> Response[str]:
    warning = f'<p class="warning" role="alert">{escaped(trouble)}</p>' if trouble else ""
    return page(
        "Log in",
        '<form class="card form" method="post" action="/console/login"><h1>Waggle</h1>'
        f'<p class="quiet">Log in with your own token.</p>{warning}'
        '<label class="field">Token<input type="password" name="token" autocomplete="current-password" required '
        'autofocus placeholder="wp_..."></label><button type="submit">Log in</button>'
        '<p class="quiet small">No token yet? Whoever runs Waggle makes one: <code>waggle people token NAME</code></p>'
        "</form>",
        status_code=status_code,
    )
