"""Ten thousand carts fall due in the same minute: when does the last mail leave, and is any too late."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.databases import Kind
from benchmarks.flagship.house import House, batched, opened
from benchmarks.flagship.shoppers import Shopper, shoppers
from benchmarks.flagship.usage import cpu_between, rss_mb
from benchmarks.report import percentiles
from waggle.engine.local import advance_clock

Row = dict[str, Any]

_CARTS = 10_000
_CART_IDLE = timedelta(minutes=20)
"""As config/journeys/abandoned-cart.toml ships it."""
_LATE = timedelta(minutes=30)
"""After the last change of the cart."""
_WITHIN_S = 60.0
_BEFORE = timedelta(seconds=5)
"""The clock stops leaping this long before the first is due: from there on time is real."""
_PATIENCE = timedelta(minutes=45)
_LOOK_EVERY_S = 0.5
_SEED = 4


class LateStartError(Exception):
    """Filling the carts took so long that some fell due meanwhile."""


async def rows(folder: Path, kind: Kind, *, workers: int, scale: float) -> list[Row]:
    """Measure once on a fresh house, everything as shipped; only the clock is moved."""
    people = list(itertools.islice(shoppers(), round(_CARTS * scale)))
    async with opened(folder, kind, workers=workers, controlled_clock=True) as house:
        began_s = time.monotonic()
        left_at = await _fill(house, people, _WITHIN_S * scale)
        filled_s = time.monotonic() - began_s
        first_due_at = min(left_at.values()) + _CART_IDLE
        leap = first_due_at - _BEFORE - house.app.clock.now()
        if leap <= timedelta(0):
            raise LateStartError(f"{len(people)} carts took {filled_s:.0f} s")
        await asyncio.to_thread(advance_clock, house.app.settings.engine_home, leap.total_seconds())
        before, timed_out = house.usage(), (await house.broker.counts()).jobs_timed_out
        arrived_at, copies = await _mails(house, len(people), until=first_due_at + _PATIENCE)
        after = house.usage()
        counts = await house.broker.counts()
    facts = {"row": "peak", "database": kind, "workers": workers, "carts": len(people)}
    measured = told(left_at, arrived_at, copies)
    return [
        {
            **facts,
            **measured,
            "filled_per_s": round(len(people) / filled_s, 1),
            "timed_out_jobs": counts.jobs_timed_out - timed_out,
            "incidents": counts.incidents,
            "cpu_s": cpu_between(before, after),
            "rss_mb": rss_mb(after),
        }
    ]


async def _fill(house: House, people: Sequence[Shopper], within_s: float) -> dict[str, datetime]:
    """Let all sign up and leave carts whose last changes lie *within_s*; return that moment by address."""
    drawn = Random(_SEED)  # noqa: S311 -- no secret
    await house.sign_up(people)
    began_at = house.app.clock.now()
    left_at = {each.email: began_at + timedelta(seconds=drawn.uniform(0, within_s)) for each in people}
    await house.post_all([[each.fills_cart(left_at[each.email]) for each in some] for some in batched(people)])
    await house.rest(len(people), running=len(people))
    return left_at


async def _mails(house: House, expected: int, *, until: datetime) -> tuple[dict[str, datetime], Counter[str]]:
    """Return the first arrival of each mail on the journeys' clock, and how many copies came of each."""
    copies: Counter[str] = Counter()
    arrived_at: dict[str, datetime] = {}
    while len(arrived_at) < expected and (now := house.app.clock.now()) < until:
        ahead_ns = round(now.timestamp() * 1e9) - time.time_ns()
        for to, arrived_ns in house.mails.new():
            copies[to] += 1
            arrived_at.setdefault(to, datetime.fromtimestamp((arrived_ns + ahead_ns) / 1e9, now.tzinfo))
        await asyncio.sleep(_LOOK_EVERY_S)
    return arrived_at, copies


def told(left_at: dict[str, datetime], arrived_at: dict[str, datetime], copies: Counter[str]) -> Row:
    """Return what the last change of each cart, the first arrival of each mail and the number of its copies tell."""
    first_due_at = min(left_at.values()) + _CART_IDLE
    after_due_s = sorted((at - left_at[to] - _CART_IDLE).total_seconds() for to, at in arrived_at.items())
    since_first_s = sorted((at - first_due_at).total_seconds() for at in arrived_at.values())
    late = sum(at - left_at[to] > _LATE for to, at in arrived_at.items())
    return {
        "mails": len(arrived_at),
        "missing": len(left_at) - len(arrived_at),
        "doubled": sum(count > 1 for count in copies.values()),
        "first_mail_s": round(since_first_s[0], 1) if since_first_s else None,
        "last_mail_s": round(since_first_s[-1], 1) if since_first_s else None,
        "mails_per_s": round(len(since_first_s) / since_first_s[-1], 1) if since_first_s else 0.0,
        "after_due_s": percentiles([round(value, 1) for value in after_due_s]),
        "later_than_30_min": late + len(left_at) - len(arrived_at),
        "arrivals": _curve(since_first_s),
    }


def _curve(seconds: Sequence[float]) -> list[tuple[float, int]]:
    """Return seconds and how many had arrived by then, a hundred points at most."""
    step = max(1, len(seconds) // 100)
    points = [(round(value, 1), count) for count, value in enumerate(seconds, 1) if count % step == 0]
    return points if not seconds or len(seconds) % step == 0 else [*points, (round(seconds[-1], 1), len(seconds))]
