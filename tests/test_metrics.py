"""What the processes show, and that pages and alerts speak of nothing else."""

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from prometheus_client import CollectorRegistry

from tests.shown import FakeBreaker, FakeRuntime, Row, rows
from waggle import metrics as module
from waggle.domain.wave import Wave
from waggle.engine.worker import Counters
from waggle.engine.worker.counters import Durations
from waggle.engine.worker.metrics import COUNTED, GAUGED, TIMED, WorkerCollector
from waggle.errors import TemporaryFailure
from waggle.metrics import BreakerCollector, Census, Metrics
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.intake import Intake
from waggle.storage.store import Store, open_store
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "howto-watch.md"
RULES = ROOT / "deploy" / "prometheus" / "waggle.rules.yml"

T = TypeVar("T")


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    store = open_store(sqlite_url)
    yield store
    store.close()


def values(collector: Any) -> dict[str, float]:  # noqa: ANN401 - a registry's or any collector's
    """'name{labels}' -> value."""
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in collector.collect()
        for sample in family.samples
    }


def worker(counters: Counters, silence_s: float = 0.0) -> dict[str, float]:
    return values(WorkerCollector(lambda: FakeRuntime({"send-message": counters}, silence_s)))


async def test_everything_a_worker_counts_is_shown() -> None:
    counters = Counters()
    counted = [each.name for each in fields(Counters) if isinstance(getattr(counters, each.name), int)]
    timed = [each.name for each in fields(Counters) if isinstance(getattr(counters, each.name), Durations)]
    for number, name in enumerate(COUNTED, start=100):
        setattr(counters, name, number)

    assert sorted([*COUNTED, *GAUGED]) == sorted(counted)
    assert sorted(TIMED) == sorted(timed)
    shown = worker(counters)
    assert [shown[f"waggle_job_{name}_total{{send-message}}"] for name in COUNTED] == list(
        range(100, 100 + len(COUNTED))
    )


async def test_durations_are_cumulated_as_prometheus_wants_them() -> None:
    counters = Counters()
    for seconds in (0.001, 0.3, 0.3, 500.0):
        counters.handler_time.observe(seconds)

    shown = worker(counters)

    name = "waggle_job_handler_seconds"
    buckets = [shown[f"{name}_bucket{{send-message}}{{{le}}}"] for le in ("0.005", "0.25", "0.5", "120.0", "+Inf")]
    assert buckets == [1, 1, 3, 3, 4]
    assert shown[f"{name}_count{{send-message}}"] == 4
    assert shown[f"{name}_sum{{send-message}}"] == pytest.approx(500.601)


async def test_saturation_is_the_share_of_the_capacity_in_use() -> None:
    shown = worker(Counters(in_flight=3, capacity=4), silence_s=7.5)

    assert shown["waggle_worker_saturation{send-message}"] == 0.75
    assert shown["waggle_gateway_silence_seconds"] == 7.5


async def test_a_worker_that_has_not_begun_shows_nothing_of_jobs() -> None:
    assert values(WorkerCollector(lambda: None)) == {}


async def test_a_breaker_is_in_one_state() -> None:
    shown = values(BreakerCollector([FakeBreaker("smtp", "probing")]))

    name = "waggle_provider_breaker{smtp}"
    assert shown == {f"{name}{{closed}}": 0, f"{name}{{open}}": 0, f"{name}{{probing}}": 1}


async def test_the_census_counts_what_waits_and_since_when(store: Store) -> None:
    clock = HandClock()
    census = Census(clock)
    census.store = store
    await Intake(store, clock).accept("shop", [{"specversion": "1.0", "id": f"e-{n}", **CART} for n in range(3)])
    clock.advance(timedelta(seconds=90))

    await census.refresh()

    shown = values(census)
    assert shown["waggle_database_answers"] == 1
    assert shown["waggle_events_pending"] == 3
    assert shown["waggle_events_pending_oldest_seconds"] == 90
    assert shown["waggle_messages{in_doubt}"] == 0


async def test_the_census_knows_how_many_waves_are_open_and_since_when(store: Store) -> None:
    clock = HandClock()
    wave = Wave(
        name="back-in-stock",
        origin="e-1",
        journey="back-in-stock",
        sku="honey",
        time_to_live_s=60,
        variables={},
        cheaper=False,
        left=None,
        until=clock.now(),
    )
    await store.run(lambda tx: tx.waves.save(wave))
    clock.advance(timedelta(seconds=30))
    later = replace(wave, origin="e-2", sku="wax", until=clock.now())
    await store.run(lambda tx: tx.waves.save(later))
    clock.advance(timedelta(seconds=12))
    census = Census(clock)
    census.store = store

    await census.refresh()

    shown = values(census)
    assert (shown["waggle_waves"], shown["waggle_waves_oldest_seconds"]) == (2, 42)


CART = {
    "type": "cart-updated",
    "data": {"cart_id": "c-1", "currency": "EUR", "items": [{"sku": "s", "quantity": 1, "unit_price_minor": 5}]},
}


@dataclass
class SlowStore:
    """Reads take until the gate is open."""

    behind: UnitOfWork
    gate: asyncio.Event
    reads: int = 0
    failure: TemporaryFailure | None = None

    async def read(self, work: Callable[[Transaction], T]) -> T:
        self.reads += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return await self.behind.read(work)

    run = read


@pytest.fixture
def slow(store: Store) -> SlowStore:
    return SlowStore(store, asyncio.Event())


@pytest.fixture
def census(slow: SlowStore, monkeypatch: pytest.MonkeyPatch) -> Census:
    monkeypatch.setattr(module, "_COUNT_WITHIN_S", 0.05)
    census = Census(HandClock())
    census.store = slow
    return census


async def test_a_slow_database_holds_up_no_scrape_and_is_asked_once(census: Census, slow: SlowStore) -> None:
    for _ in range(3):
        await census.refresh()
        assert values(census) == {"waggle_database_answers": 0}
    assert slow.reads == 1

    slow.gate.set()
    async with asyncio.timeout(60):
        while values(census)["waggle_database_answers"] == 0:
            await census.refresh()


async def test_what_was_counted_a_moment_ago_is_not_counted_again(census: Census, slow: SlowStore) -> None:
    slow.gate.set()
    async with asyncio.timeout(60):
        while values(census)["waggle_database_answers"] == 0:
            await census.refresh()
    reads = slow.reads

    await asyncio.gather(census.refresh(), census.refresh())

    assert slow.reads == reads


async def test_a_database_that_is_away_shows_no_old_counts(census: Census, slow: SlowStore) -> None:
    slow.gate.set()
    slow.failure = TemporaryFailure("DATABASE_UNREACHABLE", "nobody there")

    await census.refresh()

    assert values(census) == {"waggle_database_answers": 0}


async def test_a_process_has_a_registry_of_its_own() -> None:
    one, other = Metrics("relay"), Metrics("worker")

    assert isinstance(one.registry, CollectorRegistry)
    assert one.registry is not other.registry


async def test_the_page_lists_every_metric_as_it_is(store: Store) -> None:
    listed = {
        name: Row(name, kind, tuple(re.findall(r"`(\w+)`", labels)), meaning)
        for name, kind, labels, meaning in re.findall(
            r"^\| `(waggle_\w+)` \| (\w+) \|([^|]*)\| (.*) \|$", PAGE.read_text(), re.MULTILINE
        )
    }

    assert listed == await rows(store)


def alerts() -> list[dict[str, Any]]:
    [group] = yaml.safe_load(RULES.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


async def test_alerts_look_at_metrics_that_are_there(store: Store) -> None:
    shown = await rows(store)
    known = {name for name, row in shown.items() if row.kind != "histogram"}
    known |= {f"{name}_{part}" for name, row in shown.items() if row.kind == "histogram" for part in PARTS}

    for alert in alerts():
        names = set(re.findall(r"\bwaggle_\w+", alert["expr"]))
        assert names <= known, alert["alert"]
        assert names or alert["alert"] in OF_OTHERS


PARTS = ("bucket", "count", "sum")
OF_OTHERS = ("WaggleDown", "WaggleIncidents")


async def test_alerts_compare_with_labels_and_states_that_are_there(store: Store) -> None:
    shown = await rows(store)
    for alert in alerts():
        for name, labels in re.findall(r"\b(waggle_\w+)\{([^}]*)\}", alert["expr"]):
            row = shown[re.sub(r"_(bucket|count|sum)$", "", name) if name not in shown else name]
            assert set(re.findall(r"(\w+)=", labels.replace("=~", "="))) <= set(row.labels), alert["alert"]


async def test_every_alert_says_what_is_wrong_and_is_explained_on_the_page() -> None:
    explained = re.findall(r"^\| (Waggle\w+) \|", PAGE.read_text(), re.MULTILINE)

    assert explained == [alert["alert"] for alert in alerts()]
    for alert in alerts():
        assert alert["annotations"]["summary"]
        assert alert["labels"]["severity"] in ("page", "ticket")
