"""Break things: by a plan at random moments, or at every crash point that is known."""

import asyncio
import random
from collections.abc import Sequence
from typing import Protocol

from waggle.testing.chaos.crash_points import CrashPoints
from waggle.testing.chaos.history import History
from waggle.testing.chaos.mail_sink import Fault
from waggle.testing.chaos.plan import Plan, Stroke
from waggle.testing.chaos.rig import Rig

_LATENCY_S = 0.15
_RECORDING_S = 20.0
_ARMED_AT_ONCE = 5
_POINT_WITHIN_S = 45.0
_LOOK_EVERY_S = 0.2
_KILLS_A_BREATH = 5
_BREATH_S = 20.0
_LAST_CHANCE_S = 180.0
_BY_CHANCE = frozenset({"UpdateJobTimeout", "FailJob", "ThrowError", "postpone", "mark_refused", "quarantine"}) | {
    "Audiences",
    "Occasions",
    "Retention",
    "keep_consent_texts",
}
"""Steps that nobody can promise to come by: taken only while something else goes wrong or is slow, once a day, or
once in the life of a database."""


class Progress(Protocol):
    """Is told how far a run has come."""

    def phase(self, name: str, total: int) -> None:
        """Begin something of *total* steps; 0: nobody knows how many."""
        ...

    def step(self, what: str) -> None:
        """Take note that one step is done."""
        ...


class Silence:
    """Tells nobody."""

    def phase(self, name: str, total: int) -> None:
        """Say nothing."""

    def step(self, what: str) -> None:
        """Say nothing."""


class Volley:
    """All crash points, each to kill its process once: those that are seen while all goes well must be reached."""

    def __init__(
        self,
        points: CrashPoints,
        history: History,
        seed: int,
        *,
        recording_s: float = _RECORDING_S,
        within_s: float = _POINT_WITHIN_S,
    ) -> None:
        self._points = points
        self._history = history
        self._drawn = random.Random(seed)  # noqa: S311 -- an order that can be had again
        self._recording_s = recording_s
        self._within_s = within_s
        self._due: set[str] = set()
        self.reached: list[str] = []
        """In the order of dying."""

    @property
    def missed(self) -> list[str]:
        """The points that nobody came by, though somebody must."""
        return [point for point in self._left() if _BY_CHANCE.isdisjoint(point.split("."))]

    @property
    def not_met(self) -> list[str]:
        """The points that nobody came by since nothing went wrong in just that way."""
        return [point for point in self._left() if not _BY_CHANCE.isdisjoint(point.split("."))]

    async def fire(self, progress: Progress) -> None:
        """Have processes die at one point after the other, a few armed at a time, in an order drawn from the seed.

        Points that nobody comes by for a while stay to be reached while other things go wrong: see `arm_rest`.
        """
        progress.phase("finding crash points", 0)
        await asyncio.sleep(self._recording_s)
        self._due = {*self._points.seen(), Fault.KILL_BEFORE_DATA, Fault.KILL_BEFORE_ANSWER}
        waiting = [point for point in sorted(self._due) if _BY_CHANCE.isdisjoint(point.split("."))]
        progress.phase("dying at crash points", len(waiting))
        self._drawn.shuffle(waiting)
        armed: dict[str, float] = {}
        clock = asyncio.get_running_loop()
        while waiting or armed:
            while waiting and len(armed) < _ARMED_AT_ONCE:
                armed[waiting[-1]] = clock.time() + self._within_s
                self._arm(waiting.pop())
            await asyncio.sleep(_LOOK_EVERY_S)
            left = self._points.armed()
            for point in armed.keys() - left:
                progress.step(f"died at {point}")
                self.reached.append(point)
            overdue = {point for point in left if armed[point] < clock.time()}
            if overdue:
                for point in self._points.disarm() - overdue:
                    self._arm(point)
            armed = {point: until for point, until in armed.items() if point in left - overdue}

    def arm_rest(self) -> None:
        """Arm what was not reached, and what was seen late: some things happen only while others go wrong."""
        self._due |= set(self._points.seen())
        for point in self._left():
            self._arm(point)

    async def last_chance(self) -> None:
        """Wait for those that must be reached and were not: where all is slow, kills may have come before them."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + _LAST_CHANCE_S
        while self._points.armed() & set(self.missed) and loop.time() < end_s:  # noqa: ASYNC110 -- no event tells of it
            await asyncio.sleep(_LOOK_EVERY_S)

    def end(self) -> None:
        """Let everybody live again."""
        self._points.disarm()
        self.reached += sorted(self._points.fired().keys() - set(self.reached))

    def _left(self) -> list[str]:
        return sorted(self._due - set(self.reached))

    def _arm(self, point: str) -> None:
        self._history.fault("arm", point)
        self._points.arm(point)


async def strike(rig: Rig, plan: Plan, progress: Progress) -> None:
    """Do everything that *plan* says; kills wait for their victims to be up, links are disturbed meanwhile."""
    progress.phase("killing at random", len(plan.kills))
    disturbing = asyncio.create_task(_disturb(rig, plan.disturbances))
    try:
        for number, kill in enumerate(plan.kills):
            if number % _KILLS_A_BREATH == 0:
                await _breath(rig)
            await asyncio.sleep(kill.after_s)
            await rig.kill(kill.part)
            progress.step(f"killed {kill.part}")
    finally:
        disturbing.cancel()
        await asyncio.gather(disturbing, return_exceptions=True)


async def _breath(rig: Rig) -> None:
    """Wait for a mail to arrive: on a slow machine nothing would ever get that far, and nothing would be proved."""
    before = rig.arrived_bytes()
    loop = asyncio.get_running_loop()
    end_s = loop.time() + _BREATH_S
    while rig.arrived_bytes() == before and loop.time() < end_s:  # noqa: ASYNC110 -- no event tells of it
        await asyncio.sleep(_LOOK_EVERY_S)


async def fire(rig: Rig, points: Sequence[str], within_s: float) -> set[str]:
    """Arm *points*, wait until some process has died at each, and return those that none came by in time."""
    for point in points:
        rig.history.fault("arm", point)
        rig.points.arm(point)
    loop = asyncio.get_running_loop()
    end_s = loop.time() + within_s
    while rig.points.armed() and loop.time() < end_s:  # noqa: ASYNC110 -- no event tells of it
        await asyncio.sleep(_LOOK_EVERY_S)
    return rig.points.disarm()


async def _disturb(rig: Rig, disturbances: Sequence[Stroke]) -> None:
    for stroke in disturbances:
        await asyncio.sleep(stroke.after_s)
        proxy = rig.proxies[stroke.part]
        rig.history.fault(stroke.fault, stroke.part)
        match stroke.fault:
            case "slow":
                proxy.latency_s = _LATENCY_S
            case "reset":
                proxy.reset()
            case "silence":
                proxy.black_hole()
            case "refuse":
                await proxy.refuse()
        await asyncio.sleep(stroke.for_s)
        await proxy.heal()
