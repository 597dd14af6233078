"""How long from an accepted webhook to the first effect and to the mail: one at a time, and at 70 % of capacity."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.databases import Kind
from benchmarks.flagship.flow import Flow, Trip, note_claims, per_s, spread_ms
from benchmarks.flagship.house import House, opened
from benchmarks.flagship.shoppers import Shopper, arrival_gaps_s, shoppers
from benchmarks.flagship.usage import cpu_between, rss_mb

Row = dict[str, Any]

_WARM_UP = 600
"""The broker's Java runs at half its speed at first."""
_IDLE = 300
_SATURATED = 1500
_AT_ONCE = 64
_LOADED_S = 60.0
_LOAD = 0.7
_IDLE_PAUSE_S = 0.25
_SEED = 4


async def rows(folder: Path, kind: Kind, *, workers: int, scale: float) -> list[Row]:
    """Measure on a fresh house; a cart counts as abandoned at once, so that no wait is in the numbers."""
    people = shoppers()
    async with opened(folder, kind, workers=workers, cart_idle="PT0S") as house, Flow.opened(house) as flow:
        await flow.together(await _take(house, people, _WARM_UP, scale), _AT_ONCE)
        idle = await _idle(house, flow, await _take(house, people, _IDLE, scale))
        saturated = await flow.together(await _take(house, people, _SATURATED, scale), _AT_ONCE)
        capacity = per_s(saturated)
        loaded = await _loaded(house, flow, people, rate_per_s=_LOAD * capacity, lasts_s=_LOADED_S * scale)
    found = [{"load": "idle", **idle}, {"load": "70 %", **loaded}]
    facts = {"row": "latency", "database": kind, "workers": workers, "capacity_per_s": round(capacity, 1)}
    return [{**facts, **row} for row in found]


async def _take(house: House, people: Iterator[Shopper], count: int, scale: float) -> list[Shopper]:
    taken = list(itertools.islice(people, max(20, round(count * scale))))
    await house.sign_up(taken)
    return taken


async def _idle(house: House, flow: Flow, taken: Sequence[Shopper]) -> Row:
    before = house.usage()
    trips = []
    # Pauses of no even length: the relay looks every 50 ms, and each phase of that must have its share.
    for shopper, pause_s in zip(taken, arrival_gaps_s(1 / _IDLE_PAUSE_S, _SEED), strict=False):
        await asyncio.sleep(min(pause_s, 1.0))
        trips.append(await flow.send(shopper))
    return _row(house, trips, cpu_s=cpu_between(before, house.usage()))


async def _loaded(house: House, flow: Flow, people: Iterator[Shopper], *, rate_per_s: float, lasts_s: float) -> Row:
    taken = await _take(house, people, round(rate_per_s * lasts_s), 1.0)
    before = house.usage()
    loop = asyncio.get_running_loop()
    next_s = loop.time()
    async with asyncio.TaskGroup() as sending:
        tasks = []
        for shopper, gap_s in zip(taken, arrival_gaps_s(rate_per_s, _SEED), strict=False):
            # By the plan and not by the last arrival: who comes does not wait for a slow house.
            next_s += gap_s
            await asyncio.sleep(max(0.0, next_s - loop.time()))
            tasks.append(sending.create_task(flow.send(shopper)))
    trips = [task.result() for task in tasks]
    return {"offered_per_s": round(rate_per_s, 1), **_row(house, trips, cpu_s=cpu_between(before, house.usage()))}


def _row(house: House, trips: Sequence[Trip], *, cpu_s: dict[str, float]) -> Row:
    note_claims(house, trips)
    return {
        "carts": len(trips),
        "mails_per_s": round(per_s(trips), 1),
        "accepted_to_first_effect_ms": spread_ms([trip.claimed_ns - trip.accepted_ns for trip in trips]),
        "accepted_to_mail_ms": spread_ms([trip.mailed_ns - trip.accepted_ns for trip in trips]),
        "post_to_mail_ms": spread_ms([trip.mailed_ns - trip.posted_ns for trip in trips]),
        "post_to_accepted_ms": spread_ms([trip.accepted_ns - trip.posted_ns for trip in trips]),
        "cpu_s": cpu_s,
        "rss_mb": rss_mb(house.usage()),
    }
