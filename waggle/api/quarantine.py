"""`GET /v1/quarantine`: what waits for somebody because it could not be understood or applied."""

from typing import Annotated, Any, Protocol

from litestar import MediaType, Request, Response, Router, get
from litestar.params import FromQuery, Parameter

from waggle.api.access import Access, require
from waggle.api.events import json_answer
from waggle.services.quarantine import QuarantineLine

MOST_LINES = 1_000
LARGEST_NUMBER = 2**53


class Waiting(Protocol):
    """Knows what waits."""

    async def waiting(self, limit: int = 200, *, after: int = 0, source: str | None = None) -> list[QuarantineLine]:
        """Return what waits, the oldest first, from behind number *after*."""
        ...


def quarantine_route(quarantine: Waiting, access: Access) -> Router:
    """Return the route; it tells ids, sources and reasons, never what was sent."""

    @get("/v1/quarantine", media_type=MediaType.JSON)
    async def waiting(
        request: Request[Any, Any, Any],
        after: FromQuery[Annotated[int, Parameter(ge=0, le=LARGEST_NUMBER)]] = 0,
        limit: FromQuery[Annotated[int, Parameter(ge=1, le=MOST_LINES)]] = 200,
    ) -> Response[bytes]:
        await require(request, access, "events:manage")
        return json_answer({"waiting": await quarantine.waiting(limit, after=after)}, 200)

    return Router("/", route_handlers=[waiting])
