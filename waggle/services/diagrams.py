"""Read BPMN diagrams: what a journey asks of workers, catalogue, decisions and settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from waggle.errors import BadSettings

_MODEL: Final = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_DI: Final = "{http://www.omg.org/spec/BPMN/20100524/DI}"
_ZEEBE: Final = "{http://camunda.org/schema/zeebe/1.0}"
_MODELER: Final = "{http://camunda.org/schema/modeler/1.0}"

_NODE_ENDINGS: Final = ("task", "Task", "Gateway", "Event", "subProcess", "callActivity", "transaction")


@dataclass(frozen=True, slots=True)
class Node:
    """One event, task, gateway or sub-process."""

    id: str
    kind: str
    """The BPMN element's name, for example `serviceTask`."""
    name: str
    parent: str
    """Id of the sub-process around it, or of the process."""
    task_type: str | None = None
    retries: str | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    """(variable, source) pairs; a source that does not start with `=` is a fixed text."""
    outputs: tuple[tuple[str, str], ...] = ()
    attached_to: str | None = None
    default_flow: str | None = None
    listens: bool = False
    """True for a sub-process that is started by an event."""
    message: str | None = None
    error_code: str | None = None
    """None on an error event means: every code."""
    definition: str | None = None
    """What kind of event it is, for example `timer`, `message`, `error`."""
    timer: tuple[str, str] | None = None
    """(`timeDate`, `timeDuration` or `timeCycle`; expression)"""
    decision: str | None = None
    decision_result: str | None = None
    decision_binding: str | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """One arrow."""

    id: str
    name: str
    source: str
    target: str
    condition: str | None


@dataclass(frozen=True, slots=True)
class Diagram:
    """One file with one executable process."""

    file: Path
    process_id: str
    process_name: str
    version_tag: str | None
    engine_version: str | None
    nodes: Mapping[str, Node]
    flows: Mapping[str, Flow]
    correlation_keys: Mapping[str, str | None]
    """Engine message -> expression."""
    root_ids: tuple[str, ...]
    """Ids of the messages and errors that the file declares."""
    drawn: frozenset[str]
    collapsed: frozenset[str]

    def around(self, node: Node) -> Iterator[Node]:
        """Yield the sub-processes around *node*, the nearest first."""
        parent = self.nodes.get(node.parent)
        while parent is not None:
            yield parent
            parent = self.nodes.get(parent.parent)

    def is_process_start(self, node: Node) -> bool:
        """Say whether *node* starts the whole journey."""
        return node.kind == "startEvent" and node.parent == self.process_id


def parse_xml(file: Path) -> ET.Element:
    """Return the root element of *file*.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE, the file is missing, is no XML, or has a document type, whose entities could
            name other files.
    """
    try:
        content = file.read_bytes()
        if b"<!DOCTYPE" in content:
            raise BadSettings("DIAGRAM_UNREADABLE", f"{file}: remove the <!DOCTYPE ...>; a diagram has none")
        return ET.fromstring(content)  # noqa: S314 -- no document type, so no entities
    except (OSError, ET.ParseError) as error:
        raise BadSettings("DIAGRAM_UNREADABLE", f"{file}: {error}") from error


def read_diagram(file: Path) -> Diagram:
    """Read one BPMN file.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE, it is no XML or does not hold exactly one executable process.
    """
    root = parse_xml(file)
    executable = [found for found in root.iter(f"{_MODEL}process") if found.get("isExecutable") == "true"]
    if len(executable) != 1:
        raise BadSettings(
            "DIAGRAM_UNREADABLE", f"{file}: holds {len(executable)} executable processes; one file has exactly one"
        )
    process = executable[0]
    process_id = process.get("id", "")
    messages = {found.get("id", ""): found for found in root.iter(f"{_MODEL}message")}
    errors = {found.get("id", ""): found for found in root.iter(f"{_MODEL}error")}
    shapes = [*root.iter(f"{_DI}BPMNShape"), *root.iter(f"{_DI}BPMNEdge")]
    return Diagram(
        file=file,
        process_id=process_id,
        process_name=process.get("name", ""),
        version_tag=_extension(process, "versionTag", "value"),
        engine_version=root.get(f"{_MODELER}executionPlatformVersion"),
        nodes={node.id: node for node in _nodes(process, process_id, messages, errors)},
        flows={flow.id: flow for flow in map(_flow, process.iter(f"{_MODEL}sequenceFlow"))},
        correlation_keys={
            found.get("name", ""): _extension(found, "subscription", "correlationKey") for found in messages.values()
        },
        root_ids=(*messages, *errors),
        drawn=frozenset(shape.get("bpmnElement", "") for shape in shapes),
        collapsed=frozenset(
            shape.get("bpmnElement", "") for shape in shapes if shape.get("isExpanded", "false") != "true"
        ),
    )


def _nodes(
    scope: ET.Element, scope_id: str, messages: Mapping[str, ET.Element], errors: Mapping[str, ET.Element]
) -> Iterator[Node]:
    for found in scope:
        kind = found.tag.removeprefix(_MODEL)
        if kind.endswith(_NODE_ENDINGS) and kind != found.tag:
            node = _node(found, kind, scope_id, messages, errors)
            yield node
            yield from _nodes(found, node.id, messages, errors)


def _node(
    found: ET.Element, kind: str, parent: str, messages: Mapping[str, ET.Element], errors: Mapping[str, ET.Element]
) -> Node:
    definition = next((child for child in found if child.tag.endswith("EventDefinition")), None)
    awaited = found if definition is None else definition
    message = messages.get(awaited.get("messageRef", ""))
    error = errors.get(awaited.get("errorRef", ""))
    return Node(
        id=found.get("id", ""),
        kind=kind,
        name=" ".join(found.get("name", "").split()),
        parent=parent,
        task_type=_extension(found, "taskDefinition", "type"),
        retries=_extension(found, "taskDefinition", "retries"),
        inputs=_mappings(found, "input"),
        outputs=_mappings(found, "output"),
        attached_to=found.get("attachedToRef"),
        default_flow=found.get("default"),
        listens=found.get("triggeredByEvent") == "true",
        message=message.get("name") if message is not None else None,
        error_code=error.get("errorCode") if error is not None else None,
        definition=definition.tag.removeprefix(_MODEL).removesuffix("EventDefinition")
        if definition is not None
        else None,
        timer=_timer(definition) if definition is not None else None,
        decision=_extension(found, "calledDecision", "decisionId"),
        decision_result=_extension(found, "calledDecision", "resultVariable"),
        decision_binding=_extension(found, "calledDecision", "bindingType"),
    )


def _flow(found: ET.Element) -> Flow:
    condition = found.find(f"{_MODEL}conditionExpression")
    return Flow(
        id=found.get("id", ""),
        name=found.get("name", ""),
        source=found.get("sourceRef", ""),
        target=found.get("targetRef", ""),
        condition=(condition.text or "").strip() if condition is not None else None,
    )


def _timer(definition: ET.Element) -> tuple[str, str] | None:
    for kind in ("timeDate", "timeDuration", "timeCycle"):
        found = definition.find(f"{_MODEL}{kind}")
        if found is not None:
            return kind, (found.text or "").strip()
    return None


def _extension(element: ET.Element, name: str, attribute: str) -> str | None:
    found = element.find(f"{_MODEL}extensionElements/{_ZEEBE}{name}")
    return found.get(attribute) if found is not None else None


def _mappings(element: ET.Element, kind: str) -> tuple[tuple[str, str], ...]:
    found = element.iterfind(f"{_MODEL}extensionElements/{_ZEEBE}ioMapping/{_ZEEBE}{kind}")
    return tuple((mapping.get("target", ""), mapping.get("source", "")) for mapping in found)
