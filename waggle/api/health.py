"""Whether the process lives, and whether it can do its work."""

from typing import Protocol

from litestar import HttpMethod, MediaType, Response, Router, route


class Readiness(Protocol):
    """Knows whether what the API stands on is there."""

    async def check(self) -> None:
        """Return if the database answers.

        Raises:
            TemporaryFailure: it does not.
        """
        ...


def health_routes(readiness: Readiness) -> Router:
    """Return the routes that supervisors and load balancers ask."""

    @route("/livez", http_method=[HttpMethod.GET, HttpMethod.HEAD], media_type=MediaType.JSON)
    async def livez() -> Response[dict[str, str]]:
        return _answer("alive")

    @route("/readyz", http_method=[HttpMethod.GET, HttpMethod.HEAD], media_type=MediaType.JSON)
    async def readyz() -> Response[dict[str, str]]:
        await readiness.check()
        return _answer("ready")

    return Router("/", route_handlers=[livez, readyz])


def _answer(status: str) -> Response[dict[str, str]]:
    return Response({"status": status}, status_code=200, headers={"Cache-Control": "no-store"})
