"""What happened in a scenario, in the order in which it did, in words of the diagram."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from waggle.engine.records import IncidentValue, Instance, Ledger
from waggle.services.diagrams import Diagram, Node

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_WORK_S: Final = 10
_UNITS: Final = ((86400, "d", _HOUR_S, "h"), (_HOUR_S, "h", _MINUTE_S, "min"), (_MINUTE_S, "min", 1, "s"))
_SHOWN: Final = ("Task", "task", "Event", "Gateway", "callActivity")


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the story."""

    at: datetime
    kind: str
    """`told`, `did`, `passed`, `broken off`, `mail`, `not sent`, `incident`, `ended`."""
    text: str
    journey: str = ""
    """Process id, for what happens in a diagram."""
    element: str = ""


@dataclass(slots=True)
class Path:
    """What was reached in one diagram, over all its instances."""

    nodes: set[str] = field(default_factory=set)
    flows: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)
    waiting: list[str] = field(default_factory=list)
    """Where it stands in the end."""

    def add(self, other: "Path") -> None:
        """Take what *other* reached for reached."""
        self.nodes |= other.nodes
        self.flows |= other.flows


def paths(ledger: Ledger, instances: Iterable[Instance], diagrams: Mapping[str, Diagram]) -> dict[str, Path]:
    """Return the paths that *instances* took, by process id."""
    found: dict[str, Path] = defaultdict(Path)
    for instance in instances:
        path = found[instance.bpmn_process_id]
        path.nodes |= ledger.reached(instance.key)
        path.flows.update(ledger.flows(instance.key))
        if instance.key in ledger.open_instances:
            path.waiting += ledger.active_elements(instance.key)
    for incident in ledger.incidents.values():
        if incident.bpmn_process_id in found:
            found[incident.bpmn_process_id].stuck.add(incident.element_id)
    for process_id, path in found.items():
        if process_id in diagrams:
            path.flows |= _awaited(path, diagrams[process_id])
    return dict(found)


def passed(ledger: Ledger, instances: Iterable[Instance], diagrams: Mapping[str, Diagram]) -> Iterator[Happening]:
    """Yield the steps that *instances* took, by the names that stand in their diagrams."""
    for instance in instances:
        diagram = diagrams.get(instance.bpmn_process_id)
        if diagram is None:
            continue
        answers = _answers(ledger.flows(instance.key), diagram)
        for done in ledger.done(instance.key):
            node = diagram.nodes.get(done.element_id)
            if node is None or not _is_shown(node, diagram, was_terminated=done.was_terminated):
                continue
            name = node.name or node.id
            answer = next(answers[node.id], "") if node.kind.endswith("Gateway") and not done.was_terminated else ""
            kind = "broken off" if done.was_terminated else "passed"
            # What a task does to the world is seen before it is done: it stands where it was begun.
            at = done.began_at if node.kind.endswith(("Task", "task")) and not done.was_terminated else done.at
            yield Happening(at, kind, f"{name} {answer}".strip(), diagram.process_id, node.id)


def incidents(found: Iterable[IncidentValue], diagrams: Mapping[str, Diagram], at: datetime) -> Iterator[Happening]:
    """Yield what stopped a journey so that a person has to look."""
    for incident in found:
        diagram = diagrams.get(incident.bpmn_process_id)
        node = diagram.nodes.get(incident.element_id) if diagram is not None else None
        name = (node.name if node is not None else "") or incident.element_id
        text = f"{name}: {incident.error_type}: {incident.error_message}"
        yield Happening(at, "incident", text, incident.bpmn_process_id, incident.element_id)


def messages_not_sent(rows: Iterable[Mapping[str, Any]]) -> Iterator[Happening]:
    """Yield the messages that ended otherwise than sent."""
    for row in rows:
        if row["state"] in {"suppressed", "failed", "in_doubt"}:
            reason = f": {row['reason']}" if row["reason"] else ""
            text = f"{row['template']} (step {row['step']}) {row['state'].replace('_', ' ')}{reason}"
            yield Happening(row["settled_at"] or row["planned_at"], "not sent", text)


def span(length: timedelta) -> str:
    """Return a length of time in words: `0 s`, `25 min`, `1 h 5 min`, `3 d 2 h`."""
    seconds = round(length.total_seconds())
    if seconds < 0:
        return f"-{span(-length)}"
    if seconds >= _HOUR_S:
        # Seconds are what work took: a reader looks for the hours and minutes of the diagram.
        seconds = round(seconds / _MINUTE_S) * _MINUTE_S
    for size_s, unit, smaller_s, smaller_unit in _UNITS:
        if seconds >= size_s:
            whole, rest = divmod(seconds, size_s)
            few = rest // smaller_s
            is_told = few > (_WORK_S if size_s == _MINUTE_S else 0)
            return f"{whole} {unit}{f' {few} {smaller_unit}' if is_told else ''}"
    return f"{seconds} s"


def _awaited(path: Path, diagram: Diagram) -> set[str]:
    """Return the flows from event-based gateways to what happened: of these the engine tells nothing."""
    gateways = {node.id for node in diagram.nodes.values() if node.kind == "eventBasedGateway"} & path.nodes
    return {flow.id for flow in diagram.flows.values() if flow.source in gateways and flow.target in path.nodes}


def _is_shown(node: Node, diagram: Diagram, *, was_terminated: bool) -> bool:
    if not node.kind.endswith(_SHOWN):
        return False
    if node.kind.endswith("Gateway"):
        return bool(node.name) and not was_terminated
    inner_start = node.kind == "startEvent" and node.definition is None and not diagram.is_process_start(node)
    inner_end = node.kind == "endEvent" and node.definition is None and node.parent in diagram.nodes
    if inner_start or (inner_end and not diagram.nodes[node.parent].listens):
        return False
    return bool(node.name) or node.kind != "startEvent"


def _answers(flows: Iterable[str], diagram: Diagram) -> dict[str, Iterator[str]]:
    """Return for each gateway the names of the ways that were taken from it, in order."""
    taken: dict[str, list[str]] = defaultdict(list)
    for flow_id in flows:
        flow = diagram.flows.get(flow_id)
        if flow is not None:
            taken[flow.source].append(flow.name)
    return defaultdict(lambda: iter(()), {source: iter(names) for source, names in taken.items()})
