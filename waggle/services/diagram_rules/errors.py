"""Errors, escalations and compensation: thrown where they are caught, and caught where they are thrown."""

from collections.abc import Iterator
from typing import cast

from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.diagram_rules.telling import about
from waggle.services.diagrams import Diagram, Node
from waggle.services.findings import Finding


def caught_errors_are_thrown(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """An error event waits for a code that something it stands on can throw."""
    for node in diagram.nodes.values():
        if node.definition != "error" or node.error_code is None or node.kind == "endEvent":
            continue
        source = node.attached_to or next((around.parent for around in diagram.around(node)), diagram.process_id)
        if node.error_code not in _thrown_in(diagram, known, source):
            yield about(
                diagram,
                node,
                f"nothing it stands on throws {node.error_code}",
                "the flow from here is never taken",
                "correct the error code, or remove the event",
            )


def thrown_errors_are_caught(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A code that a worker, an end event or a called piece can throw is caught at it or around it."""
    for node in diagram.nodes.values():
        # What leaves a piece is caught, or not, where the piece is called.
        for code in () if diagram.is_piece else sorted(_codes_of(diagram, node, known)):
            if not _is_caught(diagram, node, code):
                yield about(
                    diagram,
                    node,
                    f"{code} is thrown here and caught nowhere",
                    "the journey stops with an incident when it happens",
                    f"attach an error event with the code {code}",
                )


def escalations_meet_someone(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """An escalation that nobody around it waits for is dropped by the engine without a word."""
    events = list(diagram.nodes.values())
    for node in events:
        if node.definition != "escalation" or node.kind not in ("intermediateThrowEvent", "endEvent"):
            continue
        catchers = [each for each in events if each.definition == "escalation" and each is not node]
        if not any(
            each.kind in ("boundaryEvent", "startEvent") and each.escalation in (None, node.escalation)
            for each in catchers
        ):
            yield about(
                diagram,
                node,
                f'nobody waits for the escalation "{node.escalation or ""}"',
                "it is dropped without a word",
                "add an escalation event at the edge of the sub-process around it, or remove it",
            )


def compensation_has_something_to_undo(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """A compensation event is tied to a task that undoes, and whoever asks for compensation finds one."""
    tied = dict(diagram.associations)
    for node in diagram.nodes.values():
        if node.definition != "compensate":
            continue
        if node.kind == "boundaryEvent":
            handler = diagram.nodes.get(tied.get(node.id, ""))
            if handler is None or not handler.compensates:
                yield about(
                    diagram,
                    node,
                    "no task that undoes is tied to it",
                    "the engine refuses the diagram, or nothing is undone",
                    "draw the dotted line from it to a task marked as compensation",
                )
        elif not any(_undoes(each, node.compensated) for each in diagram.nodes.values()):
            yield about(
                diagram,
                node,
                "there is nothing that it could undo",
                "it passes, and what was done stays done",
                "attach a compensation event, and the task that undoes, to the task meant",
            )


def _undoes(event: Node, task: str | None) -> bool:
    if event.kind == "boundaryEvent":
        return event.definition == "compensate" and task in (None, event.attached_to)
    return event.kind == "startEvent" and event.definition == "compensate"


def _codes_of(diagram: Diagram, node: Node, known: Surroundings) -> frozenset[str]:
    task = known.tasks.get(node.task_type or "")
    if task is not None:
        return task.throws
    if node.kind == "endEvent" and node.definition == "error" and node.error_code is not None:
        return frozenset({node.error_code})
    piece = known.pieces.get(node.call.process or "") if node.call is not None else None
    if piece is not None and piece is not diagram:
        return _escaping(piece, known)
    return frozenset()


def _escaping(piece: Diagram, known: Surroundings) -> frozenset[str]:
    """Return the codes that leave *piece*."""
    key = ("escaping", piece.process_id)
    if key not in known.remembered:
        # A piece that calls itself meets this, and no end of itself.
        known.remembered[key] = frozenset[str]()
        known.remembered[key] = frozenset(
            code
            for node in piece.nodes.values()
            for code in _codes_of(piece, node, known)
            if not _is_caught(piece, node, code)
        )
    return cast("frozenset[str]", known.remembered[key])


def _thrown_in(diagram: Diagram, known: Surroundings, scope: str) -> frozenset[str]:
    """Return what *scope*, a task, sub-process or the process, can throw."""
    inside = (
        node
        for node in diagram.nodes.values()
        if scope in (node.id, diagram.process_id) or any(around.id == scope for around in diagram.around(node))
    )
    return frozenset[str]().union(*(_codes_of(diagram, node, known) for node in inside))


def _is_caught(diagram: Diagram, node: Node, code: str) -> bool:
    """Say whether an event on *node*, or on or in a scope around it, waits for *code*."""
    scopes = {scope.id for scope in diagram.around(node)}
    for event in diagram.nodes.values():
        if event.definition != "error" or event.error_code not in (None, code):
            continue
        host = diagram.nodes.get(event.parent)
        if event.attached_to in {node.id, *scopes}:
            return True
        if event.kind == "startEvent" and host is not None and host.parent in {*scopes, diagram.process_id}:
            return True
    return False
