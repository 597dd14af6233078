"""The load `poison`: among good jobs some that no worker can do, against the same number of good ones alone."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.child import child, python
from benchmarks.driver import Start
from benchmarks.report import Row
from benchmarks.worker.calls import read_calls, repeats
from benchmarks.worker.given import Given
from benchmarks.worker.ground import Ground
from benchmarks.worker.rounds import latency

PROCESS_ID = "bench-poison"
TASK_TYPES = ("work-1", "work-2", "work-3", "taste")
"""The last one is where a poisoned journey ends in an incident."""
_JOBS = 20_000
_POISON = 1_000
_WARM_JOURNEYS = 60
_WINDOW_S = 300.0
_HUGE_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Dose:
    """How many journeys, and how many of them end in a job that cannot be done."""

    journeys: int
    poisoned: int

    @classmethod
    def scaled(cls, scale: float) -> "Dose":
        """Return the share of poison that is asked for, of fewer jobs."""
        journeys = max(20, round(_JOBS * scale / len(TASK_TYPES)))
        return cls(journeys, round(journeys * len(TASK_TYPES) * _POISON / _JOBS))


async def play(ground: Ground, dose: Dose, number: int, *, poison: bool) -> Row:
    """Play one round; what it poisons stays in the broker as incidents."""
    load = "poison" if poison else "poison-clean"
    name = f"{load}-{number}"
    given = Given(
        address=ground.broker.address,
        calls=ground.folder / f"{name}.calls",
        task_types=TASK_TYPES,
        block_s=0,
        at_once=32,
        lease_s=10,
    )
    log = ground.folder / f"{name}.log"
    poisoned = dose.poisoned if poison else 0
    async with child(python("benchmarks.worker.taster", *given.arguments()), log) as worker:
        await ground.warm(worker, list(starts(f"{name}-warm", _WARM_JOURNEYS, 0)), log)
        measured = await ground.burst(worker, list(starts(name, dose.journeys, poisoned)), _WINDOW_S)
    calls = [call for call in read_calls(given.calls) if call.journey_id.startswith(f"{name}:")]
    await ground.clear(TASK_TYPES)
    # A poisoned journey did all its jobs but the last.
    good = len(TASK_TYPES) * measured["completed"] + (len(TASK_TYPES) - 1) * measured["incidents"]
    return {
        "client": "ours",
        "load": load,
        "round": number,
        **measured,
        "poisoned": poisoned,
        "good_jobs_per_s": round(good / measured["elapsed_s"], 2),
        "handler_calls": len(calls),
        "repeated_jobs": repeats(calls),
        "latency_ms": latency(calls, ground.driver.began_ns, f"Task_{len(TASK_TYPES)}"),
    }


def starts(prefix: str, journeys: int, poisoned: int) -> Iterator[Start]:
    kinds = itertools.cycle(POISONS.values())
    for number in range(journeys):
        journey_id = f"{prefix}:{number}"
        # Spread evenly, to the very number.
        is_poisoned = (number + 1) * poisoned // journeys > number * poisoned // journeys
        yield Start(PROCESS_ID, journey_id, {"journey_id": journey_id, **(next(kinds) if is_poisoned else _GOOD)})


_GOOD: Mapping[str, Any] = {"amount": 5, "wish": "none"}
POISONS: Mapping[str, Mapping[str, Any]] = {
    "wrong type": {"amount": "five", "wish": "none"},
    "missing variable": {"wish": "none"},
    "huge value": {"amount": "5" * _HUGE_BYTES, "wish": "none"},
    "huge result": {"amount": 5, "wish": "huge result"},
    "undeclared code": {"amount": 5, "wish": "undeclared code"},
    "uncaught code": {"amount": 5, "wish": "uncaught code"},
}
