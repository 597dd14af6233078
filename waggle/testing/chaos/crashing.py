"""`python -m waggle.testing.chaos.crashing api|relay|worker [TASK_TYPE ...]`: that part of Waggle, with crash points.

The environment names the folder of points (CHAOS_POINTS) and, for a negative control, the guard to leave out
(CHAOS_CARELESS); all else is set as for `waggle api`, `waggle relay` and `waggle worker`.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc

from waggle.app import App
from waggle.log import configure
from waggle.ports.email import EmailSender
from waggle.processes import run_api, run_relay, run_until_stopped, run_worker
from waggle.services.intake import Intake
from waggle.settings import load_settings
from waggle.storage.store import Store
from waggle.testing.chaos.careless import CARELESS, Careful
from waggle.testing.chaos.crash_points import CrashPoints
from waggle.testing.chaos.probes import Asgi, ProbedApi, ProbedChannel, ProbedSender, ProbedStore, Reach, reach_of
from waggle.wiring.engine_way import EngineWay
from waggle.wiring.systems import ConnectedSystems

T = TypeVar("T")

POINTS = "CHAOS_POINTS"
CARE = "CHAOS_CARELESS"


@dataclass(frozen=True)
class ProbedWay(EngineWay):
    """Points at each command to the engine."""

    reach: Reach

    def channel(self, address: str) -> grpc.aio.Channel:
        """Return a way to the engine."""
        return ProbedChannel(super().channel(address), self.reach)


@dataclass(frozen=True)
class ProbedSystems(ConnectedSystems):
    """Points at each mail."""

    reach: Reach

    def provider(self, port: type[T]) -> T:
        """Return what stands behind *port*."""
        found: Any = super().provider(port)
        if port is EmailSender:
            found = ProbedSender(found, self.reach)
        provided: T = found
        return provided


@dataclass
class CrashingApp(App):
    """Waggle as it is, but that every step over a port is a crash point, and a guard may be missing."""

    reach: Reach
    care: Careful

    @cached_property
    def store(self) -> Store:
        """The database."""
        return self.care.store(cast("Store", ProbedStore(super().store, self.reach)), self.clock)

    @cached_property
    def intake(self) -> Intake:
        """The one door in."""
        return self.care.intake(super().intake)

    @cached_property
    def engine(self) -> EngineWay:
        """How the engine is reached."""
        return ProbedWay(self.settings.engine, self.catalogue, self.reach)

    @cached_property
    def systems(self) -> ConnectedSystems:
        """The connectors that are set."""
        return ProbedSystems(self.sections, self.reach)

    def services(self) -> Mapping[type, object]:
        """Return what tasks may ask for."""
        return self.care.services(super().services(), self.clock)


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run one part until it is stopped, or dies at a point."""
    part, *task_types = arguments
    settings = load_settings(environment)
    configure(settings.log.form, settings.log.level)
    reach = reach_of(CrashPoints(Path(environment[POINTS])), part)
    app = CrashingApp(settings, reach, CARELESS[environment.get(CARE, "")]())

    async def run(stop: asyncio.Event) -> None:
        match part:
            case "api":
                await run_api(app, stop, lambda api: ProbedApi(cast("Asgi", api), reach))
            case "relay":
                await run_relay(app, stop)
            case "worker":
                await run_worker(app, task_types, stop)
            case _:
                raise AssertionError(part)

    try:
        run_until_stopped(run)
    finally:
        app.close()


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
