"""`/livez`, `/readyz` and `/metrics`, as each process tells them on a port of its own."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeVar, cast

import pytest
from litestar.testing import AsyncTestClient

from waggle import health
from waggle.engine.worker import WorkerRuntime
from waggle.errors import TemporaryFailure
from waggle.health import ApiHealth, Health, RelayHealth, WorkerHealth, create_health_app
from waggle.metrics import Metrics
from waggle.ports.unit_of_work import Transaction
from waggle.resources import shipped
from waggle.services import relay
from waggle.services.catalogue import load_catalogue
from waggle.services.enrolling import Enrolling
from waggle.services.relay import Relay
from waggle.testing.clock import HandClock
from waggle.testing.facts import book
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio

T = TypeVar("T")
Answer = tuple[int, Any]


@dataclass
class Behind:
    """What the process stands on."""

    failure: Exception | None = None
    is_silent: bool = False

    async def check(self) -> None:
        if self.is_silent:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure


@dataclass
class FakeRelay:
    stillness_s: float = 0.0


@dataclass
class FakeRuntime:
    silence_s: float = 0.0
    stillness_s: float = 0.0
    is_draining: bool = False
    is_listening: bool = True


async def ask(subject: Health, path: str) -> Answer:
    async with AsyncTestClient(create_health_app(subject, Metrics("test"))) as client:
        answer = await client.get(path)
    return answer.status_code, answer.json()["status" if answer.is_success else "detail"]


def relay_health(behind: Behind, subject: FakeRelay) -> RelayHealth:
    found = RelayHealth(behind.check)
    found.relay = cast("Relay", subject)
    return found


def worker_health(behind: Behind, runtime: FakeRuntime) -> WorkerHealth:
    found = WorkerHealth(behind.check, silent_limit_s=100)
    found.runtime = cast("WorkerRuntime", runtime)
    return found


def api_health(behind: Behind) -> ApiHealth:
    found = ApiHealth(behind.check)
    found.is_open = True
    return found


async def test_a_process_that_works_is_alive_and_ready() -> None:
    for subject in (
        relay_health(Behind(), FakeRelay()),
        worker_health(Behind(), FakeRuntime()),
        api_health(Behind()),
    ):
        assert await ask(subject, "/livez") == (200, "alive")
        assert await ask(subject, "/readyz") == (200, "ready")


async def test_a_process_that_still_waits_for_something_is_alive_and_not_ready() -> None:
    check = Behind().check
    for subject in (RelayHealth(check), WorkerHealth(check, silent_limit_s=100), ApiHealth(check)):
        assert await ask(subject, "/livez") == (200, "alive")
        status, detail = await ask(subject, "/readyz")
        assert (status, detail[:8]) == (503, "STARTING")


async def test_a_relay_whose_loop_does_not_turn_is_dead() -> None:
    assert await ask(relay_health(Behind(), FakeRelay(59)), "/livez") == (200, "alive")
    assert await ask(relay_health(Behind(), FakeRelay(61)), "/livez") == (
        503,
        "RELAY_STUCK: a loop has not turned for 61 s",
    )


class StuckStore:
    """A database that never answers."""

    async def run(self, work: Callable[[Transaction], T]) -> T:
        return await asyncio.Future()

    read = run


@dataclass
class HandWatch:
    """Stands in for the module `time`."""

    now_s: float = 0.0

    def monotonic(self) -> float:
        return self.now_s


async def test_a_relay_grows_still_while_its_database_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = HandWatch()
    monkeypatch.setattr(relay, "time", watch)
    enrolling = Enrolling(load_catalogue(shipped("bpmn")), book())
    stuck = Relay(StuckStore(), RememberingEngine(), enrolling, HandClock())
    running = asyncio.create_task(stuck.run(asyncio.Event()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    watch.now_s = 100.0

    assert stuck.stillness_s == 100.0
    running.cancel()


async def test_a_worker_that_hears_nothing_from_a_gateway_that_answers_others_is_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = HandWatch(1000.0)
    monkeypatch.setattr(health, "time", watch)
    subject = worker_health(Behind(), FakeRuntime(silence_s=101))
    assert await ask(worker_health(Behind(), FakeRuntime(silence_s=99)), "/livez") == (200, "alive")

    assert await ask(subject, "/livez") == (200, "alive")  # it may have come back this moment
    watch.now_s += 21

    assert await ask(subject, "/livez") == (
        503,
        "WORKER_DEAF: nothing heard for 101 s from a gateway that answers others",
    )


async def test_an_engine_that_is_away_for_long_is_no_reason_to_restart_a_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = HandWatch(1000.0)
    monkeypatch.setattr(health, "time", watch)
    away = Behind(TemporaryFailure("ENGINE_UNREACHABLE", "no answer"))
    subject = worker_health(away, FakeRuntime(silence_s=7200))

    for _ in range(3):
        assert await ask(subject, "/livez") == (200, "alive")
        watch.now_s += 1000
    assert await ask(subject, "/readyz") == (503, "ENGINE_UNREACHABLE: no answer")
    # Back again: it is given time to be heard.
    away.failure = None
    assert await ask(subject, "/livez") == (200, "alive")


async def test_a_black_hole_is_no_reason_to_restart_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_ANSWER_WITHIN_S", 0.01)

    assert await ask(worker_health(Behind(is_silent=True), FakeRuntime(silence_s=7200)), "/livez") == (200, "alive")


async def test_a_worker_whose_loops_stand_still_is_dead() -> None:
    assert await ask(worker_health(Behind(), FakeRuntime(stillness_s=101)), "/livez") == (
        503,
        "WORKER_STUCK: no loop has turned for 101 s",
    )
    assert await ask(worker_health(Behind(), FakeRuntime(is_listening=False)), "/livez") == (
        503,
        "WORKER_STUCK: a loop that takes jobs in has ended: see the log",
    )


async def test_a_worker_that_was_asked_to_stop_is_alive_and_not_ready() -> None:
    subject = worker_health(Behind(), FakeRuntime(silence_s=999, is_draining=True, is_listening=False))

    assert await ask(subject, "/livez") == (200, "alive")
    assert (await ask(subject, "/readyz"))[0] == 503


async def test_what_is_away_is_named() -> None:
    behind = Behind(TemporaryFailure("DATABASE_LOCKED", "another program holds it"))

    for subject in (relay_health(behind, FakeRelay()), api_health(behind)):
        assert await ask(subject, "/readyz") == (503, "DATABASE_LOCKED: another program holds it")


async def test_who_does_not_answer_in_time_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_ANSWER_WITHIN_S", 0.01)

    status, detail = await ask(worker_health(Behind(is_silent=True), FakeRuntime()), "/readyz")

    assert (status, detail[:9]) == (503, "NO_ANSWER")


async def test_a_fault_of_ours_is_quoted_to_nobody() -> None:
    async with AsyncTestClient(
        create_health_app(relay_health(Behind(RuntimeError("ada@example.com")), FakeRelay()), Metrics("test"))
    ) as client:
        answer = await client.get("/readyz")

    assert answer.status_code == 500
    assert "ada@" not in answer.text


async def test_metrics_are_shown_in_the_format_that_is_asked_for() -> None:
    async with AsyncTestClient(create_health_app(ApiHealth(Behind().check), Metrics("api"))) as client:
        plain = await client.get("/metrics")
        modern = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert plain.headers["content-type"].startswith("text/plain; version=")
    assert plain.headers["content-type"].count("charset") == 1
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    for answer in (plain, modern):
        assert f'waggle_build_info{{part="api",version="{version("waggle")}"}} 1.0' in answer.text
        assert "process_cpu_seconds_total" in answer.text
    assert modern.text.endswith("# EOF\n")
