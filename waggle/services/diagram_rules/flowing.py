"""Which variables may be there at each place of a diagram: what every path to it has written."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final, cast

from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.diagrams import Diagram, Node
from waggle.services.feel import FeelMistake, Formula, read_formula

ALWAYS_THERE: Final = frozenset({"enrolment_id"})
"""Every message that starts a journey brings it."""
_COUNTER: Final = "loopCounter"


@dataclass(frozen=True, slots=True)
class Reading:
    """A formula at one element, and what may be there for it."""

    element: str
    what: str
    formula: Formula
    available: frozenset[str]


@dataclass(frozen=True, slots=True)
class Interface:
    """What a piece asks for and gives."""

    inputs: frozenset[str]
    outputs: frozenset[str]


def formula_in(source: str) -> Formula | None:
    """Return what is computed by *source*; None if it is a fixed text or cannot be read."""
    if not source.startswith("="):
        return None
    try:
        return read_formula(source[1:])
    except FeelMistake:
        return None


def interface(piece: Diagram, known: Surroundings) -> Interface:
    """Return what *piece* reads before it has written it, and all that it writes."""
    key = ("interface", piece.process_id)
    if key not in known.remembered:
        # A piece that calls itself meets this, and no end of itself.
        known.remembered[key] = Interface(frozenset(), frozenset())
        there = Flowing(piece, known)
        missing = {name for reading in there.readings() for name in reading.formula.variables - reading.available}
        known.remembered[key] = Interface(frozenset(missing), there.written(piece.process_id))
    return cast(Interface, known.remembered[key])


def results(node: Node, known: Surroundings) -> frozenset[str]:
    """Return the variables that *node* itself brings, before its output mappings."""
    found: set[str | None] = {node.decision_result, node.script_result}
    task = known.tasks.get(node.task_type or "")
    if task is not None:
        found |= {field.name for field in fields(task.output)}
    if node.message in known.catalogue.messages and node.message is not None:
        found |= set(known.catalogue.messages[node.message].variables)
    if node.call is not None and node.call.process in known.diagrams and node.call.process is not None:
        found |= interface(known.diagrams[node.call.process], known).outputs
    return frozenset(name for name in found if name)


def taken_over(node: Node, known: Surroundings) -> frozenset[str]:
    """Return the variables that are there once *node* is over, thanks to it."""
    names = {name for name, _ in node.outputs}
    if not names and (node.call is None or node.call.returns_all):
        names |= results(node, known)
    if node.repetition is not None and node.repetition.collected:
        names.add(node.repetition.collected)
    return frozenset(names)


def flowing(diagram: Diagram, known: Surroundings) -> "Flowing":
    """Return the variables of *diagram*, worked out once."""
    key = ("flowing", diagram.process_id)
    found = known.remembered.get(key)
    if not isinstance(found, Flowing):
        found = known.remembered[key] = Flowing(diagram, known)
    return found


class Flowing:
    """The variables of one diagram."""

    def __init__(self, diagram: Diagram, known: Surroundings) -> None:
        self._diagram = diagram
        self._known = known
        self._arriving: dict[str, list[str]] = defaultdict(list)
        for flow in diagram.flows.values():
            self._arriving[flow.target].append(flow.source)
        self._inside: dict[str, set[str]] = defaultdict(set)
        for node in diagram.nodes.values():
            for scope in (node.id, *(around.id for around in diagram.around(node)), diagram.process_id):
                self._inside[scope] |= taken_over(node, known)
        self._before: dict[str, frozenset[str]] = dict.fromkeys(diagram.nodes, frozenset())
        self._after: dict[str, frozenset[str]] = dict.fromkeys(diagram.nodes, frozenset())
        while self._pass():
            pass

    def written(self, scope: str) -> frozenset[str]:
        """Return everything that is written in *scope*."""
        return frozenset(self._inside[scope])

    def available(self, node: Node) -> frozenset[str]:
        """Return what may be there for the work at *node*: its own inputs and those of what is around it included."""
        return self._within(node) | {name for name, _ in node.inputs}

    def _within(self, node: Node) -> frozenset[str]:
        found = set(self._before[node.id])
        for scope in (node, *self._diagram.around(node)):
            if scope.repetition is not None:
                found |= {_COUNTER, scope.repetition.item or _COUNTER}
            if scope is not node:
                found |= {name for name, _ in scope.inputs}
        return frozenset(found)

    def readings(self) -> Iterable[Reading]:
        """Yield every formula that can be read."""
        for node in self._diagram.nodes.values():
            available = self.available(node)
            after_work = available | results(node, self._known) | self._inside[node.id]
            yield from self._mapped_in(node)
            for variable, source in node.outputs:
                yield from self._reading(node.id, f"output {variable}", source, after_work)
            if node.message is not None and not self._diagram.is_process_start(node):
                key = self._diagram.correlation_keys.get(node.message)
                yield from self._reading(node.id, "correlation key", key or "", self._within(node))
            if node.timer is not None:
                yield from self._reading(node.id, "timer", node.timer[1], self._at_host(node))
            if node.script is not None:
                yield from self._reading(node.id, "script", node.script, available)
            if node.repetition is not None:
                yield from self._reading(node.id, "input collection", node.repetition.items or "", available)
                yield from self._reading(node.id, "output element", node.repetition.collects or "", after_work)
            decision = self._known.decisions.get(node.decision or "")
            if decision is not None:
                yield from self._asked(node, decision.asks, available)
        for flow in self._diagram.flows.values():
            if flow.source in self._after and flow.condition is not None:
                around = self._diagram.nodes[flow.source]
                there = self._after[flow.source] | self.available(around)
                yield from self._reading(flow.id, "condition", flow.condition, there)

    def _mapped_in(self, node: Node) -> Iterable[Reading]:
        there = self._within(node)
        for variable, source in node.inputs:
            yield from self._reading(node.id, f"input {variable}", source, there)
            # What stands above is there for what stands below.
            there |= {variable}

    def _asked(self, node: Node, asks: frozenset[str], available: frozenset[str]) -> Iterable[Reading]:
        for name in sorted(asks):
            yield from self._reading(node.id, f"column {name}", f"={name}", available)

    def _reading(self, element: str, what: str, source: str, available: frozenset[str]) -> Iterable[Reading]:
        formula = formula_in(source)
        if formula is not None:
            yield Reading(element, what, formula, available)

    def _at_host(self, node: Node) -> frozenset[str]:
        """Return what is there for a timer: one at the edge of a task is set when the task begins."""
        host = self._diagram.nodes.get(node.attached_to or "")
        return self.available(host) if host is not None else self.available(node)

    def _pass(self) -> bool:
        changed = False
        for node in self._diagram.nodes.values():
            before = self._arrives(node)
            after = before | taken_over(node, self._known)
            if node.kind in ("subProcess", "adHocSubProcess", "transaction"):
                after |= self._left_behind(node.id)
            changed |= (before, after) != (self._before[node.id], self._after[node.id])
            self._before[node.id], self._after[node.id] = before, after
        return changed

    def _arrives(self, node: Node) -> frozenset[str]:
        scope = self._before.get(node.parent, self._at_the_beginning())
        if node.attached_to in self._before and node.attached_to is not None:
            return self._before[node.attached_to] | frozenset(self._inside[node.attached_to])
        if node.listens or node.compensates:
            # It may begin at any time, and so may find whatever is written around it.
            return scope | frozenset(self._inside[node.parent])
        if node.kind == "startEvent":
            return scope
        sources = [each for each in self._arriving[node.id] if each in self._after]
        if not sources:
            return scope | frozenset(self._inside[node.parent])
        return frozenset().union(*(self._after[source] for source in sources))

    def _left_behind(self, scope: str) -> frozenset[str]:
        return frozenset().union(*(self._after[node.id] for node in self._diagram.level(scope)))

    def _at_the_beginning(self) -> frozenset[str]:
        return frozenset() if self._diagram.is_piece else ALWAYS_THERE
