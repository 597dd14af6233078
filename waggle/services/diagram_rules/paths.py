"""Ways through a diagram: splits, dead ends, what no way reaches, and how a journey ends."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from waggle.services.diagram_rules.flowing import formula_in
from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.diagram_rules.telling import about
from waggle.services.diagrams import Diagram, Flow, Node
from waggle.services.findings import Finding

LAST_TASK: Final = "record-outcome"
OPEN: Final = "proceed"
"""False: the enrolment had ended before the journey came, and there is nothing to record."""

_SCOPES: Final = ("subProcess", "adHocSubProcess", "transaction")


def splits_have_a_default(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Where no condition is true and no flow is the default, the journey stops with an incident."""
    leaving = Counter(flow.source for flow in diagram.flows.values())
    for node in diagram.nodes.values():
        if node.kind in ("exclusiveGateway", "inclusiveGateway") and leaving[node.id] > 1 and not node.default_flow:
            yield about(
                diagram,
                node,
                "no default flow",
                "the journey stops here when no condition is true",
                "make one of the flows the default",
            )


def answers_of_a_split_have_conditions(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Every flow out of a split but the default one says when it is taken, and by a name."""
    for node in diagram.nodes.values():
        leaving = diagram.leaving(node.id)
        if node.kind not in ("exclusiveGateway", "inclusiveGateway") or len(leaving) < 2:  # noqa: PLR2004 -- a split
            continue
        for flow in leaving:
            if flow.condition is None and flow.id != node.default_flow:
                yield about(
                    diagram,
                    flow,
                    f'a way out of "{node.name}" has no condition',
                    "the engine refuses the diagram",
                    "set a condition, or make it the default flow",
                )
            elif flow.condition is not None and flow.id == node.default_flow:
                yield about(
                    diagram,
                    flow,
                    "the default flow has a condition",
                    "the engine does not look at it: the way is taken whenever no other is",
                    "remove the condition, or make another flow the default",
                )
            if not flow.name:
                yield about(
                    diagram,
                    flow,
                    f'an answer to "{node.name}" has no name',
                    "nobody can tell in Operate which way a journey took, and why",
                    "write the answer on the arrow, for example yes",
                )
        yield from _same_conditions(diagram, leaving)


def everything_is_reached(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Each task, event and gateway lies on a way from a start."""
    reached = _reached(diagram)
    for node in diagram.nodes.values():
        if node.id not in reached and not any(around.id not in reached for around in diagram.around(node)):
            yield about(
                diagram,
                node,
                "no way leads here",
                "it never happens",
                "draw an arrow to it from where it should follow, or remove it",
            )


def arrows_are_known_at_both_ends(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """What an arrow connects lists it as incoming or outgoing; a file that a tool has written may lack that."""
    for flow in diagram.flows.values():
        for end in (flow.source, flow.target):
            node = diagram.nodes.get(end)
            if node is not None and flow.id not in node.arrows:
                yield about(
                    diagram,
                    node,
                    f"it does not list the arrow {flow.id}",
                    "the engine refuses events and gateways without it, and others may ignore the arrow",
                    "draw the arrow anew in Modeler and save",
                )


def ways_end_at_end_events(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """A way that stops at a task or gateway ends there without a word; an end event says how it ended."""
    for node in diagram.nodes.values():
        if node.kind == "endEvent" or node.listens or node.compensates or diagram.leaving(node.id):
            continue
        if node.kind == "boundaryEvent" and node.definition == "compensate":
            continue
        if node.definition == "link" and node.kind == "intermediateThrowEvent":
            continue
        yield about(
            diagram,
            node,
            "the way ends here without an end event",
            "nobody can tell in Operate how the journey ended, and what should follow does not",
            "draw an arrow to what follows, or to an end event with a name",
        )


def waits_come_to_an_end(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Whoever waits for something that may never come also waits for a time, or an exit ends the waiting."""
    for node in diagram.nodes.values():
        if not _waits_for_a_message(node):
            continue
        asked = [
            other
            for gateway in diagram.arriving(node.id)
            for other in diagram.leaving(gateway.source)
            if diagram.nodes[gateway.source].kind == "eventBasedGateway"
        ]
        beside = [diagram.nodes[flow.target] for flow in asked if flow.target in diagram.nodes]
        around = {node.id, *(scope.id for scope in diagram.around(node))}
        beside += [each for each in diagram.nodes.values() if each.attached_to in around]
        if not any(each.timer is not None for each in beside):
            yield about(
                diagram,
                node,
                f'it waits for "{node.message}" without an end',
                "journeys of shoppers for whom it never happens stay for ever and fill the engine",
                "put an event-based gateway before it with a timer beside it",
            )


def loops_wait(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A way that leads back passes a wait, a person or an effect; else it turns as fast as the engine can."""
    for node in diagram.nodes.values():
        if node.kind.endswith("Gateway") and _turns_without_waiting(diagram, known, node):
            yield about(
                diagram,
                node,
                "the way leads back here without waiting for anything",
                "one journey can keep the engine busy alone",
                "put a timer on the way back",
            )


def outcomes_are_recorded(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """Each way through a journey passes record-outcome before it ends, so that the enrolment ends with the journey."""
    if diagram.is_piece:
        return
    for scope in (
        None,
        *(node for node in diagram.nodes.values() if node.listens and node.parent == diagram.process_id),
    ):
        starts = [
            node for node in diagram.level(scope.id if scope else diagram.process_id) if node.kind == "startEvent"
        ]
        if scope is not None and not all(start.interrupts for start in starts):
            continue
        for end in _unrecorded(diagram, known, starts):
            yield about(
                diagram,
                end,
                "a way to this end records no outcome",
                "the customer counts as still in this journey: reports lack it, and they cannot enter again",
                f"put a task of the type {LAST_TASK} before it",
            )


def _same_conditions(diagram: Diagram, leaving: list[Flow]) -> Iterator[Finding]:
    seen: dict[str, Flow] = {}
    for flow in leaving:
        condition = "".join((flow.condition or "").split())
        if condition and condition in seen:
            yield about(
                diagram,
                flow,
                f'it has the same condition as the answer "{seen[condition].name}", {flow.condition}',
                "it is never taken",
                "correct one of both conditions",
            )
        seen.setdefault(condition, flow)


def _reached(diagram: Diagram) -> set[str]:
    reached: set[str] = set()
    waiting = [
        node.id
        for node in diagram.nodes.values()
        if node.kind == "startEvent"
        or node.listens
        or node.compensates
        or (node.definition == "link" and node.kind == "intermediateCatchEvent")
    ]
    edges = [each for each in diagram.nodes.values() if each.attached_to is not None]
    while waiting:
        node = waiting.pop()
        if node in reached:
            continue
        reached.add(node)
        waiting += [flow.target for flow in diagram.leaving(node)]
        waiting += [event.id for event in edges if event.attached_to == node]
    return reached


def _waits_for_a_message(node: Node) -> bool:
    return node.message is not None and node.kind in ("intermediateCatchEvent", "receiveTask")


def _turns_without_waiting(diagram: Diagram, known: Surroundings, gateway: Node) -> bool:
    seen: set[str] = set()
    waiting = [flow.target for flow in diagram.leaving(gateway.id)]
    while waiting:
        node = diagram.nodes.get(waiting.pop())
        if node is None or node.id in seen:
            continue
        if node.id == gateway.id:
            return True
        seen.add(node.id)
        if not _rests(diagram, known, node):
            waiting += [flow.target for flow in diagram.leaving(node.id)]
    return False


def _rests(diagram: Diagram, known: Surroundings, node: Node) -> bool:
    """Say whether whoever passes *node* has to wait there, at least on some way through it."""
    task = known.tasks.get(node.task_type or "")
    if node.timer is not None or _waits_for_a_message(node) or node.kind == "userTask":
        return True
    if task is not None and task.side_effect:
        # Done once for each step or batch, so that each turn brings the journey on.
        return True
    if node.call is not None:
        piece = known.pieces.get(node.call.process or "")
        return piece is None or any(_rests(piece, known, each) for each in piece.nodes.values() if each.call is None)
    return node.kind in _SCOPES and any(_rests(diagram, known, each) for each in diagram.level(node.id))


def _unrecorded(diagram: Diagram, known: Surroundings, starts: list[Node]) -> list[Node]:
    """Return the ends that can be reached from *starts* on a way without record-outcome."""
    seen: set[str] = set()
    ends: list[Node] = []
    waiting = [start.id for start in starts]
    while waiting:
        node = diagram.nodes.get(waiting.pop())
        if node is None or node.id in seen:
            continue
        seen.add(node.id)
        if node.kind == "endEvent":
            ends.append(node)
        waiting += [
            event.id
            for event in diagram.nodes.values()
            # What happens beside the way that goes on ends nothing.
            if event.attached_to == node.id and event.interrupts and event.definition != "compensate"
        ]
        if not _records(diagram, known, node):
            waiting += [flow.target for flow in diagram.leaving(node.id) if not _is_already_over(diagram, node, flow)]
    return sorted(ends, key=lambda end: end.id)


def _records(diagram: Diagram, known: Surroundings, node: Node) -> bool:
    if node.task_type == LAST_TASK:
        return True
    if node.call is not None:
        piece = known.pieces.get(node.call.process or "")
        return piece is not None and piece is not diagram and _always_records(piece, known, piece.process_id)
    return node.kind in _SCOPES and _always_records(diagram, known, node.id)


def _always_records(diagram: Diagram, known: Surroundings, scope: str) -> bool:
    starts = [node for node in diagram.level(scope) if node.kind == "startEvent"]
    return bool(starts) and not _unrecorded(diagram, known, starts)


def _is_already_over(diagram: Diagram, node: Node, flow: Flow) -> bool:
    """Say whether *flow* is taken where open-enrolment said that there is nothing to do."""
    asked = [formula_in(each.condition or "") for each in diagram.leaving(node.id)]
    is_question = any(formula is not None and OPEN in formula.variables for formula in asked)
    return is_question and flow.id == node.default_flow
