"""Whether a process lives and can do its work, and what it has done, told over HTTP to those who watch it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from litestar import HttpMethod, Litestar, MediaType, Request, Response, Router, get, route

from waggle.api.problem import problem_handlers, problem_response, retry_after
from waggle.engine.worker import WorkerRuntime
from waggle.errors import TemporaryFailure
from waggle.metrics import Metrics
from waggle.services.pulling import Pulling
from waggle.services.relay import Relay
from waggle.storage.store import Store

_RELAY_STUCK_S = 60.0
_EXCHANGE_STUCK_S = 60.0
_HEARD_AGAIN_WITHIN_S = 20.0
_ANSWER_WITHIN_S = 4.0
"""Less than the time-outs of those who ask."""

Check = Callable[[], Awaitable[object]]
"""Returns if what it asks answers; raises TemporaryFailure if not."""


class Health(Protocol):
    """What a process knows about itself."""

    async def check_alive(self) -> None:
        """Return unless only a fresh start can help.

        Raises:
            TemporaryFailure: it can.
        """
        ...

    async def check_ready(self) -> None:
        """Return if work can be done now.

        Raises:
            TemporaryFailure: naming what is missing.
        """
        ...


class StoreReadiness:
    """Asks the database whether it answers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def check(self) -> None:
        """Return if it does.

        Raises:
            TemporaryFailure: it does not.
        """
        await self._store.read(lambda tx: tx.events.count_pending())


class RelayHealth:
    """Of a relay process; `relay` is set once it runs."""

    def __init__(self, database_answers: Check) -> None:
        self.relay: Relay | None = None
        self._database_answers = database_answers

    async def check_alive(self) -> None:
        """Tell a relay that waits, for whatever it may be, from one that is stuck.

        Raises:
            TemporaryFailure: RELAY_STUCK.
        """
        if self.relay is not None and self.relay.stillness_s > _RELAY_STUCK_S:
            raise TemporaryFailure("RELAY_STUCK", f"a loop has not turned for {self.relay.stillness_s:.0f} s")

    async def check_ready(self) -> None:
        """Ask the database.

        Raises:
            TemporaryFailure: STARTING, or what the database said.
        """
        if self.relay is None:
            raise TemporaryFailure("STARTING", "the relay waits for what it needs: see its log")
        await _within(self._database_answers, "the database")


class ExchangeHealth:
    """Of the process that asks sources, reads queues and tells streams; `pulling` is set once it runs."""

    def __init__(self, database_answers: Check) -> None:
        self.pulling: Pulling | None = None
        self._database_answers = database_answers

    async def check_alive(self) -> None:
        """Tell a loop that waits for its source from one that is stuck.

        Raises:
            TemporaryFailure: EXCHANGE_STUCK.
        """
        if self.pulling is not None and self.pulling.stillness_s > _EXCHANGE_STUCK_S:
            raise TemporaryFailure("EXCHANGE_STUCK", f"a loop has not turned for {self.pulling.stillness_s:.0f} s")

    async def check_ready(self) -> None:
        """Ask the database.

        Raises:
            TemporaryFailure: STARTING, or what the database said.
        """
        if self.pulling is None:
            raise TemporaryFailure("STARTING", "the exchange waits for what it needs: see its log")
        await _within(self._database_answers, "the database")


class ApiHealth:
    """Of the process that serves the API; `is_open` is set once it does."""

    def __init__(self, database_answers: Check) -> None:
        self.is_open = False
        self._database_answers = database_answers

    async def check_alive(self) -> None:
        """Return: what answers here is alive."""

    async def check_ready(self) -> None:
        """Ask the database.

        Raises:
            TemporaryFailure: STARTING, or what the database said.
        """
        if not self.is_open:
            raise TemporaryFailure("STARTING", "the API waits for what it needs: see its log")
        await _within(self._database_answers, "the database")


class WorkerHealth:
    """Of a worker process; `runtime` is set once it runs."""

    def __init__(self, engine_answers: Check, silent_limit_s: float) -> None:
        """Expect a worker whose engine is there to hear something within *silent_limit_s*.

        *engine_answers* asks over a connection of its own.
        """
        self.runtime: WorkerRuntime | None = None
        self._engine_answers = engine_answers
        self._silent_limit_s = silent_limit_s
        self._there_since_s: float | None = None

    async def check_alive(self) -> None:
        """Tell a worker that can do nothing, whatever the reason, from one that waits for its engine.

        An engine that is away, cut off or mute is no reason to start this process again: what counts is that others
        would be answered now, or that its own loops no longer turn.

        Raises:
            TemporaryFailure: WORKER_STUCK or WORKER_DEAF.
        """
        runtime = self.runtime
        if runtime is None or runtime.is_draining:
            return
        if not runtime.is_listening:
            raise TemporaryFailure("WORKER_STUCK", "a loop that takes jobs in has ended: see the log")
        if runtime.stillness_s > self._silent_limit_s:
            raise TemporaryFailure("WORKER_STUCK", f"no loop has turned for {runtime.stillness_s:.0f} s")
        if runtime.silence_s <= self._silent_limit_s or not await self._engine_is_there():
            self._there_since_s = None
            return
        now_s = time.monotonic()
        self._there_since_s = self._there_since_s or now_s
        # An engine that has just come back is heard within some seconds.
        if now_s - self._there_since_s >= _HEARD_AGAIN_WITHIN_S:
            raise TemporaryFailure(
                "WORKER_DEAF", f"nothing heard for {runtime.silence_s:.0f} s from a gateway that answers others"
            )

    async def check_ready(self) -> None:
        """Ask the gateway.

        Raises:
            TemporaryFailure: STARTING, DRAINING, or what the gateway said.
        """
        if self.runtime is None:
            raise TemporaryFailure("STARTING", "the worker waits for what it needs: see its log")
        if self.runtime.is_draining:
            raise TemporaryFailure("DRAINING", "the worker was asked to stop")
        await _within(self._engine_answers, "the gateway")

    async def _engine_is_there(self) -> bool:
        try:
            await _within(self._engine_answers, "the gateway")
        except TemporaryFailure:
            return False
        return True


def create_health_app(health: Health, metrics: Metrics) -> Litestar:
    """Return an application that shows `/metrics` and answers `/livez` and `/readyz` with 200, or 503 and why."""

    @route("/livez", http_method=[HttpMethod.GET, HttpMethod.HEAD], media_type=MediaType.JSON)
    async def livez() -> Response[dict[str, str]]:
        await health.check_alive()
        return _good("alive")

    @route("/readyz", http_method=[HttpMethod.GET, HttpMethod.HEAD], media_type=MediaType.JSON)
    async def readyz() -> Response[dict[str, str]]:
        await health.check_ready()
        return _good("ready")

    @get("/metrics")
    async def shown(request: Request[Any, Any, Any]) -> Response[bytes]:
        content, content_type = await metrics.shown(request.headers.get("accept", ""))
        # As a header, since the framework would name the charset a second time.
        return Response(content, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    return Litestar(
        route_handlers=[Router("/", route_handlers=[livez, readyz, shown])],
        exception_handlers={**problem_handlers(), TemporaryFailure: _bad},
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def _good(status: str) -> Response[dict[str, str]]:
    return Response({"status": status}, headers={"Cache-Control": "no-store"})


def _bad(request: Request[Any, Any, Any], failure: TemporaryFailure) -> Response[bytes]:
    # Only who watches this machine asks here, so the reason may be told.
    return problem_response("NOT_READY", request.url.path, detail=str(failure), headers=retry_after(failure))


async def _within(check: Check, whom: str) -> None:
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            await check()
    except TimeoutError:
        raise TemporaryFailure("NO_ANSWER", f"{whom} did not answer within {_ANSWER_WITHIN_S:.0f} s") from None
