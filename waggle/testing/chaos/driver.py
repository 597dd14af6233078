"""One run: shoppers come, things break, everything is healed, and the checker says what became of the promises."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from waggle.testing.chaos.checker import Budget, Evidence, Verdict, check
from waggle.testing.chaos.plan import DATABASE, Plan, draw
from waggle.testing.chaos.report import Report, bound_95, failures_of
from waggle.testing.chaos.rig import PARTS, Database, Rig, Setup, rigged
from waggle.testing.chaos.shoppers import Crowd, Shopper
from waggle.testing.chaos.strikes import Progress, Silence, Volley, strike

CARTS_PER_S = 2.0
_KILL_EVERY_S = 1.8
_POINTS_LAST_S = 150.0
_QUIET_WITHIN_S = 300.0
_HALF_OF_OFFERED = 0.1
"""Of all carts so many use up half of what would be offered to them in coupons of one campaign."""
_COST_MINOR = {"cart-5": 200, "cart-10": 900, "cart-15": 1350}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a run is to do."""

    folder: Path
    database: Database
    seed: int
    kills: int
    broker_kills: int
    with_points: bool
    commit: str

    def plan(self) -> Plan:
        """Return what is to go wrong."""
        victims = [*PARTS, DATABASE] if self.database == "postgresql" else list(PARTS)
        return draw(self.seed, self.kills, self.broker_kills, victims, every_s=_KILL_EVERY_S)


async def run(wanted: Wanted, progress: Progress) -> Report:
    """Do what is *wanted* and return what came of it."""
    began_s = time.monotonic()
    plan = wanted.plan()
    lasts_s = plan.lasts_s + (_POINTS_LAST_S if wanted.with_points else 0)
    budgets = _budgets(int(lasts_s * CARTS_PER_S), with_points=wanted.with_points)
    progress.phase("setting up", 0)
    async with rigged(Setup(folder=wanted.folder, database=wanted.database, budgets=budgets)) as rig:
        volley = Volley(rig.points, rig.history, wanted.seed)
        async with load(rig, wanted.seed):
            if wanted.with_points:
                await volley.fire(progress)
                volley.arm_rest()
            await strike(rig, plan, progress)
            if wanted.with_points:
                await volley.last_chance()
            volley.end()
        verdict, _ = await settle(rig, progress)
        return _report(wanted, rig, verdict, volley, time.monotonic() - began_s)


def _budgets(carts: int, *, with_points: bool) -> Mapping[str, Budget]:
    """Return budgets that run out when about half of *carts* have come: one by its money, one by its number.

    While there are crash points to reach in issuing coupons, the second one lasts to the end.
    """
    count = max(1, int(carts * _HALF_OF_OFFERED))
    lasting = 3 * count if with_points else count
    return {
        "cart-5": Budget(count=10 * count, cost_minor=count * _COST_MINOR["cart-5"]),
        "cart-10": Budget(count=lasting, cost_minor=10 * lasting * _COST_MINOR["cart-10"]),
        "cart-15": Budget(count=count, cost_minor=count * _COST_MINOR["cart-15"]),
    }


@asynccontextmanager
async def load(
    rig: Rig, seed: int, *, carts_per_s: float = CARTS_PER_S, at_most: int | None = None, behaviour: str | None = None
) -> AsyncIterator[Crowd]:
    """Let shoppers come while the context lasts, or *at_most* of them; it ends when all they told is accepted."""
    crowd = Crowd(lambda number: Shopper(rig.front, seed, number, behaviour=behaviour), carts_per_s)
    stop = asyncio.Event()
    coming = asyncio.create_task(crowd.run(stop, at_most))
    try:
        yield crowd
        await rig.heal()
        if at_most is None:
            stop.set()
        await coming
    finally:
        coming.cancel()
        crowd.cancel()
        await asyncio.gather(coming, return_exceptions=True)


async def settle(
    rig: Rig, progress: Progress | None = None, *, within_s: float = _QUIET_WITHIN_S
) -> tuple[Verdict, Evidence]:
    """Heal everything, wait until nothing goes on any more, and check; what is not done within the limit is lost."""
    (progress or Silence()).phase("waiting until all is done", 0)
    await rig.heal()
    await rig.quiet(within_s)
    evidence = await rig.evidence()
    return check(evidence), evidence


def _report(wanted: Wanted, rig: Rig, verdict: Verdict, volley: Volley, duration_s: float) -> Report:
    return Report(
        kills=wanted.kills,
        broker_kills=rig.broker.kills,
        database_kills=rig.database_kills,
        points=len(volley.reached),
        points_missed=volley.missed,
        points_not_met=volley.not_met,
        accepted=verdict.accepted,
        acted=verdict.acted,
        lost=verdict.count("lost"),
        doubled=verdict.count("doubled"),
        in_doubt=verdict.in_doubt,
        in_doubt_listed=verdict.in_doubt_listed,
        bound_95=round(bound_95(failures_of(verdict), wanted.kills), 6),
        seed=wanted.seed,
        database=wanted.database,
        carts=verdict.carts,
        mails=verdict.mails,
        coupons=verdict.coupons,
        duration_s=round(duration_s, 1),
        date=datetime.now(UTC).date().isoformat(),
        commit=wanted.commit,
        found=[str(finding) for finding in verdict.findings],
    )
