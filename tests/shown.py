"""All that Waggle's processes show on `/metrics`, as one registry would have it."""

from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client.core import Metric

from waggle.api.metrics import ApiMetrics
from waggle.domain.event import Receipt
from waggle.engine.worker import Counters
from waggle.engine.worker.metrics import WorkerCollector
from waggle.metrics import BreakerCollector, Census, Metrics, SourceCensus, StreamCollector
from waggle.ports.pulling import Coverage, Cursor
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.streaming import StreamLine
from waggle.testing.clock import HandClock


@dataclass
class FakeRuntime:
    counters: dict[str, Counters] = field(default_factory=dict)
    silence_s: float = 0.0


@dataclass(frozen=True)
class FakeBreaker:
    name: str
    state: str


@dataclass(frozen=True)
class Row:
    """One metric as people know it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


async def rows(store: UnitOfWork) -> dict[str, Row]:
    """Every metric of ours by name, each with at least one sample."""
    metrics = Metrics("test")
    metrics.add(WorkerCollector(lambda: FakeRuntime({"send-message": Counters(capacity=4)})))
    metrics.add(BreakerCollector([FakeBreaker("smtp", "closed")]))
    census = Census(HandClock())
    census.store = store
    metrics.add(census, census.refresh)
    told = StreamCollector(_one_stream, HandClock())
    metrics.add(told, told.refresh)
    sources = SourceCensus(_one_kind, HandClock())
    sources.store = store
    await store.run(lambda tx: tx.pulling.save_cursor(Cursor(source="erp")))
    metrics.add(sources, sources.refresh)
    api = ApiMetrics(metrics.registry)
    api.received([Receipt("e-1", "accepted")])
    api.shown("backoffice")
    api._requests.labels("/v1/events", "202").observe(0.1)
    await metrics.shown("")
    found = [_row(family) for family in metrics.registry.collect() if family.name.startswith("waggle_")]
    return {row.name: row for row in found}


def _one_kind(_tx: Transaction, now: datetime) -> list[Coverage]:
    return [Coverage(source="erp", kind="stock", covered_until=now)]


async def _one_stream() -> list[StreamLine]:
    return [
        StreamLine(
            name="lake",
            position=0,
            head=1,
            waiting=1,
            waiting_since=None,
            confirmed_at=None,
            failures=0,
            code=None,
            failed_at=None,
        )
    ]


def _row(family: Metric) -> Row:
    suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
    labels = {label: None for sample in family.samples for label in sample.labels if label != "le"}
    return Row(f"{family.name}{suffix}", family.type, tuple(labels), family.documentation)
