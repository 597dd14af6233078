"""The exchange runs what is set, tells how it is, and its sources' freshness is measured."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from waggle.app import App
from waggle.errors import BadSettings, TemporaryFailure
from waggle.health import ExchangeHealth
from waggle.installation import _parts
from waggle.metrics import SourceCensus
from waggle.ports.pulling import Coverage, Cursor
from waggle.ports.unit_of_work import Transaction
from waggle.processes import run_exchange
from waggle.services.pulling import Pulling
from waggle.settings import load_settings
from waggle.testing.clock import A_SUNDAY_NOON, HandClock
from waggle.testing.json_server import Answer, json_server
from waggle.testing.ports import kept_ports

pytestmark = pytest.mark.anyio

RECORD = {"shop_sku": "honey", "available": "5.000", "counted_at": "2026-05-01T08:00:00"}


@pytest.fixture
def environment(sqlite_url: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    with kept_ports(1) as [port]:
        yield {
            "WAGGLE_HOME": str(tmp_path),
            "WAGGLE_DATABASE__URL": sqlite_url,
            "WAGGLE_EXCHANGE__HEALTH_PORT": str(port),
            "WAGGLE_ENGINE__ADDRESS": "127.0.0.1:1",
        }


@pytest.fixture
def made() -> Iterator[list[App]]:
    apps: list[App] = []
    yield apps
    for app in apps:
        app.close()


async def test_a_source_that_is_set_is_asked_and_the_process_ends_when_told(
    environment: dict[str, str], made: list[App]
) -> None:
    async with json_server(lambda asked: Answer([RECORD])) as server:
        source = {"CONNECTOR": "rest", "URL": server.url, "MAPPING": "erp-stock", "PULL_EVERY": "PT1H"}
        keys = {f"WAGGLE_SOURCE__WAREHOUSE__{key}": value for key, value in source.items()}
        app = App(load_settings({**environment, **keys}))
        made.append(app)
        stop = asyncio.Event()
        running = asyncio.create_task(run_exchange(app, stop))
        async with asyncio.timeout(60):
            while not await app.store.read(lambda tx: tx.pulling.coverage()):  # noqa: ASYNC110 -- a database tells nobody
                await asyncio.sleep(0.05)
        port = app.settings.exchange.health_port
        async with httpx.AsyncClient(trust_env=False) as client:
            answers = [
                (await client.get(f"http://127.0.0.1:{port}/{path}")).status_code for path in ("livez", "readyz")
            ]
        stop.set()
        await running

    assert answers == [200, 200]
    [stored] = await app.store.run(lambda tx: tx.events.pending(10))
    assert (stored.event.source, stored.event.data) == ("warehouse", {"sku": "honey", "quantity": 5})


async def test_without_anything_to_do_it_says_so(environment: dict[str, str], made: list[App]) -> None:
    app = App(load_settings(environment))
    made.append(app)

    with pytest.raises(BadSettings, match="NOTHING_TO_EXCHANGE"):
        await run_exchange(app, asyncio.Event())
    assert "exchange" not in [part.name for part in _parts(app, {})]


async def test_everything_on_one_machine_includes_it_where_something_is_set(
    environment: dict[str, str], made: list[App]
) -> None:
    keys = {"CONNECTOR": "rest", "URL": "https://erp.example", "MAPPING": "erp-stock"}
    app = App(load_settings({**environment, **{f"WAGGLE_SOURCE__ERP__{key}": value for key, value in keys.items()}}))
    made.append(app)

    assert [part.name for part in _parts(app, {})][-1] == "exchange"


async def test_a_loop_that_is_stuck_is_told_from_one_that_waits() -> None:
    async def database_answers() -> None:
        return None

    class Stuck(Pulling):
        stillness_s = 61.0

    health = ExchangeHealth(database_answers)
    await health.check_alive()
    with pytest.raises(TemporaryFailure, match="STARTING"):
        await health.check_ready()
    health.pulling = Stuck.__new__(Stuck)
    with pytest.raises(TemporaryFailure, match="EXCHANGE_STUCK"):
        await health.check_alive()
    await health.check_ready()


async def test_freshness_and_failures_are_measured(environment: dict[str, str], made: list[App]) -> None:
    app, clock = App(load_settings(environment)), HandClock()
    made.append(app)

    def note(tx: Transaction) -> None:
        tx.pulling.covered("erp", "stock", A_SUNDAY_NOON)
        tx.pulling.save_cursor(Cursor(source="erp", failures=3, last_code="REST_BUSY"))
        tx.pulling.save_cursor(Cursor(source="erp", walk="a stretch", failures=9))

    await app.store.run(note)
    clock.advance(timedelta(minutes=2))

    def known(tx: Transaction, _now: object) -> list[Coverage]:
        return tx.pulling.coverage()

    census = SourceCensus(known, clock)
    census.store = app.store
    registry = CollectorRegistry()
    registry.register(census)
    await census.refresh()

    shown = generate_latest(registry).decode()
    assert 'waggle_source_freshness_seconds{kind="stock",source="erp"} 120.0' in shown
    assert 'waggle_source_failures{source="erp"} 3.0' in shown
    assert "9.0" not in shown


async def test_how_a_source_is_asked_is_as_it_is_set(environment: dict[str, str], made: list[App]) -> None:
    shopify = {
        "CONNECTOR": "shopify",
        "DOMAIN": "honey.myshopify.com",
        "CURRENCY": "EUR",
        "SECRET": "s",
        "ACCESS_TOKEN": "t",
        "EXPECT_WITHIN": "PT2H",
    }
    erp = {"CONNECTOR": "rest", "URL": "https://erp.example", "MAPPING": "erp-stock", "EXPECT_WITHIN": "PT2H"}
    keys = {f"WAGGLE_SOURCE__SHOPIFY__{key}": value for key, value in shopify.items()}
    keys |= {f"WAGGLE_SOURCE__ERP__{key}": value for key, value in erp.items()}
    app = App(load_settings({**environment, **keys, "WAGGLE_FRESHNESS__STOCK": "PT1H"}))
    made.append(app)

    plans = {plan.source: plan for plan in app.sources.plans}
    # One that calls is asked when it is silent, one that does not call again and again.
    assert (plans["shopify"].every, plans["shopify"].expect_within) == (None, timedelta(hours=2))
    assert (plans["erp"].every, plans["erp"].expect_within) == (timedelta(minutes=5), None)
    assert app.freshness.limits.limits == {"stock": timedelta(hours=1)}


async def test_a_kind_of_fact_that_does_not_exist_is_found_at_the_start(
    environment: dict[str, str], made: list[App], tmp_path: Path
) -> None:
    (tmp_path / "own.toml").write_text('[source.shop]\ncovers = ["stocks"]\n')
    app = App(load_settings({**environment, "WAGGLE_CONFIG": str(tmp_path / "own.toml")}))
    made.append(app)

    with pytest.raises(BadSettings, match=r"source\.shop\.covers"):
        _ = app.freshness
