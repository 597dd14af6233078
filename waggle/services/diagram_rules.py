"""What the engine would accept in a diagram and then hang on, drop, or do wrong: one rule per truth."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, Final, Protocol

from waggle.services.catalogue import Catalogue
from waggle.services.diagrams import Diagram, Node
from waggle.services.findings import Finding
from waggle.services.journeys import JourneyBook

ENGINE_VERSION: Final = "8.6.0"
MOST_NODES_ON_A_LEVEL: Final = 15
CORRELATION_KEY: Final = "=enrolment_id"

_ID_PREFIXES: Final = {
    "sequenceFlow": "Flow",
    "subProcess": "SubProcess",
    "callActivity": "CallActivity",
    "Gateway": "Gateway",
    "Event": "Event",
    "Task": "Task",
    "task": "Task",
}
"""End of the BPMN element's name -> beginning of its id."""
_TEXTS: Final = re.compile(r'"[^"]*"')
_SETTING: Final = re.compile(r"\bsettings\.([A-Za-z_][A-Za-z0-9_]*)")
_VARIABLE: Final = re.compile(r"=\s*([A-Za-z_][A-Za-z0-9_]*)\s*")
_COMPARISON: Final = re.compile(r"[=<>]|\b(in|between|is defined|contains|starts with|ends with|matches)\b")


class TaskType(Protocol):
    """What a check needs to know of a worker; `waggle.task.Task` says it."""

    @property
    def input(self) -> type:
        """Dataclass of the variables read; those with a default may be absent."""
        ...

    @property
    def output(self) -> type:
        """Dataclass of the variables written."""
        ...

    @property
    def throws(self) -> frozenset[str]:
        """BPMN error codes."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything that a diagram may name."""

    tasks: Mapping[str, TaskType]
    catalogue: Catalogue
    book: JourneyBook
    decisions: frozenset[str]
    templates: frozenset[str]


Rule = Callable[[Diagram, Surroundings], Iterator[Finding]]


def process_is_named_and_versioned(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Settings, catalogue and Operate find a journey by these."""

    def finding(problem: str, consequence: str, mend: str) -> Finding:
        return Finding(diagram.file, diagram.process_id, diagram.process_name, problem, consequence, mend)

    if diagram.process_id != diagram.file.stem:
        yield finding(
            f"the process id is not the file's name, {diagram.file.stem}",
            "its settings and its catalogue entries are not found",
            "make both the same, in kebab-case",
        )
    if not diagram.version_tag:
        yield finding("no version tag", "nobody can tell which version ran", "set Version tag, for example 1.0.0")
    if diagram.engine_version != ENGINE_VERSION:
        yield finding(
            f"drawn for engine {diagram.engine_version or 'unknown'}",
            "Modeler offers what the engine does not have",
            f"set the execution platform version to {ENGINE_VERSION}",
        )


def task_types_have_workers(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """Also: each job is given what its worker must have, and its results are taken under their own names."""
    for node in diagram.nodes.values():
        if node.task_type is None:
            continue
        task = known.tasks.get(node.task_type)
        if task is None:
            yield _about(
                diagram,
                node,
                f'no worker answers the task type "{node.task_type}"',
                "the journey waits here for ever",
                f"use one of {', '.join(sorted(known.tasks))}, or write workers/{node.task_type.replace('-', '_')}.py",
            )
            continue
        given = {variable for variable, _ in node.inputs}
        taken = {field.name: _is_required(field) for field in fields(task.input)}
        for variable in sorted(name for name, required in taken.items() if required and name not in given):
            yield _about(
                diagram,
                node,
                f'the input "{variable}" is missing',
                "the worker refuses the job: an incident",
                f"add the input {variable}",
            )
        for variable in sorted(given - set(taken)):
            yield _about(
                diagram,
                node,
                f'the worker does not read the input "{variable}"',
                "what was meant by it does not happen",
                f"remove it, or use one of {', '.join(taken)}",
            )
        results = {field.name for field in fields(task.output)}
        for variable, source in node.outputs:
            read = _VARIABLE.fullmatch(source)
            if read is not None and read[1] not in results | {"null"}:
                yield _about(
                    diagram,
                    node,
                    f'the output "{variable}" reads "{read[1]}", which the worker does not return',
                    "the variable becomes null",
                    f"read one of {', '.join(sorted(results))}",
                )


def retries_are_explicit(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """The engine deploys "five" as well as "0"."""
    for node in diagram.nodes.values():
        if node.task_type is not None and not re.fullmatch(r"[1-9][0-9]?", node.retries or ""):
            yield _about(
                diagram,
                node,
                f'retries are "{node.retries or ""}"',
                "how often it is tried is left to chance",
                "set a number from 1 to 99",
            )


def caught_errors_are_thrown(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """And thrown errors are caught: by the task, or around it."""
    for node in diagram.nodes.values():
        if node.definition != "error" or node.error_code is None or node.kind == "endEvent":
            continue
        source = node.attached_to or next((around.parent for around in diagram.around(node)), diagram.process_id)
        if node.error_code not in _thrown_in(diagram, known, source):
            yield _about(
                diagram,
                node,
                f"nothing it stands on throws {node.error_code}",
                "the flow from here is never taken",
                "correct the error code, or remove the event",
            )
    for node in diagram.nodes.values():
        for code in sorted(_codes_of(node, known)):
            if _is_caught(diagram, node, code):
                continue
            yield _about(
                diagram,
                node,
                f"{code} is thrown here and caught nowhere",
                "the journey stops with an incident when it happens",
                f"attach an error event with the code {code}",
            )


def messages_are_in_the_catalogue(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """In the place that fits their kind."""
    for node in diagram.nodes.values():
        if node.message is None or node.kind in ("endEvent", "intermediateThrowEvent", "sendTask"):
            continue
        message = known.catalogue.messages.get(node.message)
        if message is None:
            yield _about(
                diagram,
                node,
                f'the catalogue has no engine message "{node.message}"',
                "nothing ever arrives here",
                f"use one of {', '.join(known.catalogue.messages)}, or add [{node.message}] to the catalogue",
            )
            continue
        kind, told = _place(diagram, node)
        journeys = [entry.journey for entry in (message.starts if kind == "start" else getattr(message, told))]
        if message.kind != kind or diagram.process_id not in journeys:
            yield _about(
                diagram,
                node,
                f'"{node.message}" is no {kind} of {diagram.process_id} in the catalogue',
                "nothing ever arrives here",
                f'add [[{node.message}.{told}]] with journey = "{diagram.process_id}" to a message of kind "{kind}"',
            )


def messages_are_keyed_by_enrolment(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Another key would let one shopper's event move another's journey."""
    for node in diagram.nodes.values():
        if (
            node.message is None
            or diagram.is_process_start(node)
            or node.kind in ("endEvent", "intermediateThrowEvent")
        ):
            continue
        key = diagram.correlation_keys.get(node.message)
        if key != CORRELATION_KEY:
            yield _about(
                diagram,
                node,
                f'the correlation key of "{node.message}" is {key or "not set"}',
                "the message reaches nobody, or the wrong journey",
                f"set the subscription correlation key to {CORRELATION_KEY}",
            )


def decisions_exist(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """The engine looks for a decision only when a journey comes by."""
    for node in diagram.nodes.values():
        if node.decision is None:
            continue
        if node.decision not in known.decisions:
            yield _about(
                diagram,
                node,
                f'there is no decision "{node.decision}" in bpmn/decisions',
                "every journey stops here with an incident",
                f"use one of {', '.join(sorted(known.decisions)) or 'those you draw there'}",
            )
        if node.decision_binding != "deployment":
            yield _about(
                diagram,
                node,
                "the decision is not bound to the deployment",
                "running journeys answer by a table that was deployed after them",
                'set Binding to "deployment"',
            )


def times_come_from_settings(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """A fixed time can neither be set per shop nor be shortened for a trial."""
    for node in diagram.nodes.values():
        if node.timer is None or (node.timer[0] == "timeCycle" and diagram.is_process_start(node)):
            continue
        expression = node.timer[1]
        if not expression.startswith("=") or _TEXTS.search(expression):
            yield _about(
                diagram,
                node,
                f"the time {expression} is fixed in the diagram",
                "it cannot be changed without a new version",
                "write =duration(settings.<name>), and the value to "
                f"config/journeys/{diagram.process_id}.toml under [settings]",
            )


def settings_agree_with_the_file(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """What the diagram reads is set, and what is set is read."""
    file = f"config/journeys/{diagram.process_id}.toml"
    settings = known.book.of(diagram.process_id).settings
    read: set[str] = set()
    for element, name, expression in _expressions(diagram):
        found = set(_SETTING.findall(expression))
        read |= found
        for setting in sorted(found - set(settings)):
            yield Finding(
                diagram.file,
                element,
                name,
                f"reads settings.{setting}, which the journey does not have",
                "it is null: a timer becomes an incident, a condition false",
                f"add {setting} to {file} under [settings]",
            )
    for setting in sorted(set(settings) - read):
        yield Finding(
            diagram.file,
            diagram.process_id,
            diagram.process_name,
            f"does not read {setting}, which {file} sets",
            "whoever changes it there waits in vain",
            f"read settings.{setting} in the diagram, or remove it from the file",
        )


def conditions_cannot_be_null(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """A condition that is null stops the journey with an incident; a comparison with an absent variable is false."""
    for flow in diagram.flows.values():
        if flow.condition is None:
            continue
        body = _TEXTS.sub("", flow.condition.removeprefix("="))
        if not flow.condition.startswith("=") or "==" in body or not _COMPARISON.search(body):
            yield Finding(
                diagram.file,
                flow.id,
                flow.name,
                f"the condition {flow.condition} is no comparison",
                "it is refused, or stops the journey with an incident when the variable is absent",
                "write for example =eligible = true",
            )


def splits_have_a_default(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Where no condition is true and no flow is the default, the journey stops with an incident."""
    leaving = Counter(flow.source for flow in diagram.flows.values())
    for node in diagram.nodes.values():
        if node.kind in ("exclusiveGateway", "inclusiveGateway") and leaving[node.id] > 1 and not node.default_flow:
            yield _about(
                diagram,
                node,
                "no default flow",
                "the journey stops here when no condition is true",
                "make one of the flows the default",
            )


def steps_are_unique(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """(enrolment_id, step) is the key by which an effect happens once."""
    steps = [(node, source) for node in diagram.nodes.values() for name, source in node.inputs if name == "step"]
    count = Counter(source for _, source in steps)
    for node, source in steps:
        if source.startswith("="):
            yield _about(
                diagram,
                node,
                f"the step {source} is computed",
                "it may repeat, and then nothing is sent or issued",
                "write a fixed text",
            )
        elif count[source] > 1:
            yield _about(
                diagram,
                node,
                f'the step "{source}" stands at more than one task',
                "the second effect is taken for a repetition of the first and does not happen",
                "give each task a step of its own",
            )


def templates_exist(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A fixed template is a folder in config/messages."""
    for node in diagram.nodes.values():
        template = dict(node.inputs).get("template")
        if template is not None and not template.startswith("=") and template not in known.templates:
            yield _about(
                diagram,
                node,
                f'there is no message "{template}" in config/messages',
                "every journey stops here with an incident",
                f"use one of {', '.join(sorted(known.templates))}",
            )


def ids_are_given_by_people(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Operate's history, reports and tests name elements by id for as long as the journey lives."""
    named = [(node.id, node.name, node.kind) for node in diagram.nodes.values()]
    named += [(flow.id, flow.name, "sequenceFlow") for flow in diagram.flows.values()]
    for element, name, kind in named:
        prefix = next((prefix for ending, prefix in _ID_PREFIXES.items() if kind.endswith(ending)), "[A-Z][A-Za-z]*")
        if not re.fullmatch(rf"{prefix}_[A-Z][A-Za-z0-9]*", element):
            yield Finding(
                diagram.file,
                element,
                name,
                "the id does not say what it is",
                "history and reports cannot be read, and break when it changes",
                f"name it like {prefix}_SendReminder",
            )


def everything_is_drawn(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """What has no shape is not to be seen in Modeler and Operate, but runs."""
    named = {element.id: element.name for element in diagram.nodes.values()}
    named |= {flow.id: flow.name for flow in diagram.flows.values()}
    for element, name in named.items():
        if element not in diagram.drawn:
            yield Finding(
                diagram.file,
                element,
                name,
                "it is not drawn",
                "it runs, and nobody sees it in Operate",
                "draw it in Modeler",
            )
    for node in diagram.nodes.values():
        if node.kind == "subProcess" and node.id in diagram.drawn & diagram.collapsed:
            yield _about(
                diagram, node, "the sub-process is folded", "what happens in it is not seen", "unfold it in Modeler"
            )


def levels_fit_the_eye(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Event sub-processes stand beside the flow and are not counted."""
    crowd = Counter(node.parent for node in diagram.nodes.values() if not node.listens)
    for level, count in crowd.items():
        if count > MOST_NODES_ON_A_LEVEL:
            name = diagram.nodes[level].name if level in diagram.nodes else diagram.process_name
            yield Finding(
                diagram.file,
                level,
                name,
                f"{count} events, tasks and gateways on one level",
                "nobody reads it at a glance",
                f"group some in a sub-process; {MOST_NODES_ON_A_LEVEL} are the most",
            )


RULES: Final[tuple[Rule, ...]] = (
    process_is_named_and_versioned,
    task_types_have_workers,
    retries_are_explicit,
    caught_errors_are_thrown,
    messages_are_in_the_catalogue,
    messages_are_keyed_by_enrolment,
    decisions_exist,
    times_come_from_settings,
    settings_agree_with_the_file,
    conditions_cannot_be_null,
    splits_have_a_default,
    steps_are_unique,
    templates_exist,
    ids_are_given_by_people,
    everything_is_drawn,
    levels_fit_the_eye,
)


def _about(diagram: Diagram, node: Node, problem: str, consequence: str, mend: str) -> Finding:
    return Finding(diagram.file, node.id, node.name, problem, consequence, mend)


def _is_required(field: "Field[Any]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _place(diagram: Diagram, node: Node) -> tuple[str, str]:
    """Return which kind of engine message is awaited at *node*, and the catalogue's word for those it reaches."""
    if diagram.is_process_start(node):
        return "start", "starts"
    return ("exit", "ends") if node.kind == "startEvent" else ("move", "moves")


def _codes_of(node: Node, known: Surroundings) -> frozenset[str]:
    task = known.tasks.get(node.task_type or "")
    if task is not None:
        return task.throws
    if node.kind == "endEvent" and node.definition == "error" and node.error_code is not None:
        return frozenset({node.error_code})
    return frozenset()


def _thrown_in(diagram: Diagram, known: Surroundings, scope: str) -> frozenset[str]:
    """Return what *scope*, a task, sub-process or the process, can throw."""
    inside = (
        node
        for node in diagram.nodes.values()
        if scope in (node.id, diagram.process_id) or any(around.id == scope for around in diagram.around(node))
    )
    return frozenset[str]().union(*(_codes_of(node, known) for node in inside))


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


def _expressions(diagram: Diagram) -> Iterator[tuple[str, str, str]]:
    """Yield (id, name, expression) for everything that is computed."""
    for node in diagram.nodes.values():
        for _, source in (*node.inputs, *node.outputs):
            yield node.id, node.name, source
        if node.timer is not None:
            yield node.id, node.name, node.timer[1]
    for flow in diagram.flows.values():
        if flow.condition is not None:
            yield flow.id, flow.name, flow.condition
