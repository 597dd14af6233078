"""Which nodes and flows of the diagrams the scenarios reach."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from waggle.scenarios.story import Path
from waggle.services.diagrams import Diagram


@dataclass(frozen=True, slots=True)
class Unreached:
    """A node or flow that no scenario reaches."""

    element: str
    name: str
    """Its own, or for a flow without one, what it leads from and to."""
    reason: str | None
    """Why no scenario can reach it, as gaps.toml says; None: it says nothing."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of one diagram."""

    process_id: str
    reached: int
    total: int
    unreached: tuple[Unreached, ...]
    stale: tuple[str, ...]
    """What gaps.toml explains although it is reached, or not in the diagram."""

    @property
    def unexplained(self) -> list[Unreached]:
        """Return what nobody has said anything about."""
        return [each for each in self.unreached if each.reason is None]

    @property
    def is_complete(self) -> bool:
        """Whether everything is reached or explained, and nothing is explained in vain."""
        return not self.unexplained and not self.stale

    @property
    def percent(self) -> float:
        """Return the share that is reached; never 100 while anything is not."""
        return 100 * self.reached / self.total if self.total else 100.0


def cover(diagram: Diagram, paths: Iterable[Path], gaps: Mapping[str, str]) -> Coverage:
    """Return how much of *diagram* the *paths* reach; *gaps* explains what they cannot."""
    reached: set[str] = set()
    for path in paths:
        reached |= path.nodes | path.flows
    names = {node.id: node.name or node.kind for node in diagram.nodes.values()}
    everything = dict(names)
    for flow in diagram.flows.values():
        ends = f"{names.get(flow.source, flow.source)} to {names.get(flow.target, flow.target)}"
        everything[flow.id] = f"{flow.name} ({ends})" if flow.name else ends
    missing = [element for element in everything if element not in reached]
    return Coverage(
        process_id=diagram.process_id,
        reached=len(everything) - len(missing),
        total=len(everything),
        unreached=tuple(Unreached(element, everything[element], gaps.get(element)) for element in missing),
        stale=tuple(element for element in gaps if element not in missing),
    )
