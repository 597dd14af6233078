"""Who asks over HTTP, and whether they may."""

from datetime import timedelta
from typing import Any, Protocol

from litestar import Request

from waggle.api.problem import ProblemError, retry_after
from waggle.errors import TemporaryFailure
from waggle.services.access import Principal

_CHALLENGE = 'Bearer realm="waggle"'


class Access(Protocol):
    """Knows whose a token is."""

    async def admit(self, token: str, address: str) -> Principal | None:
        """Return whose *token* it is, or None if nobody's.

        Raises:
            TemporaryFailure: TOO_MANY_TRIES from *address*.
        """
        ...

    def scope_missing(self, principal: Principal, scope: str) -> None:
        """Hear that *principal* asked for what they may not do."""
        ...


class NotingAccess(Access, Protocol):
    """An access that also puts into the audit log what happens often: counted, not each time."""

    def count(self, action: str, subject: str, why: str, every: timedelta, *, actor: str) -> None:
        """Note that *actor* did *action* to *subject*."""
        ...

    async def close(self) -> None:
        """Write what was only counted."""
        ...


async def require(request: Request[Any, Any, Any], access: Access, scope: str, *others: str) -> Principal:
    """Return who asks, by the header `Authorization: Bearer <key>`; to be called before the body is read.

    Raises:
        ProblemError: WRITE_KEY_MISSING, WRITE_KEY_UNKNOWN, SCOPE_MISSING, TOO_MANY_TRIES.
    """
    return await admitted(request, bearer_token(request), access, scope, *others)


def bearer_token(request: Request[Any, Any, Any]) -> str:
    """Return the token of the header `Authorization`, or "" without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def admitted(request: Request[Any, Any, Any], token: str, access: Access, scope: str, *others: str) -> Principal:
    """Return whose *token* it is, wherever in the request it was found; raises as `require` does.

    Any of the scopes is enough.
    """
    if not token:
        raise ProblemError("WRITE_KEY_MISSING", headers={"WWW-Authenticate": _CHALLENGE})
    address = request.client.host if request.client is not None else ""
    try:
        principal = await access.admit(token, address)
    except TemporaryFailure as failure:
        if failure.code != "TOO_MANY_TRIES":
            raise
        raise ProblemError("TOO_MANY_TRIES", headers=retry_after(failure)) from None
    if principal is None:
        raise ProblemError("WRITE_KEY_UNKNOWN", headers={"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'})
    if principal.scopes.isdisjoint((scope, *others)):
        access.scope_missing(principal, scope)
        raise ProblemError(
            "SCOPE_MISSING",
            f"This needs the scope {scope}.",
            headers={"WWW-Authenticate": f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"'},
        )
    return principal
