"""What this version of the engine refuses, ignores, or deploys without its meaning (8.6.0, tried one by one)."""

from collections.abc import Iterator
from typing import Final

from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.diagram_rules.telling import about
from waggle.services.diagrams import Diagram, Node
from waggle.services.findings import Finding

_REFUSED_KINDS: Final = {
    "complexGateway": "a complex gateway",
    "adHocSubProcess": "an ad-hoc sub-process",
    "transaction": "a transaction",
}
_REFUSED_EVENTS: Final = {"conditional": "a conditional event", "cancel": "a cancel event"}
_THROWN_IN_VAIN: Final = ("timer", "error", "terminate")
_STARTED_IN_VAIN: Final = ("error", "escalation", "link", "terminate", "compensate")
_PASSED: Final = {"task": "a task without a type", "manualTask": "a manual task"}


def the_engine_has_the_element(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Complex gateways, ad-hoc sub-processes, transactions, conditional, cancel and multiple events are refused."""
    for node in diagram.nodes.values():
        what = _REFUSED_KINDS.get(node.kind) or _REFUSED_EVENTS.get(node.definition or "")
        if node.definitions > 1:
            what = "an event that waits for several things at once"
        if what is not None:
            yield about(
                diagram,
                node,
                f"it is {what}, which the engine does not have",
                "the engine refuses the diagram, and nothing is deployed",
                "draw it with other elements: exclusive gateways, an event-based gateway, or a sub-process",
            )


def events_have_a_meaning(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Some events are deployed and never happen: a process that starts on an error, a timer that is thrown."""
    for node in diagram.nodes.values():
        if node.kind == "intermediateThrowEvent" and node.definition in _THROWN_IN_VAIN:
            yield about(
                diagram,
                node,
                f"it throws a {node.definition}, which means nothing",
                "the engine passes it as if it were not there",
                "make it a catching event if it should wait, or an end event",
            )
        in_process = diagram.is_process_start(node)
        if (
            node.kind == "startEvent"
            and node.definition in _STARTED_IN_VAIN
            and (in_process or node.definition in ("link", "terminate"))
        ):
            yield about(
                diagram,
                node,
                f"{'the journey' if in_process else 'the sub-process'} starts on {_an(node.definition or '')}",
                "it never starts",
                "start it on an engine message of the catalogue",
            )


def errors_and_compensation_interrupt(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """The engine refuses error and compensation events that let go on what they stand on; no other lint says so."""
    for node in diagram.nodes.values():
        if node.definition in ("error", "compensate") and not node.interrupts:
            yield about(
                diagram,
                node,
                f"it is {_an(node.definition)} event that does not interrupt",
                "the engine refuses the diagram, and nothing is deployed",
                "make it an interrupting one (its circle is drawn whole)",
            )


def repetitions_have_a_list(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """The loop marker is deployed and ignored; a multi-instance one repeats for each item of a list."""
    for node in diagram.nodes.values():
        marker = node.repetition
        if marker is not None and marker.kind == "loop":
            yield about(
                diagram,
                node,
                "it has the loop marker",
                "the engine ignores it: the task is done once",
                "draw the loop with a gateway and a way back, or use a multi-instance marker and a list",
            )
        elif marker is not None and not (marker.items or "").startswith("="):
            yield about(
                diagram,
                node,
                "it is repeated, and no list says for what",
                "the engine refuses the diagram, or the journey stops here with an incident",
                "set Input collection, for example =settings.rounds, and Input element",
            )


def tasks_do_something(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """A task without a type, and a manual one, is passed at once: nothing happens and nobody is asked."""
    for node in diagram.nodes.values():
        if node.kind in _PASSED:
            yield about(
                diagram,
                node,
                f"it is {_PASSED[node.kind]}",
                "the engine passes it at once: nothing is done",
                "change it to a service task with a task type, or to a user task with a form",
            )
        elif node.kind in ("serviceTask", "sendTask") and not node.task_type:
            yield about(
                diagram,
                node,
                "it has no task type",
                "the engine refuses the diagram, and nothing is deployed",
                "choose one of the ready-made steps, or set Task definition Type",
            )


def decorations_are_known_for_what_they_are(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Data objects, data stores and lanes are ignored by the engine: nothing is stored, nobody made responsible."""
    told = {
        "dataObjectReference": ("a data object", "nothing is kept in it", "write it as an output of a task"),
        "dataStoreReference": (
            "a data store",
            "nothing is read from it or kept in it",
            "use a task that reads or writes",
        ),
        "lane": ("a lane", "who does a task is not decided by it", "remove it; name the owner in the documentation"),
    }
    for element, kind, name in diagram.decorations:
        what, consequence, mend = told[kind]
        yield Finding(diagram.file, element, name, f"it is {what}, which the engine ignores", consequence, mend)


def headers_are_set_once(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """A task header is given once: a second one of the same name replaces the first."""
    for node in diagram.nodes.values():
        names = [name for name, _ in node.headers]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield about(
                diagram,
                node,
                f'the task header "{name}" is set twice',
                "one of both values is lost",
                "remove one of them",
            )


def journeys_start_on_messages(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """A journey starts on engine messages; a piece on exactly one plain start event."""
    starts: list[Node] = [node for node in diagram.level(diagram.process_id) if node.kind == "startEvent"]
    if not starts or (diagram.is_piece and len(starts) > 1):
        yield about(
            diagram,
            None,
            f"it has {len(starts)} start events" if starts else "it has no start event",
            "the engine refuses the diagram",
            "draw one plain start event" if diagram.is_piece else "draw a start event with an engine message",
        )
    for start in starts:
        if not diagram.is_piece and start.definition in (None, "timer", "signal"):
            yield about(
                diagram,
                start,
                "it starts without an engine message",
                "a journey that starts so has no enrolment, and its first task stops with an incident",
                "make it a message start event, and enter the message in the catalogue",
            )


def _an(definition: str) -> str:
    words = {"compensate": "compensation"}
    word = words.get(definition, definition)
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
