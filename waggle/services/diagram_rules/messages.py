"""Engine messages and signals: everything that is waited for arrives."""

from collections.abc import Iterator
from typing import Final

from waggle.services.catalogue import CatalogueMessage
from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.diagram_rules.telling import about, choose
from waggle.services.diagrams import Diagram, Node
from waggle.services.findings import Finding

CORRELATION_KEY: Final = "=enrolment_id"

_THROWN: Final = ("endEvent", "intermediateThrowEvent", "sendTask")


def messages_are_in_the_catalogue(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """Every engine message that is waited for stands in bpmn/engine-messages.toml, in the place that fits its kind."""
    for node in _waiting(diagram):
        message = known.catalogue.messages.get(node.message or "")
        if message is None:
            yield about(
                diagram,
                node,
                f'the catalogue has no engine message "{node.message}"',
                "nothing ever arrives here",
                f"{choose(node.message or '', known.catalogue.messages.keys())}, or enter [{node.message}] there",
            )
            continue
        kind, told = _place(diagram, node)
        # What a piece waits for is told to the journeys that call it.
        for journey in (
            [caller.process_id for caller in known.callers(diagram)] if diagram.is_piece else [diagram.process_id]
        ):
            if message.kind != kind or journey not in _told(message, told):
                yield about(
                    diagram,
                    node,
                    f'"{node.message}" is no {kind} of {journey} in the catalogue',
                    "nothing ever arrives here",
                    f'add [[{node.message}.{told}]] with journey = "{journey}" to a message of kind "{kind}"',
                )


def messages_are_keyed_by_enrolment(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Another key than =enrolment_id would let one shopper's event move another's journey."""
    for node in _waiting(diagram):
        if diagram.is_process_start(node):
            continue
        key = diagram.correlation_keys.get(node.message or "")
        if key != CORRELATION_KEY:
            yield about(
                diagram,
                node,
                f'the correlation key of "{node.message}" is {key or "not set"}',
                "the message reaches nobody, or the wrong journey",
                f"set the subscription correlation key to {CORRELATION_KEY}",
            )


def engine_messages_are_not_thrown(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A message event that throws is a job in this engine, and needs a worker like any other task."""
    for node in diagram.nodes.values():
        if node.kind in _THROWN and node.definition == "message" and node.task_type not in known.tasks:
            yield about(
                diagram,
                node,
                "it throws a message, and no worker does that",
                "the journey waits here for ever, and nobody is told",
                "use a task such as send-message; journeys are told by events of the shop alone",
            )


def signals_are_thrown_somewhere(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A signal that no diagram throws never comes; and one that is thrown reaches every journey of every shopper."""
    thrown = {
        node.signal
        for other in known.diagrams.values()
        for node in other.nodes.values()
        if node.definition == "signal" and node.kind in _THROWN
    }
    for node in diagram.nodes.values():
        if node.definition != "signal":
            continue
        if node.kind in _THROWN:
            yield about(
                diagram,
                node,
                f'it throws the signal "{node.signal}" to everybody',
                "one shopper's journey moves the journeys of all the others",
                "let an engine message keyed by the enrolment do it",
            )
        elif node.signal not in thrown:
            yield about(
                diagram,
                node,
                f'nobody throws the signal "{node.signal}"',
                "nothing ever arrives here",
                "wait for an engine message of the catalogue instead",
            )


def exits_interrupt(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """An event sub-process that waits for an exit ends all else; else the journey goes on beside it."""
    for node in diagram.nodes.values():
        message = known.catalogue.messages.get(node.message or "")
        host = diagram.nodes.get(node.parent)
        if message is None or message.kind != "exit" or host is None or not host.listens or node.interrupts:
            continue
        yield about(
            diagram,
            node,
            f'the exit "{node.message}" does not interrupt',
            "the journey is recorded as over and goes on writing to the shopper",
            "make the start event an interrupting one (its circle is drawn whole)",
        )


def known_messages(diagram: Diagram, known: Surroundings) -> frozenset[str]:
    """Return the engine messages that *diagram* and its pieces wait for."""
    return frozenset(
        node.message for part in known.parts(diagram) for node in _waiting(part) if node.message is not None
    )


def _waiting(diagram: Diagram) -> Iterator[Node]:
    return (node for node in diagram.nodes.values() if node.message is not None and node.kind not in _THROWN)


def _told(message: CatalogueMessage, place: str) -> list[str]:
    return [entry.journey for entry in getattr(message, place)]


def _place(diagram: Diagram, node: Node) -> tuple[str, str]:
    """Return which kind of engine message is awaited at *node*, and the catalogue's word for those it reaches."""
    if diagram.is_process_start(node):
        return "start", "starts"
    return ("exit", "ends") if node.kind == "startEvent" else ("move", "moves")
