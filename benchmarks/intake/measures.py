"""What is measured: batches, single events, delay under load, questions, memory."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.child import Child
from benchmarks.databases import Kind, opened
from benchmarks.intake.bare import committed_ms, inserted_per_s, looked_up_ms
from benchmarks.intake.given import BATCH, batches, question, singles
from benchmarks.intake.house import House, build, settle_customers
from benchmarks.intake.load import Heard, closed_loop, open_loop
from benchmarks.report import percentiles

Row = dict[str, Any]

CLIENTS = (1, 16, 64, 256)
READERS = (1, 16, 64, 256, 1_000)
_SAMPLE_S = 1.0
_PART_S = 20.0
_MOST_SINGLES_PER_S = 12_000
_MOST_BATCHES_PER_S = 250
_OVERLOAD_BATCHES_PER_S = 60
_LOAD = 0.7


async def batch_rows(folder: Path, kind: Kind, round_s: float) -> list[Row]:
    """Measure batches of 100 at several numbers of clients, then bare inserts of the same rows."""
    rows = []
    with opened(kind, folder) as database:
        house = await build(folder, database)
        async with house.server() as (port, _):
            for clients in CLIENTS:
                heard = await _sent(port, batches, house, clients, round_s, _MOST_BATCHES_PER_S)
                rows.append(_row("batch", kind, clients, heard, BATCH))
        bare = await asyncio.to_thread(inserted_per_s, database, round_s)
        return [{**row, "bare_per_s": round(bare), "of_bare": round(row["events_per_s"] / bare, 3)} for row in rows]


async def single_rows(folder: Path, kind: Kind, round_s: float) -> list[Row]:
    """Measure single events at several numbers of clients, beside the same server that only judges."""
    rows = []
    with opened(kind, folder) as database:
        house = await build(folder, database)
        async with house.server() as (port, _), house.server("--judge-only") as (judging_port, _):
            for clients in CLIENTS:
                heard = await _sent(port, singles, house, clients, round_s, _MOST_SINGLES_PER_S)
                judged = await _sent(judging_port, singles, house, clients, round_s, _MOST_SINGLES_PER_S)
                row, alike = _row("single", kind, clients, heard, 1), _row("single", kind, clients, judged, 1)
                share = row["events_per_s"] / max(1, alike["events_per_s"])
                rows.append({**row, "judged_per_s": alike["events_per_s"], "of_judged": round(share, 3)})
        # One client waits for a commit each time: no server on this database could do better than both in turn.
        rows[0] |= _possible(rows[0], "of_judged", "judged_per_s", committed_ms(database, round_s / 2))
    return rows


async def delay_rows(folder: Path, kind: Kind, round_s: float) -> list[Row]:
    """Measure how long single events take to be acknowledged at 70 % of what 64 clients came to just before."""
    with opened(kind, folder) as database:
        house = await build(folder, database)
        async with house.server() as (port, _):
            most = await _sent(port, singles, house, 64, round_s / 2, _MOST_SINGLES_PER_S)
            per_s = _LOAD * len(most.latencies_ms) / most.wall_s
            requests = singles(f"delay-{secrets.token_hex(4)}", house.key, round(per_s * round_s))
            heard = await open_loop(port, requests, per_s)
    return [_row("delay", kind, 64, heard, 1) | {"offered_per_s": round(per_s)}]


async def read_rows(folder: Path, kind: Kind, round_s: float) -> list[Row]:
    """Measure questions about customers, beside those to which the same server answers a constant."""
    rows = []
    with opened(kind, folder) as database:
        house = await build(folder, database)
        customers = await settle_customers(house, 200)
        asked = [question(f"/v1/customers/{each}", house.key) for each in customers]
        async with house.server() as (port, _), house.server("--constant") as (constant_port, _):
            for clients in READERS:
                heard = await closed_loop(port, asked * 1_000, clients, round_s)
                alike = await closed_loop(constant_port, asked * 1_000, clients, round_s)
                per_s, constant_per_s = (len(each.latencies_ms) / each.wall_s for each in (heard, alike))
                rows.append(
                    {
                        **_row("read", kind, clients, heard, 1),
                        "events_per_s": None,
                        "answers_per_s": round(per_s),
                        "constant_per_s": round(constant_per_s),
                        "of_constant": round(per_s / max(1.0, constant_per_s), 3),
                    }
                )
        bare_ms = looked_up_ms(database, customers, round_s / 2)
        rows[0] |= _possible(rows[0], "of_constant", "constant_per_s", bare_ms)
    return rows


async def memory_rows(folder: Path, kind: Kind, round_s: float) -> list[Row]:
    """Measure the memory of the server while 256 clients send batches as fast as they can."""
    with opened(kind, folder) as database:
        house = await build(folder, database)
        async with house.server() as (port, server):
            seen: list[int] = []
            watching = asyncio.create_task(_watch(server, seen))
            heard = Heard()
            while heard.wall_s < round_s:
                # Made in parts: the requests of ten minutes would fill the memory of the driver.
                part = await _sent(port, batches, house, 256, _PART_S, _OVERLOAD_BATCHES_PER_S)
                heard.statuses += part.statuses
                heard.latencies_ms += part.latencies_ms
                heard.wall_s += part.wall_s
            watching.cancel()
    quarter = max(1, len(seen) // 4)
    first, last = max(seen[quarter : 2 * quarter], default=0), max(seen[-quarter:], default=0)
    return [
        _row("memory", kind, 256, heard, BATCH)
        | {
            "rss_mb_second_quarter": round(first / 1e6, 1),
            "rss_mb_last_quarter": round(last / 1e6, 1),
            "grown": round(last / max(1, first), 3),
        }
    ]


async def _watch(server: Child, seen: list[int]) -> None:
    while True:
        seen.append(server.rss_bytes())
        await asyncio.sleep(_SAMPLE_S)


async def _sent(  # noqa: PLR0917 -- one measurement has many sides
    port: int,
    make: Callable[[str, str, int], Sequence[bytes]],
    house: House,
    clients: int,
    limit_s: float,
    most_per_s: int,
) -> Heard:
    requests = make(secrets.token_hex(4), house.key, max(clients, round(most_per_s * limit_s)))
    return await closed_loop(port, requests, clients, limit_s)


def _possible(row: Row, share: str, alike_per_s: str, bare_ms: float) -> Row:
    """Return what *share* one client would come to if nothing but the database's own time were added."""
    alike_ms = 1_000 / max(1, row[alike_per_s])
    possible = alike_ms / (alike_ms + bare_ms)
    return {
        "bare_ms": round(bare_ms, 3),
        "possible": round(possible, 3),
        "of_possible": round(row[share] / possible, 3),
    }


def _row(name: str, kind: Kind, clients: int, heard: Heard, events: int) -> Row:
    return {
        "row": name,
        "database": kind,
        "clients": clients,
        "events_per_s": round(events * len(heard.latencies_ms) / heard.wall_s),
        "latency_ms": percentiles(heard.latencies_ms),
        "statuses": {str(status): count for status, count in sorted(heard.statuses.items())},
        "wall_s": round(heard.wall_s, 2),
    }
