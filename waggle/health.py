"""Whether a process that serves nothing else lives and can do its work, told over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from litestar import HttpMethod, Litestar, MediaType, Request, Response, Router, route

from waggle.api.problem import problem_handlers, problem_response, retry_after
from waggle.engine.worker import WorkerRuntime
from waggle.errors import TemporaryFailure
from waggle.services.relay import Relay

_RELAY_STUCK_S = 60.0
_ANSWER_WITHIN_S = 4.0
"""Less than the time-outs of those who ask."""

Check = Callable[[], Awaitable[object]]
"""Returns if what it asks answers; raises TemporaryFailure if not."""


class Health(Protocol):
    """What a process knows about itself."""

    def check_alive(self) -> None:
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


class RelayHealth:
    """Of a relay process; `relay` is set once it runs."""

    def __init__(self, database_answers: Check) -> None:
        self.relay: Relay | None = None
        self._database_answers = database_answers

    def check_alive(self) -> None:
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


class WorkerHealth:
    """Of a worker process; `runtime` is set once it runs."""

    def __init__(self, engine_answers: Check, silent_limit_s: float) -> None:
        """Take a gateway that was not heard of for *silent_limit_s* as a sign that this process is deaf."""
        self.runtime: WorkerRuntime | None = None
        self._engine_answers = engine_answers
        self._silent_limit_s = silent_limit_s

    def check_alive(self) -> None:
        """Tell a worker that hears the gateway from one that does not.

        Raises:
            TemporaryFailure: WORKER_DEAF.
        """
        if self.runtime is not None and self.runtime.silence_s > self._silent_limit_s:
            raise TemporaryFailure("WORKER_DEAF", f"nothing heard from the gateway for {self.runtime.silence_s:.0f} s")

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


def create_health_app(health: Health) -> Litestar:
    """Return an application that answers `/livez` and `/readyz` with 200 or 503, as problem details say why."""

    @route("/livez", http_method=[HttpMethod.GET, HttpMethod.HEAD], media_type=MediaType.JSON)
    async def livez() -> Response[dict[str, str]]:
        health.check_alive()
        return _good("alive")

    @route("/readyz", http_method=[HttpMethod.GET, HttpMethod.HEAD], media_type=MediaType.JSON)
    async def readyz() -> Response[dict[str, str]]:
        await health.check_ready()
        return _good("ready")

    return Litestar(
        route_handlers=[Router("/", route_handlers=[livez, readyz])],
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
