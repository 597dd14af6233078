"""What a cart costs while it waits: memory of the broker, disk of engine and database."""

import itertools
from pathlib import Path
from typing import Any

from benchmarks.databases import Kind
from benchmarks.disk import files_in, used_bytes
from benchmarks.flagship.house import House, batched, opened
from benchmarks.flagship.shoppers import shoppers
from benchmarks.flagship.usage import rss_mb

Row = dict[str, Any]

_CARTS = (1_000, 20_000, 50_000)
"""The first count is what the others are compared with: a broker that has not worked yet has not grown either."""


async def rows(folder: Path, kind: Kind, *, workers: int, scale: float) -> list[Row]:
    """Measure one house at rest with ever more carts; the wait is long enough that none falls due meanwhile."""
    people = shoppers()
    async with opened(folder, kind, workers=workers, cart_idle="P2D") as house:
        sizes: list[Row] = []
        for wanted in (round(count * scale) for count in _CARTS):
            more = list(itertools.islice(people, wanted - (sizes[-1]["carts"] if sizes else 0)))
            await house.sign_up(more)
            await house.post_all([[each.fills_cart() for each in some] for some in batched(more)])
            await house.rest(wanted, running=wanted)
            sizes.append(_sizes(house, wanted))
    base, *more_carts = sizes
    facts = {"row": "waiting", "database": kind, "workers": workers}
    return [{**facts, **now, **_per_cart(base, now)} for now in more_carts]


def _sizes(house: House, carts: int) -> Row:
    files = files_in(house.broker.running.home / "data")
    usage = house.usage()
    return {
        "carts": carts,
        "broker_rss_bytes": usage["broker"].rss_bytes,
        "engine_disk_bytes": used_bytes(files),
        "engine_log_bytes": used_bytes(file for file in files if file.suffix == ".log"),
        "database_bytes": house.database.size_bytes(),
        "rss_mb": rss_mb(usage),
    }


def _per_cart(base: Row, now: Row) -> Row:
    more = now["carts"] - base["carts"]
    names = ("broker_rss_bytes", "engine_disk_bytes", "engine_log_bytes", "database_bytes")
    return {"per_cart": {name: round((now[name] - base[name]) / more) for name in names}}
