"""`/waggle.js`: what a shop's pages load to tell what happens in them."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from litestar import MediaType, Request, Response, Router, get

_KEPT_S = 3600
"""A shop that changes its version of Waggle has the new script in all browsers after an hour."""


def tracker_route() -> Router:
    """Return the route of the script; it is the same for everybody, and any page may load it."""

    @get("/waggle.js", media_type=MediaType.TEXT)
    async def script(request: Request[Any, Any, Any]) -> Response[bytes]:
        headers = {
            "Cache-Control": f"public, max-age={_KEPT_S}",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "ETag": _etag(),
            "X-Content-Type-Options": "nosniff",
        }
        if request.headers.get("if-none-match") == _etag():
            return Response(b"", status_code=304, headers=headers)
        return Response(tracker_script(), media_type="text/javascript; charset=utf-8", headers=headers)

    return Router("/", route_handlers=[script])


@cache
def tracker_script() -> bytes:
    """Return the script."""
    return (files(__name__) / "waggle.js").read_bytes()


@cache
def _etag() -> str:
    return f'"{hashlib.sha256(tracker_script()).hexdigest()[:16]}"'
