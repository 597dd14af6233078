"""What the benchmark of the door sends, hears and makes of it; how fast anything is, no test says."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest
from matplotlib.image import imread

from benchmarks.databases import opened
from benchmarks.intake.bare import committed_ms, inserted_per_s, looked_up_ms
from benchmarks.intake.given import BATCH, batches, events, singles
from benchmarks.intake.house import build
from benchmarks.intake.load import closed_loop, open_loop
from benchmarks.intake.telling import draw, goals
from benchmarks.report import Row
from waggle.services.intake import Intake
from waggle.storage.store import open_store
from waggle.wiring.wall_clock import WallClock

pytestmark = pytest.mark.anyio


def row(name: str, clients: int, **more: object) -> Row:
    return {"row": name, "database": "sqlite", "clients": clients, "round": 0, **more}


async def test_every_event_that_is_sent_is_good_and_another_one(sqlite_url: str) -> None:
    source = events("a")
    items = [next(source) for _ in range(200)]
    store = open_store(sqlite_url)

    receipts = await Intake(store, WallClock()).accept("bench", items)
    store.close()

    assert Counter(each.status for each in receipts) == {"accepted": 200}


def test_a_request_says_how_long_its_body_is() -> None:
    for request in (*singles("a", "key", 3), *batches("a", "key", 2)):
        head, _, body = request.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        assert b"Bearer key" in head
    assert len(json.loads(batches("a", "key", 1)[0].partition(b"\r\n\r\n")[2])) == BATCH


async def test_clients_hear_every_answer_and_stop_in_time() -> None:
    answered = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        served.add(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                await reader.readexactly(length)
                answered += 1
                status = 400 if answered % 5 == 0 else 202
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n{}" % status)
        except asyncio.IncompleteReadError:
            writer.close()
            await writer.wait_closed()

    served: set[asyncio.Task[None] | None] = set()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    heard = await closed_loop(port, singles("a", "key", 100), clients=7, limit_s=30)
    timed = await open_loop(port, singles("b", "key", 50), per_s=5_000, clients=3)
    server.close()
    await asyncio.gather(*(each for each in served if each is not None))

    assert heard.statuses == {202: 80, 400: 20}
    assert len(heard.latencies_ms) == 80
    assert sum(timed.statuses.values()) == timed.sent == 50


async def test_bare_rows_are_those_of_the_table(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as database:
        await build(tmp_path, database)
        store = open_store(database.url)
        source = events("a")
        await Intake(store, WallClock()).accept("bench", [next(source) for _ in range(150)])

        assert await asyncio.to_thread(inserted_per_s, database, 10.0) > 0

        count = await store.read(lambda tx: tx.events.count_pending())
        store.close()
        assert await asyncio.to_thread(committed_ms, database, 0.2) > 0
        assert await asyncio.to_thread(looked_up_ms, database, ["c-1"], 0.1) > 0
    assert count == 300


def test_goals_are_judged_by_the_medians() -> None:
    rows = [
        row("batch", 1, of_bare=0.4),
        row("batch", 16, of_bare=0.6),
        row("single", 1, of_judged=0.1),
        row("single", 16, of_judged=0.3),
        row("read", 16, of_constant=0.7),
        row("delay", 64, latency_ms={"p50": 5.0, "p99": 249.0}),
        row("memory", 256, grown=1.2),
    ]

    assert [goal.met for goal in goals(rows)] == [True, False, True, True, False]


def test_what_was_measured_is_drawn(tmp_path: Path) -> None:
    rows = [row("batch", 16, events_per_s=100, of_bare=0.6), row("read", 1, answers_per_s=9, of_constant=0.7)]

    draw(rows, tmp_path / "intake.png")

    assert imread(tmp_path / "intake.png").shape[0] > 100
