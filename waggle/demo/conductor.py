"""Drives the demo: lets the shop play, waits until the house is quiet, moves the clock on."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

from waggle.demo.scenario import Scenario
from waggle.demo.shop_process import Played

_STEP_S = 120.0
# Who left a cart at the very end is written to within this time, if it is day there.
_LAST_MAILS = timedelta(minutes=35)
# Timers and shoppers that are due within this time of each other are met in one step.
_GATHERED_S = 300.0
_LONGEST = timedelta(days=10)
_UNTIL_MAIL = timedelta(minutes=25)


class House(Protocol):
    """What the conductor needs of Waggle and its engine; `waggle demo` wires it."""

    def now(self) -> datetime:
        """Return the time on the journeys' clock."""
        ...

    async def idle(self) -> None:
        """Return once inbox, relay and jobs have nothing to do at the present time."""
        ...

    async def advance(self, seconds: float) -> None:
        """Move the journeys' clock forward; asked for only while the house is idle."""
        ...

    async def next_due(self) -> datetime | None:
        """Return when the engine's next timer is due; None if no journey waits for one."""
        ...

    async def open_journeys(self) -> int:
        """Return how many enrolments have not ended."""
        ...


class Shop(Protocol):
    """The simulated shop (see ShopProcess)."""

    async def play(self, until: datetime) -> Played: ...
    async def admit(self, stragglers: int, at: datetime) -> Played: ...


class StandstillError(Exception):
    """Journeys are open though nothing is due any more; the text says how many."""


class Conductor:
    """Leads one scenario from before the shop opens to the end of its last journey."""

    def __init__(self, scenario: Scenario, house: House, shop: Shop, watch: Callable[[], Awaitable[None]]) -> None:
        """*watch* is awaited after each step, for whoever looks on."""
        self._scenario = scenario
        self._house = house
        self._shop = shop
        self._watch = watch

    async def play_traffic(self) -> None:
        """Play the three hours, and the minutes until everybody who is awake has their mail.

        Raises:
            ShopGoneError: the shop ended.
        """
        await self._house.idle()
        # Nothing is under way yet: the night before the opening may pass in one leap.
        await self._step(max(0.0, (self._scenario.starts_at - self._house.now()).total_seconds()))
        while self._house.now() < self._scenario.ends_at + _LAST_MAILS:
            await self._step(_STEP_S)

    async def play_out(self) -> None:
        """Go from one thing that is due to the next until no journey is open and no shopper has anything left to do.

        Raises:
            ShopGoneError: the shop ended.
            StandstillError: nothing is due though journeys are open, or it goes on for more than ten days.
        """
        next_deed_at = (await self._step(0.0)).next_at
        while (still_open := await self._house.open_journeys()) or next_deed_at:
            due = [at for at in (await self._house.next_due(), next_deed_at) if at is not None]
            now = self._house.now()
            if not due or now > self._scenario.starts_at + _LONGEST:
                raise StandstillError(f"{still_open} journeys are open and nothing ends them")
            wait_s = max(0.0, (min(due) - now).total_seconds())
            next_deed_at = (await self._step(wait_s + _GATHERED_S)).next_at

    async def leave_open(self, stragglers: int) -> None:
        """End with journeys under way: half of them with their mail and waiting for an answer, half watching a cart.

        Raises:
            ShopGoneError: the shop ended.
        """
        written_to = stragglers // 2
        await self._shop.admit(written_to, self._house.now())
        await self._house.idle()
        mailed_at = self._house.now() + _UNTIL_MAIL
        while self._house.now() < mailed_at:
            await self._step(_STEP_S)
        await self._shop.admit(stragglers - written_to, self._house.now())
        await self._house.idle()
        await self._watch()

    async def _step(self, seconds: float) -> Played:
        """Move the clock, let the journeys do what is due by then, then the shoppers, then the journeys again."""
        if seconds > 0:
            await self._house.advance(seconds)
            await self._house.idle()
        played = await self._shop.play(self._house.now())
        if played.sent:
            await self._house.idle()
        await self._watch()
        return played
