"""How much one key, and all together, may ask of the process."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from litestar import Request

from waggle.api.problem import ProblemError

_AT_MOST_BYTES = 4_194_304
"""The limit of the route that takes the largest bodies."""
_UNTOLD_BYTES = 1_048_576
"""Held for a body whose length is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """0 stands for no limit."""

    requests_per_s: int = 0
    """Of one key."""
    events_per_s: int = 0
    """Of one key."""
    bodies_bytes: int = 67_108_864
    """Bodies in memory at once, of all keys."""
    body_timeout_s: float = 10.0
    """How long a body may take to come in."""


class Limits:
    """Counts per process, in memory: several processes let as many times more through."""

    def __init__(self, settings: LimitSettings) -> None:
        self._settings = settings
        self._requests = _per_second(settings.requests_per_s, "requests")
        self._events = _per_second(settings.events_per_s, "events")
        self._held_bytes = 0

    @cached_property
    def _limiter(self) -> FixedWindowRateLimiter:
        return FixedWindowRateLimiter(MemoryStorage())

    def count_request(self, key_id: str) -> None:
        """Count a request of a key.

        Raises:
            ProblemError: RATE_LIMITED.
        """
        self._count(self._requests, key_id, 1)

    def count_events(self, key_id: str, count: int) -> None:
        """Count events of a key; a batch that is larger than the limit itself counts as much as that.

        Raises:
            ProblemError: RATE_LIMITED.
        """
        self._count(self._events, key_id, count)

    @asynccontextmanager
    async def body_of(self, request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
        """Give the body of *request*, whose place in memory is held until the context ends.

        Raises:
            ProblemError: TOO_BUSY, no place; BODY_TOO_SLOW.
            RequestEntityTooLarge: over the route's limit.
        """
        wanted = _length(request)
        if self._held_bytes and self._held_bytes + wanted > self._settings.bodies_bytes:
            raise ProblemError("TOO_BUSY", headers={"Retry-After": "1"})
        self._held_bytes += wanted
        try:
            try:
                async with asyncio.timeout(self._settings.body_timeout_s):
                    body = await request.body()
            except TimeoutError:
                raise ProblemError("BODY_TOO_SLOW", headers={"Connection": "close"}) from None
            yield body
        finally:
            self._held_bytes -= wanted

    def _count(self, limit: RateLimitItemPerSecond | None, key_id: str, count: int) -> None:
        if limit is not None and not self._limiter.hit(limit, key_id, cost=min(count, limit.amount)):
            raise ProblemError("RATE_LIMITED", headers={"Retry-After": str(max(1, math.ceil(limit.get_expiry())))})


def _per_second(amount: int, namespace: str) -> RateLimitItemPerSecond | None:
    return RateLimitItemPerSecond(amount, namespace=namespace) if amount else None


def _length(request: Request[Any, Any, Any]) -> int:
    told = request.headers.get("content-length", "")
    # What is told too large is refused before it is read, what is told wrong ends the connection.
    return min(int(told), _AT_MOST_BYTES) if told.isascii() and told.isdigit() else _UNTOLD_BYTES
