"""What a process shows on `/metrics`, for Prometheus."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from waggle.domain.message import MessageState
from waggle.errors import TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.keys import Key
from waggle.ports.pulling import MAIN, Coverage, Cursor
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.access import is_good
from waggle.services.overview import Overview, look
from waggle.services.streaming import StreamLine

log = get_logger(__name__)

_COUNT_WITHIN_S = 2.0
_COUNT_EVERY_S = 5.0
_REST_FACTOR = 20.0
"""After a count the next one waits this many times as long: at most a twentieth of the database's time is taken."""

_MESSAGE_STATES: tuple[MessageState, ...] = (
    "planned",
    "claimed",
    "handed_over",
    "sent",
    "suppressed",
    "failed",
    "in_doubt",
)
_ENROLMENT_STATES = ("entering", "running", "ended")
_BREAKER_STATES = ("closed", "open", "probing")


class Metrics:
    """The registry of one process, with what is true of every process already in it."""

    def __init__(self, part: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        build = Info("waggle_build", "Version of Waggle, and which part this process is.", registry=self.registry)
        build.info({"version": version("waggle"), "part": part})
        self._refreshes: list[Callable[[], Awaitable[None]]] = []

    def add(self, collector: Collector, refresh: Callable[[], Awaitable[None]] | None = None) -> None:
        """Show what *collector* collects, *refresh* being awaited before."""
        self.registry.register(collector)
        if refresh is not None:
            self._refreshes.append(refresh)

    async def shown(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics and their content type, in the format that the header *accept* asks for."""
        for refresh in self._refreshes:
            await refresh()
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class Census(Collector):
    """How much there is of what in the database; `store` is set once that is open.

    It is counted when somebody asks, one count at a time. A count that is not there in time is left out rather than
    shown old; it goes on, and the next who asks may find it.
    """

    def __init__(self, clock: Clock) -> None:
        self.store: UnitOfWork | None = None
        self._clock = clock
        self._counting: asyncio.Task[None] | None = None
        self._found: list[Metric] = []
        self._fresh_until_s = 0.0

    async def refresh(self) -> None:
        """Count, unless that was done a moment ago."""
        if self.store is None or time.monotonic() < self._fresh_until_s:
            return
        if self._counting is None:
            self._found = []
            self._counting = asyncio.create_task(self._count(self.store))
        await asyncio.wait([self._counting], timeout=_COUNT_WITHIN_S)

    def collect(self) -> Iterator[Metric]:
        """Return the last count, if it is young, and whether there is one."""
        yield GaugeMetricFamily(
            "waggle_database_answers", "1 if the database told these counts in time.", bool(self._found)
        )
        yield from self._found

    async def _count(self, store: UnitOfWork) -> None:
        began_s = time.monotonic()
        try:
            overview = await look(store)
            oldest_at = await store.read(lambda tx: tx.events.oldest_pending_at())
            waiting_s = 0.0 if oldest_at is None else (self._clock.now() - oldest_at).total_seconds()
            keys = await store.read(lambda tx: tx.keys.all())
            now = self._clock.now()
            late = await store.read(lambda tx: tx.privacy_requests.count_overdue(now))
            asked, asked_at = await store.read(lambda tx: tx.approvals.count_waiting())
            wave_at = await store.read(lambda tx: tx.waves.oldest_at())
            self._found = [
                *_counts(overview),
                _age(max(0.0, waiting_s)),
                _age_of_keys(keys, now),
                _overdue(late),
                *_approvals(asked, 0.0 if asked_at is None else max(0.0, (now - asked_at).total_seconds())),
                *_waves(overview.waves, 0.0 if wave_at is None else max(0.0, (now - wave_at).total_seconds())),
            ]
        except TemporaryFailure as failure:
            log.debug("nothing counted", code=failure.code)
        finally:
            self._counting = None
            took_s = time.monotonic() - began_s
            self._fresh_until_s = time.monotonic() + max(_COUNT_EVERY_S, _REST_FACTOR * took_s)


class SourceCensus(Collector):
    """How fresh the facts of each source are, and how it goes with asking; `store` is set once that is open."""

    def __init__(self, freshness: Callable[[Transaction, datetime], Sequence[Coverage]], clock: Clock) -> None:
        self.store: UnitOfWork | None = None
        self._freshness = freshness
        self._clock = clock
        self._coverage: Sequence[Coverage] = ()
        self._cursors: Sequence[Cursor] = ()
        self._fresh_until_s = 0.0

    async def refresh(self) -> None:
        """Read, unless that was done a moment ago; what cannot be read in time is left out."""
        if self.store is None or time.monotonic() < self._fresh_until_s:
            return
        self._fresh_until_s = time.monotonic() + _COUNT_EVERY_S
        self._coverage, self._cursors = (), ()

        def look(tx: Transaction) -> tuple[Sequence[Coverage], Sequence[Cursor]]:
            return self._freshness(tx, self._clock.now()), tx.pulling.cursors()

        try:
            async with asyncio.timeout(_COUNT_WITHIN_S):
                self._coverage, self._cursors = await self.store.read(look)
        except (TemporaryFailure, TimeoutError):
            log.debug("freshness not read")

    def collect(self) -> Iterator[Metric]:
        """Return how old the youngest moment is until which everything is known, and failures since the last page."""
        now = self._clock.now()
        ages = GaugeMetricFamily(
            "waggle_source_freshness_seconds",
            "Age of the moment until which everything that happened in a source is known here, by kind of fact.",
            labels=("source", "kind"),
        )
        for each in self._coverage:
            ages.add_metric([each.source, each.kind], max(0.0, (now - each.covered_until).total_seconds()))
        yield ages
        failures = GaugeMetricFamily(
            "waggle_source_failures", "Tries in a row in which a source could not be read.", labels=("source",)
        )
        for cursor in self._cursors:
            if cursor.walk == MAIN:
                failures.add_metric([cursor.source], cursor.failures)
        yield failures


class Breaker(Protocol):
    """What is asked of a circuit breaker."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...


class BreakerCollector(Collector):
    """Which providers are rested."""

    def __init__(self, breakers: Sequence[Breaker]) -> None:
        self._breakers = breakers

    def collect(self) -> Iterator[Metric]:
        """Return a 1 for the state of each provider's breaker, and zeros for the others."""
        family = GaugeMetricFamily(
            "waggle_provider_breaker",
            "1 for the state that the circuit breaker of a provider is in: closed, open (nothing is sent), probing.",
            labels=("provider", "state"),
        )
        for breaker in self._breakers:
            for state in _BREAKER_STATES:
                family.add_metric([breaker.name, state], state == breaker.state)
        yield family


class StreamCollector(Collector):
    """How far each stream is behind."""

    def __init__(self, lines: Callable[[], Awaitable[Sequence[StreamLine]]], clock: Clock) -> None:
        self._ask = lines
        self._clock = clock
        self._lines: Sequence[StreamLine] = ()
        self._fresh_until_s = 0.0

    async def refresh(self) -> None:
        """Look, unless that was done a moment ago."""
        if time.monotonic() < self._fresh_until_s:
            return
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(_COUNT_WITHIN_S):
                self._lines = await self._ask()
        except (TemporaryFailure, TimeoutError):
            self._lines = ()
        took_s = time.monotonic() - began_s
        self._fresh_until_s = time.monotonic() + max(_COUNT_EVERY_S, _REST_FACTOR * took_s)

    def collect(self) -> Iterator[Metric]:
        """Return what was found last."""
        waiting = GaugeMetricFamily(
            "waggle_stream_waiting", "Events and outcomes that a stream was not told yet.", labels=("stream",)
        )
        age = GaugeMetricFamily(
            "waggle_stream_waiting_oldest_seconds",
            "Age of the oldest that a stream was not told yet.",
            labels=("stream",),
        )
        failures = GaugeMetricFamily(
            "waggle_stream_failures", "How often in a row telling a stream has failed.", labels=("stream",)
        )
        now = self._clock.now()
        for line in self._lines:
            waiting.add_metric([line.name], line.waiting)
            age_s = (now - line.waiting_since).total_seconds() if line.waiting_since is not None else 0.0
            age.add_metric([line.name], max(0.0, age_s))
            failures.add_metric([line.name], line.failures)
        yield from (waiting, age, failures)


def _counts(overview: Overview) -> Iterator[Metric]:
    messages, enrolments = Counter[str](), Counter[str]()
    for (_, state, _), count in overview.messages.items():
        messages[state] += count
    for (state, _), count in overview.enrolments.items():
        enrolments[state] += count
    yield GaugeMetricFamily("waggle_events_pending", "Accepted events not yet applied.", overview.events_pending)
    yield GaugeMetricFamily("waggle_events_quarantined", "Events set aside: they failed.", overview.quarantined)
    yield GaugeMetricFamily(
        "waggle_engine_messages_due", "Engine messages not yet published.", overview.engine_messages_due
    )
    yield _by_state("waggle_messages", "Messages to shoppers.", _MESSAGE_STATES, messages)
    yield _by_state("waggle_enrolments", "Enrolments in journeys.", _ENROLMENT_STATES, enrolments)


def _age_of_keys(keys: Sequence[Key], now: datetime) -> Metric:
    ages_s = [(now - key.created_at).total_seconds() for key in keys if is_good(key, now) and key.replaced_by is None]
    return GaugeMetricFamily(
        "waggle_keys_oldest_seconds",
        "Age of the oldest key that is good and not being replaced.",
        max(ages_s, default=0.0),
    )


def _overdue(requests: int) -> Metric:
    return GaugeMetricFamily(
        "waggle_privacy_requests_overdue", "Requests of customers about their data not answered in time.", requests
    )


def _approvals(waiting: int, oldest_s: float) -> Iterator[Metric]:
    yield GaugeMetricFamily("waggle_approvals_waiting", "Questions of journeys that nobody has answered yet.", waiting)
    yield GaugeMetricFamily(
        "waggle_approvals_waiting_oldest_seconds", "Age of the oldest of these questions.", oldest_s
    )


def _waves(count: int, oldest_s: float) -> Iterator[Metric]:
    yield GaugeMetricFamily("waggle_waves", "Engine messages that have not reached all who wait for a product.", count)
    yield GaugeMetricFamily("waggle_waves_oldest_seconds", "Age of the oldest of these engine messages.", oldest_s)


def _age(waiting_s: float) -> Metric:
    return GaugeMetricFamily("waggle_events_pending_oldest_seconds", "Age of the oldest pending event.", waiting_s)


def _by_state(name: str, meaning: str, states: Sequence[str], counted: Counter[str]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=("state",))
    for state in states:
        family.add_metric([state], counted[state])
    return family
