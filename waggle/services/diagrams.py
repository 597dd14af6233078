"""Read BPMN diagrams: what a journey asks of workers, catalogue, decisions, forms, pieces and settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from xml.etree import ElementTree as ET

from waggle.domain.markup import root_of
from waggle.errors import BadSettings

PIECES: Final = "pieces"
"""Folder of the diagrams that only journeys call."""

USER_TASK: Final = "io.camunda.zeebe:userTask"
"""Task type of the job that a user task is, though no file says so."""

_MODEL: Final = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_DI: Final = "{http://www.omg.org/spec/BPMN/20100524/DI}"
_ZEEBE: Final = "{http://camunda.org/schema/zeebe/1.0}"
_MODELER: Final = "{http://camunda.org/schema/modeler/1.0}"

_NODE_ENDINGS: Final = (
    *("task", "Task", "Gateway", "Event", "subProcess", "adHocSubProcess", "callActivity", "transaction"),
)
_WAYS: Final = ("incoming", "outgoing")
_DECORATIONS: Final = ("dataObjectReference", "dataStoreReference", "lane")


@dataclass(frozen=True, slots=True)
class Call:
    """Which process a call activity runs, and what goes in and out besides the mappings."""

    process: str | None
    binding: str | None
    takes_all: bool
    """Every variable of the caller goes in."""
    returns_all: bool
    """Every variable of the called process comes back."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """Marker at the foot of a task: done once for each item of a list, or (`loop`) until something holds."""

    kind: Literal["parallel", "sequential", "loop"]
    items: str | None
    """Expression of the list."""
    item: str | None
    """Variable that holds the item."""
    collected: str | None
    """Variable that gets the list of results."""
    collects: str | None
    """Expression of one result."""
    until: str | None


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
    headers: tuple[tuple[str, str], ...] = ()
    attached_to: str | None = None
    default_flow: str | None = None
    listens: bool = False
    """True for a sub-process that is started by an event."""
    interrupts: bool = True
    """False for a boundary or start event that lets go on what it is drawn at."""
    message: str | None = None
    error_code: str | None = None
    """None on an error event means: every code."""
    signal: str | None = None
    escalation: str | None = None
    definition: str | None = None
    """What kind of event it is, for example `timer`, `message`, `error`."""
    definitions: int = 0
    timer: tuple[str, str] | None = None
    """(`timeDate`, `timeDuration` or `timeCycle`; expression)"""
    decision: str | None = None
    decision_result: str | None = None
    decision_binding: str | None = None
    script: str | None = None
    script_result: str | None = None
    call: Call | None = None
    repetition: Repetition | None = None
    form: str | None = None
    form_binding: str | None = None
    groups: tuple[str, ...] = ()
    """Roles of which one answers a user task; none: whoever may answer at all."""
    is_engine_user_task: bool = False
    """A user task of the newer kind, which is no job."""
    compensates: bool = False
    """It undoes another task, and no flow leads to it."""
    compensated: str | None = None
    """Id of the task that a compensation event undoes; None: every one."""
    template: str | None = None
    """Id of the element template it was made from."""
    arrows: frozenset[str] = frozenset()
    """Ids of the flows that it lists as coming in or going out."""


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
    documentation: str
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
    associations: tuple[tuple[str, str], ...]
    """(from, to) of each dotted line."""
    decorations: tuple[tuple[str, str, str], ...]
    """(id, kind, name) of what is drawn and means nothing to the engine."""

    @property
    def is_piece(self) -> bool:
        """Whether it is called by journeys, and no journey of its own."""
        return self.file.parent.name == PIECES

    def around(self, node: Node) -> Iterator[Node]:
        """Yield the sub-processes around *node*, the nearest first."""
        parent = self.nodes.get(node.parent)
        while parent is not None:
            yield parent
            parent = self.nodes.get(parent.parent)

    def is_process_start(self, node: Node) -> bool:
        """Say whether *node* starts the whole journey."""
        return node.kind == "startEvent" and node.parent == self.process_id

    def level(self, scope: str) -> list[Node]:
        """Return what stands directly in *scope*, a sub-process or the process."""
        return [node for node in self.nodes.values() if node.parent == scope]

    def leaving(self, node: str) -> list[Flow]:
        """Return the arrows that begin at *node*."""
        return [flow for flow in self.flows.values() if flow.source == node]

    def arriving(self, node: str) -> list[Flow]:
        """Return the arrows that end at *node*."""
        return [flow for flow in self.flows.values() if flow.target == node]


def parse_xml(file: Path) -> ET.Element:
    """Return the root element of *file*.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE, the file is missing, is no XML, or has a document type, whose entities could
            name other files.
    """
    try:
        return root_of(file.read_bytes())
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
    declared = _Declared(root)
    shapes = [*root.iter(f"{_DI}BPMNShape"), *root.iter(f"{_DI}BPMNEdge")]
    return Diagram(
        file=file,
        process_id=process_id,
        process_name=process.get("name", ""),
        documentation=process.findtext(f"{_MODEL}documentation", ""),
        version_tag=_extension(process, "versionTag", "value"),
        engine_version=root.get(f"{_MODELER}executionPlatformVersion"),
        nodes={node.id: node for node in _nodes(process, process_id, declared)},
        flows={flow.id: flow for flow in map(_flow, process.iter(f"{_MODEL}sequenceFlow"))},
        correlation_keys={
            found.get("name", ""): _extension(found, "subscription", "correlationKey")
            for found in declared.messages.values()
        },
        root_ids=(*declared.messages, *declared.errors),
        drawn=frozenset(shape.get("bpmnElement", "") for shape in shapes),
        collapsed=frozenset(
            shape.get("bpmnElement", "") for shape in shapes if shape.get("isExpanded", "false") != "true"
        ),
        associations=tuple(
            (found.get("sourceRef", ""), found.get("targetRef", "")) for found in root.iter(f"{_MODEL}association")
        ),
        decorations=tuple(
            (found.get("id", ""), kind, _name(found)) for kind in _DECORATIONS for found in root.iter(_MODEL + kind)
        ),
    )


class _Declared:
    """What stands beside the process, by id."""

    def __init__(self, root: ET.Element) -> None:
        self.messages = self._by_id(root, "message")
        self.errors = self._by_id(root, "error")
        self.signals = self._by_id(root, "signal")
        self.escalations = self._by_id(root, "escalation")

    @staticmethod
    def _by_id(root: ET.Element, kind: str) -> dict[str, ET.Element]:
        return {found.get("id", ""): found for found in root.iter(_MODEL + kind)}


def _nodes(scope: ET.Element, scope_id: str, declared: _Declared) -> Iterator[Node]:
    for found in scope:
        kind = found.tag.removeprefix(_MODEL)
        if kind.endswith(_NODE_ENDINGS) and kind != found.tag:
            node = _node(found, kind, scope_id, declared)
            yield node
            yield from _nodes(found, node.id, declared)


def _node(found: ET.Element, kind: str, parent: str, declared: _Declared) -> Node:
    definitions = [child for child in found if child.tag.endswith("EventDefinition")]
    definition = next(iter(definitions), None)
    awaited = found if definition is None else definition
    return Node(
        id=found.get("id", ""),
        kind=kind,
        name=_name(found),
        parent=parent,
        task_type=_extension(found, "taskDefinition", "type") or _implied_type(found, kind),
        retries=_extension(found, "taskDefinition", "retries"),
        inputs=_mappings(found, "input"),
        outputs=_mappings(found, "output"),
        headers=_headers(found),
        attached_to=found.get("attachedToRef"),
        default_flow=found.get("default"),
        listens=found.get("triggeredByEvent") == "true",
        interrupts="false" not in (found.get("cancelActivity"), found.get("isInterrupting")),
        message=_attribute_of(declared.messages, awaited.get("messageRef"), "name"),
        error_code=_attribute_of(declared.errors, awaited.get("errorRef"), "errorCode"),
        signal=_attribute_of(declared.signals, awaited.get("signalRef"), "name"),
        escalation=_attribute_of(declared.escalations, awaited.get("escalationRef"), "escalationCode"),
        definition=_definition_kind(definition),
        definitions=len(definitions),
        timer=_timer(definition) if definition is not None else None,
        decision=_extension(found, "calledDecision", "decisionId"),
        decision_result=_extension(found, "calledDecision", "resultVariable"),
        decision_binding=_extension(found, "calledDecision", "bindingType"),
        script=_extension(found, "script", "expression"),
        script_result=_extension(found, "script", "resultVariable"),
        call=_call(found, kind),
        repetition=_repetition(found),
        form=_extension(found, "formDefinition", "formId") or _extension(found, "formDefinition", "formKey"),
        form_binding=_extension(found, "formDefinition", "bindingType"),
        groups=_listed(_extension(found, "assignmentDefinition", "candidateGroups")),
        is_engine_user_task=_is_engine_user_task(found),
        compensates=found.get("isForCompensation") == "true",
        compensated=awaited.get("activityRef"),
        template=found.get(f"{_ZEEBE}modelerTemplate"),
        arrows=frozenset((child.text or "").strip() for way in _WAYS for child in found.iterfind(_MODEL + way)),
    )


def _implied_type(found: ET.Element, kind: str) -> str | None:
    return USER_TASK if kind == "userTask" and not _is_engine_user_task(found) else None


def _is_engine_user_task(found: ET.Element) -> bool:
    return found.find(f"{_MODEL}extensionElements/{_ZEEBE}userTask") is not None


def _name(found: ET.Element) -> str:
    return " ".join(found.get("name", "").split())


def _definition_kind(definition: ET.Element | None) -> str | None:
    return None if definition is None else definition.tag.removeprefix(_MODEL).removesuffix("EventDefinition")


def _attribute_of(things: Mapping[str, ET.Element], reference: str | None, attribute: str) -> str | None:
    found = things.get(reference or "")
    return found.get(attribute) if found is not None else None


def _call(found: ET.Element, kind: str) -> Call | None:
    if kind != "callActivity":
        return None
    # What the file does not say is "true": so the engine takes it.
    return Call(
        process=_extension(found, "calledElement", "processId"),
        binding=_extension(found, "calledElement", "bindingType"),
        takes_all=_extension(found, "calledElement", "propagateAllParentVariables") != "false",
        returns_all=_extension(found, "calledElement", "propagateAllChildVariables") != "false",
    )


def _repetition(found: ET.Element) -> Repetition | None:
    if found.find(f"{_MODEL}standardLoopCharacteristics") is not None:
        return Repetition("loop", None, None, None, None, None)
    marker = found.find(f"{_MODEL}multiInstanceLoopCharacteristics")
    if marker is None:
        return None
    return Repetition(
        kind="sequential" if marker.get("isSequential") == "true" else "parallel",
        items=_extension(marker, "loopCharacteristics", "inputCollection"),
        item=_extension(marker, "loopCharacteristics", "inputElement"),
        collected=_extension(marker, "loopCharacteristics", "outputCollection"),
        collects=_extension(marker, "loopCharacteristics", "outputElement"),
        until=marker.findtext(f"{_MODEL}completionCondition"),
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


def _listed(words: str | None) -> tuple[str, ...]:
    return tuple(each.strip() for each in (words or "").split(",") if each.strip())


def _mappings(element: ET.Element, kind: str) -> tuple[tuple[str, str], ...]:
    found = element.iterfind(f"{_MODEL}extensionElements/{_ZEEBE}ioMapping/{_ZEEBE}{kind}")
    return tuple((mapping.get("target", ""), mapping.get("source", "")) for mapping in found)


def _headers(element: ET.Element) -> tuple[tuple[str, str], ...]:
    found = element.iterfind(f"{_MODEL}extensionElements/{_ZEEBE}taskHeaders/{_ZEEBE}header")
    return tuple((header.get("key", ""), header.get("value", "")) for header in found)
