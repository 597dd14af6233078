"""Which rounds are played, in which order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from benchmarks.databases import Kind
from benchmarks.report import Row
from benchmarks.worker import carts, clients, poison, rounds
from benchmarks.worker.clients import Client, NoCompiler
from benchmarks.worker.diagram import diagram
from benchmarks.worker.ground import Ground, NotWarm

LOADS = (*rounds.LOADS, "journey", "poison")
DATABASES: Sequence[Kind] = ("sqlite", "postgresql")


class Play(Protocol):
    """Plays one round under the number it is given."""

    async def __call__(self, number: int) -> Row: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for on the command line."""

    rounds: int
    loads: Sequence[str]
    clients: Sequence[str]
    databases: Sequence[Kind]
    scale: float

    @property
    def cart_journeys(self) -> int:
        """Return how many abandoned carts a round has."""
        return max(20, round(carts.JOURNEYS * self.scale))


@dataclass(slots=True)
class Played:
    """What came of it."""

    rows: list[Row] = field(default_factory=list)
    profiles: dict[str, Any] = field(default_factory=dict)
    """Of the real journey, by database: an extra round outside the measurement."""
    notes: list[str] = field(default_factory=list)


async def play(ground: Ground, plan: Plan, began: Callable[[str], None], ended: Callable[[Row], None]) -> Played:
    """Play all rounds, those of one load interleaved; tell what begins and each row as it comes."""
    played = Played()
    chosen, absent = _clients(plan, ground.folder)
    if absent:
        played.notes.append("java was not measured: this machine has no javac, which its worker is compiled with")
        played.rows += [{"client": "java", "load": load, "round": 0, "skipped": "no javac"} for load in absent]
    began("warming the broker up")
    await _warm_up(ground, plan)
    for load in plan.loads:
        contestants = await _contestants(ground, plan, load, chosen)
        async for row in _interleaved(contestants, plan.rounds, partial(began), played.notes):
            played.rows.append(row)
            ended(row)
        if load == "journey":
            played.profiles = {kind: await _profile(ground, plan, kind, began) for kind in plan.databases}
    return played


def size(plan: Plan) -> int:
    """Return how many rounds there will be."""
    each = {"journey": 2 * len(plan.databases), "poison": 2}
    return plan.rounds * sum(each.get(load, len(plan.clients)) for load in plan.loads)


def _clients(plan: Plan, folder: Path) -> tuple[list[Client], list[str]]:
    """Return the clients that can be measured, and the loads whose rows have to say that java cannot."""
    known = dict(clients.python_clients())
    absent: list[str] = []
    if "java" in plan.clients:
        try:
            known["java"] = clients.java_client(folder)
        except NoCompiler:
            absent = [load for load in plan.loads if load in rounds.LOADS]
    return [known[name] for name in plan.clients if name in known], absent


async def _warm_up(ground: Ground, plan: Plan) -> None:
    """Play a round that does not count: a young broker runs at half of its speed."""
    load = rounds.NO_OP.scaled(plan.scale)
    await ground.driver.deploy(f"{load.process_id}.bpmn", diagram(load.process_id, load.task_types))
    await rounds.play(ground, clients.python_clients()["ours"], load, -1)


async def _contestants(ground: Ground, plan: Plan, load: str, chosen: Sequence[Client]) -> Mapping[str, Play]:
    """Deploy what *load* needs and return who plays in each of its rounds."""
    if load == "journey":
        await carts.deploy(ground)
        return {
            f"{'journey' if effects else 'journey-no-op'} on {kind}": partial(
                carts.play, ground, kind, journeys=plan.cart_journeys, effects=effects
            )
            for kind in plan.databases
            for effects in (True, False)
        }
    if load == "poison":
        await ground.driver.deploy(f"{poison.PROCESS_ID}.bpmn", diagram(poison.PROCESS_ID, poison.TASK_TYPES))
        dose = poison.Dose.scaled(plan.scale)
        return {
            f"{'poison' if is_poison else 'poison-clean'}": partial(poison.play, ground, dose, poison=is_poison)
            for is_poison in (False, True)
        }
    scaled = rounds.LOADS[load].scaled(plan.scale)
    await ground.driver.deploy(f"{scaled.process_id}.bpmn", diagram(scaled.process_id, scaled.task_types))
    return {f"{load}, {client.name}": partial(rounds.play, ground, client, scaled) for client in chosen}


async def _interleaved(
    contestants: Mapping[str, Play], count: int, began: Callable[[str], None], notes: list[str]
) -> AsyncIterator[Row]:
    """Yield the rows: each contestant once a round, a different one first each time."""
    names = list(contestants)
    for number in range(count):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            began(f"round {number + 1} of {count}: {name}")
            try:
                yield await contestants[name](number)
            except NotWarm as failure:
                notes.append(f"{name} did not do its first journeys in round {number + 1}; its log ends: {failure}")
            await asyncio.sleep(0)


async def _profile(ground: Ground, plan: Plan, kind: Kind, began: Callable[[str], None]) -> Any:  # noqa: ANN401 -- JSON
    began(f"profile of journey on {kind}")
    file = ground.folder / f"profile-{kind}.json"
    await carts.play(ground, kind, -1, journeys=plan.cart_journeys, effects=True, profile=file)
    return carts.read_profile(file)
