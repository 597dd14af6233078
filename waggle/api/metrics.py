"""What is counted at the door: requests and their durations, and what became of events."""

import collections
import time
from collections.abc import Iterable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Counter, Histogram

from waggle.domain.event import Receipt

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_OUTCOMES = ("accepted", "duplicate", "conflict", "refused", "set-aside", "ignored")
_NO_ROUTE = "none"
_NO_STATUS = "none"


class ApiMetrics:
    """The API's own metrics, in the registry of its process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Histogram(
            "waggle_api_request_seconds",
            "How long requests took, by the route's pattern and the status of the answer.",
            ("route", "status"),
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self._events = Counter(
            "waggle_api_events",
            "Events at the door: accepted, duplicate, conflict (its id was used for another event), refused, "
            "set-aside (refused, and kept in quarantine), ignored (calls that say nothing Waggle has a word for).",
            ("outcome",),
            registry=registry,
        )
        self._shown = Counter(
            "waggle_api_customers_shown",
            "Answers with personal fields, by the name of the program or person who asked.",
            ("name",),
            registry=registry,
        )
        for outcome in _OUTCOMES:
            self._events.labels(outcome)

    def received(self, receipts: Iterable[Receipt]) -> None:
        """Count what became of events."""
        for outcome, count in collections.Counter(map(_outcome_of, receipts)).items():
            self._events.labels(outcome).inc(count)

    def shown(self, name: str) -> None:
        """Count that somebody was shown personal fields."""
        self._shown.labels(name).inc()

    def measured(self, asgi: ASGIApp) -> ASGIApp:
        """Return *asgi* with its HTTP requests measured."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await asgi(scope, receive, send)
                return
            status = _NO_STATUS
            began_s = time.perf_counter()

            async def note(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = str(message["status"])
                await send(message)

            try:
                await asgi(scope, receive, note)
            finally:
                # The pattern, set by the router: an address may hold a token, and there is no end of addresses.
                route = scope.get("path_template") or _NO_ROUTE
                self._requests.labels(route, status).observe(time.perf_counter() - began_s)

        return app


def _outcome_of(receipt: Receipt) -> str:
    if receipt.problem is not None and receipt.problem.code == "EVENT_ID_REUSED":
        return "conflict"
    return receipt.status if receipt.quarantine_id is None else "set-aside"
