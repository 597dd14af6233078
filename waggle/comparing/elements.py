"""A BPMN file as flat facts: for each element id, every attribute and every text that its XML holds.

Nothing is left out but where things are drawn, so that no change is missed; the words for the facts are found
elsewhere (`words`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree as ET

from waggle.domain.markup import root_of
from waggle.errors import BadSettings

_MODEL: Final = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_DI: Final = "{http://www.omg.org/spec/BPMN/20100524/DI}"
_PREFIXES: Final = {
    _MODEL: "",
    "{http://camunda.org/schema/zeebe/1.0}": "zeebe:",
    "{http://camunda.org/schema/modeler/1.0}": "modeler:",
    "{http://www.w3.org/2001/XMLSchema-instance}": "xsi:",
}
_NODES: Final = ("task", "Task", "Gateway", "Event", "subProcess", "callActivity", "transaction", "SubProcess")
_NAMED: Final = ("sequenceFlow", "textAnnotation", "association", "group", "dataObjectReference", "dataStoreReference")
_IGNORED: Final = ("incoming", "outgoing", "zeebe:modelerTemplateIcon")
_LISTED: Final = ("zeebe:input", "zeebe:output", "zeebe:header", "zeebe:property")
_FLAT: Final = ("extensionElements", "zeebe:ioMapping", "zeebe:taskHeaders", "zeebe:properties")
"""Only hold others together."""
_KEYS: Final = ("target", "key", "name", "source")
"""Attributes by which children of one name are told apart, the first that is there."""


@dataclass(frozen=True, slots=True)
class Element:
    """Something with an id that stands in a diagram, or the process."""

    id: str
    kind: str
    name: str
    facts: Mapping[str, str]
    """Path, such as `zeebe:taskDefinition@retries` or `timerEventDefinition/timeDuration` -> value."""


@dataclass(frozen=True, slots=True)
class Model:
    """One file."""

    elements: Mapping[str, Element]
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Element id -> where it is drawn."""
    platform: Mapping[str, str] = field(default_factory=dict)


def read_model(content: bytes, name: str) -> Model:
    """Read one BPMN file.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE, it is no XML, or has a document type.
    """
    try:
        root = root_of(content)
    except ET.ParseError as error:
        raise BadSettings("DIAGRAM_UNREADABLE", f"{name}: {error}") from error
    kinds = ("message", "error", "signal", "escalation")
    roots = {found.get("id", ""): found for kind in kinds for found in root.iterfind(f"{_MODEL}{kind}")}
    elements = {each.id: each for process in root.iterfind(f"{_MODEL}process") for each in _walk(process, roots)}
    return Model(
        elements=elements,
        places={each.get("bpmnElement", ""): tuple(_place(each)) for each in _drawn(root)},
        platform={_short(key): value for key, value in root.attrib.items() if _short(key).startswith("modeler:")},
    )


def _walk(found: ET.Element, roots: Mapping[str, ET.Element]) -> Iterator[Element]:
    facts = {path: value for path, value in _facts(found, roots, top=True) if path != "@id"}
    yield Element(found.get("id", ""), _short(found.tag), " ".join(found.get("name", "").split()), facts)
    for child in found:
        if _is_element(child):
            yield from _walk(child, roots)


def _facts(found: ET.Element, roots: Mapping[str, ET.Element], *, top: bool = False) -> Iterator[tuple[str, str]]:
    for key, value in found.attrib.items():
        name = _short(key)
        if name in _IGNORED or (name == "id" and not top):
            continue
        if name.endswith("Ref") and value in roots:
            told = _facts(roots[value], {})
            yield from ((f"{name}/{path}", said) for path, said in told if "modelerTemplate" not in path)
        else:
            yield f"@{name}", value.strip()
    if text := (found.text or "").strip():
        yield "", text
    counted: dict[str, int] = {}
    for child in found:
        name = _short(child.tag)
        if name in _IGNORED or (_is_element(child) and child.get("id")):
            continue
        if name in _FLAT:
            yield from _facts(child, roots)
            continue
        key = next((child.get(each, "") for each in _KEYS if name.startswith("zeebe:") and child.get(each)), "")
        label = f"{name}[{key}]" if key and name in _LISTED else name
        counted[label] = counted.get(label, 0) + 1
        label = label if counted[label] == 1 else f"{label}#{counted[label]}"
        yield label, (child.text or "").strip()
        yield from (
            (f"{label}{path}" if path.startswith("@") else f"{label}/{path}", said)
            for path, said in _facts(child, roots)
            if path
        )


def _is_element(found: ET.Element) -> bool:
    name = _short(found.tag)
    return found.tag.startswith(_MODEL) and (name.endswith(_NODES) or name in _NAMED)


def _drawn(root: ET.Element) -> Iterator[ET.Element]:
    yield from root.iter(f"{_DI}BPMNShape")
    yield from root.iter(f"{_DI}BPMNEdge")


def _place(drawn: ET.Element) -> Iterator[str]:
    yield drawn.get("isExpanded", "")
    for each in drawn.iter():
        values = [each.get(key) for key in ("x", "y", "width", "height")]
        if any(values):
            yield " ".join(f"{float(value):g}" for value in values if value)


def _short(name: str) -> str:
    for space, prefix in _PREFIXES.items():
        if name.startswith(space):
            return prefix + name.removeprefix(space)
    return name.rpartition("}")[2]
