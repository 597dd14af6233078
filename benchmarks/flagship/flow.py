"""Single carts on their way from the webhook to the mail, each timed."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from benchmarks.flagship.house import House
from benchmarks.flagship.shoppers import Shopper
from benchmarks.report import percentiles

_LOOK_EVERY_S = 0.005
_ARRIVES_WITHIN_S = 120.0
_NS = 1e9


@dataclass(slots=True)
class Trip:
    """One cart; times are nanoseconds since the epoch, 0 while something has not happened."""

    shopper: Shopper
    posted_ns: int = 0
    accepted_ns: int = 0
    """The 2xx answer was read."""
    claimed_ns: int = 0
    """A worker claimed the enrolment, the journey's first change of a row; by the worker's clock, before its commit."""
    mailed_ns: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event, repr=False)


@dataclass(slots=True)
class Flow:
    """Sends carts and sees their mails arrive."""

    house: House
    _on_way: dict[str, Trip] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def opened(cls, house: House) -> AsyncIterator["Flow"]:
        """Watch the sink while the context lasts."""
        flow = cls(house)
        watching = asyncio.create_task(flow._watch())
        try:
            yield flow
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def send(self, shopper: Shopper) -> Trip:
        """Let *shopper* fill their cart, and return when the mail about it has arrived.

        Raises:
            TimeoutError: it has not within two minutes.
        """
        trip = self._on_way[shopper.email] = Trip(shopper)
        trip.posted_ns = time.time_ns()
        await self.house.post(shopper.fills_cart())
        trip.accepted_ns = time.time_ns()
        async with asyncio.timeout(_ARRIVES_WITHIN_S):
            await trip.arrived.wait()
        return trip

    async def together(self, people: Sequence[Shopper], at_once: int) -> list[Trip]:
        """Send *people*, always *at_once* of them on their way."""
        waiting = iter(people)
        trips: list[Trip] = []

        async def lane() -> None:
            for shopper in waiting:
                trips.append(await self.send(shopper))  # noqa: PERF401 -- several lanes fill one list

        async with asyncio.TaskGroup() as lanes:
            for _ in range(at_once):
                lanes.create_task(lane())
        return trips

    async def _watch(self) -> None:
        while True:
            for to, arrived_ns in self.house.mails.new():
                trip = self._on_way.pop(to, None)
                if trip is None:
                    raise AssertionError("a mail that nobody awaits, or a second copy")
                trip.mailed_ns = arrived_ns
                trip.arrived.set()
            await asyncio.sleep(_LOOK_EVERY_S)


def per_s(trips: Sequence[Trip]) -> float:
    """Return how many mails arrived a second, the first and the last tenth aside."""
    arrived = sorted(trip.mailed_ns for trip in trips)
    middle = arrived[len(arrived) // 10 : len(arrived) - len(arrived) // 10]
    return (len(middle) - 1) / ((middle[-1] - middle[0]) / _NS)


def note_claims(house: House, trips: Sequence[Trip]) -> None:
    """Look up when each trip's enrolment was claimed."""
    rows = house.app.database.tables(["enrolments"])["enrolments"]
    started = {row["business_key"]: row["started_at"] for row in rows if row["started_at"] is not None}
    for trip in trips:
        trip.claimed_ns = round(started[trip.shopper.cart_id].timestamp() * _NS)


def spread_ms(values_ns: Sequence[int]) -> dict[str, float | None]:
    """Return median, 99th percentile and greatest of *values_ns*, in milliseconds."""
    values_ms = [round(value / 1e6, 1) for value in values_ns]
    return {**percentiles(values_ms), "max": max(values_ms)}
