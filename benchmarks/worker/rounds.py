"""The loads that every client can be given: handlers that do nothing, and handlers that block."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks.child import child
from benchmarks.driver import Start
from benchmarks.report import Row, percentiles
from benchmarks.worker.calls import Call, read_calls, repeats
from benchmarks.worker.clients import Client
from benchmarks.worker.given import Given
from benchmarks.worker.ground import Ground


@dataclass(frozen=True, slots=True)
class Load:
    """What there is to do in one round."""

    name: str
    task_types: tuple[str, ...]
    """Of the elements of the diagram, in order."""
    journeys: int
    window_s: float
    """A round ends when all are done, or after this long."""
    block_s: float
    at_once: int
    lease_s: float
    warm_journeys: int
    """Done before anything is counted, so that no client is measured while it starts."""

    @property
    def process_id(self) -> str:
        """Return the name of diagram and start message."""
        return f"bench-{self.name}"

    def scaled(self, scale: float) -> "Load":
        """Return a smaller one of the same shape, for a quick try."""
        if scale == 1:
            return self
        return replace(self, journeys=max(20, round(self.journeys * scale)), window_s=max(20, self.window_s * scale))


NO_OP = Load(
    name="no-op", task_types=("work-1", "work-2", "work-3", "work-4"), journeys=1200, window_s=60,
    block_s=0, at_once=32, lease_s=10, warm_journeys=60,
)  # fmt: skip
# One task type, so that six at once means the same for a client that counts per type and one that counts in sum.
OVERLOAD = Load(
    name="overload", task_types=("block", "block", "block", "block"), journeys=1000, window_s=75,
    block_s=0.1, at_once=6, lease_s=10, warm_journeys=12,
)  # fmt: skip
LOADS: Mapping[str, Load] = {load.name: load for load in (NO_OP, OVERLOAD)}


async def play(ground: Ground, client: Client, load: Load, number: int) -> Row:
    """Play one round with a fresh process of *client*; afterwards the broker has nothing to do."""
    name = f"{load.name}-{number}-{client.name}"
    given = Given(
        address=ground.broker.address,
        calls=ground.folder / f"{name}.calls",
        task_types=tuple(sorted(set(load.task_types))),
        block_s=load.block_s,
        at_once=load.at_once,
        lease_s=load.lease_s,
    )
    log = ground.folder / f"{name}.log"
    async with child(client.command(given), log) as worker:
        await ground.warm(worker, _starts(load, f"{name}-warm", load.warm_journeys), log)
        measured = await ground.burst(worker, _starts(load, name, load.journeys), load.window_s)
    calls = [call for call in read_calls(given.calls) if call.journey_id.startswith(f"{name}:")]
    await ground.clear(load.task_types)
    return {
        "client": client.name,
        "load": load.name,
        "round": number,
        **measured,
        "handler_calls": len(calls),
        "repeated_jobs": repeats(calls),
        "latency_ms": latency(calls, ground.driver.began_ns, f"Task_{len(load.task_types)}"),
    }


def latency(calls: list[Call], began_ns: Mapping[str, int], last_element_id: str) -> dict[str, float | None]:
    """Return p50 and p99, over journeys that got so far, from a start's first try to the end of the last handler."""
    ended_ns: dict[str, int] = {}
    for call in calls:
        if call.element_id == last_element_id:
            ended_ns.setdefault(call.journey_id, call.ended_ns)
    return percentiles([(end - began_ns[journey_id]) / 1e6 for journey_id, end in ended_ns.items()])


def _starts(load: Load, prefix: str, count: int) -> list[Start]:
    ids = (f"{prefix}:{number}" for number in range(count))
    return [Start(load.process_id, journey_id, {"journey_id": journey_id}) for journey_id in ids]
