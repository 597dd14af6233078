"""A relay that is killed while it tells those who wait for a product leaves nobody out and tells nobody twice."""

import asyncio
import multiprocessing
import shutil
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.guarantees.wave_process import AT_ONCE, apply, relay_of
from waggle.ports.unit_of_work import Transaction
from waggle.storage.dump import read_tables
from waggle.storage.store import open_store
from waggle.testing.chaos.crash_points import CrashPoints
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop

pytestmark = [pytest.mark.guarantee, pytest.mark.timeout(600)]

WATCHERS = [f"c-{number}" for number in range(7)]


async def prepared(url: str) -> None:
    """Let seven people wait for honey, and tell the inbox that it is back."""
    store = open_store(url)
    shop = Shop(store, HandClock(), relay_of(store, careless=False))
    for customer_id in WATCHERS:
        await shop.tell("stock-subscription-created", {"customer_id": customer_id, "sku": "honey"})
    await shop.send("stock-changed", {"sku": "honey", "quantity": 100})

    def publish(tx: Transaction) -> None:
        for queued in tx.engine_messages.due(shop.clock.now(), len(WATCHERS)):
            tx.engine_messages.mark_published(queued.queue_id, shop.clock.now())

    await store.run(publish)
    store.close()


def told(folder: Path) -> Counter[str]:
    """Return how often each watcher was told that it is back."""
    found = read_tables(f"sqlite:///{folder / 'waggle.db'}", ["engine_messages", "enrolments"])
    customer = {row["enrolment_id"]: row["customer_id"] for row in found["enrolments"]}
    return Counter(customer[row["enrolment_id"]] for row in found["engine_messages"] if row["name"] == "stock-changed")


def after_each_kill(url: str, tmp_path: Path, *, careless: bool) -> dict[str, Counter[str]]:
    """Return who was told once a relay that died at each of its points was followed by one that did not."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.guarantees.wave_process"])
    asyncio.run(prepared(url))
    model = tmp_path / "model"
    model.mkdir()
    for made in (tmp_path / "waggle.db", tmp_path / "keys"):
        shutil.move(made, model / made.name)

    def fresh(name: str) -> tuple[Path, CrashPoints]:
        folder = tmp_path / name
        shutil.copytree(model, folder)
        points = CrashPoints(folder / "points")
        points.prepare()
        return folder, points

    def run(folder: Path) -> int | None:
        process = context.Process(target=partial(apply, folder, careless=careless))
        process.start()
        process.join()
        return process.exitcode

    folder, points = fresh("unhurt")
    assert run(folder) == 0
    assert told(folder) == dict.fromkeys(WATCHERS, 1)
    found = {}
    for number, point in enumerate(points.seen()):
        folder, armed = fresh(f"{number}")
        armed.arm(point)
        assert run(folder) == -signal.SIGKILL, point
        assert run(folder) == 0, point
        found[point] = told(folder)
    return found


def test_a_kill_at_any_point_leaves_nobody_out_and_tells_nobody_twice(sqlite_url: str, tmp_path: Path) -> None:
    found = after_each_kill(sqlite_url, tmp_path, careless=False)

    assert {"relay.Relay.apply_batch.inside", "relay.Relay.tell_on.inside", "relay.Relay.tell_on.after"} <= found.keys()
    for point, counts in found.items():
        assert counts == dict.fromkeys(WATCHERS, 1), point


def test_control_a_relay_that_takes_the_wave_before_it_tells_leaves_people_out(sqlite_url: str, tmp_path: Path) -> None:
    found = after_each_kill(sqlite_url, tmp_path, careless=True)

    left_out = {point for point, counts in found.items() if counts.keys() != set(WATCHERS)}
    assert "relay.TakesWaveFirst.take.after" in left_out
    assert all(len(counts) >= AT_ONCE for counts in found.values())
