"""What a diagram consists of, element by element: to say what changed, and what became of what."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from waggle.domain.markup import root_of

_MODEL: Final = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_ZEEBE: Final = "{http://camunda.org/schema/zeebe/1.0}"
_NODE_ENDINGS: Final = ("task", "Task", "Gateway", "Event", "subProcess", "callActivity")
_RESTING: Final = frozenset(
    {
        *("serviceTask", "sendTask", "businessRuleTask", "scriptTask", "userTask", "receiveTask", "callActivity"),
        *("subProcess", "intermediateCatchEvent", "eventBasedGateway"),
    }
)
"""Where an instance can stand; it only passes through others, unless an incident stops it there."""


@dataclass(frozen=True, slots=True)
class Element:
    """One event, task, gateway, sub-process or arrow."""

    id: str
    kind: str
    """The BPMN element's name, for example `serviceTask`."""
    name: str
    parent: str
    """Id of the sub-process around it, or of the process."""
    trait: str
    """What it does: a task type, decision, called piece, or the kind of its event with the message's name."""
    attached_to: str | None
    written: str
    """All that is said of it but where it is drawn, what lies in it and which arrows touch it."""

    @property
    def is_flow(self) -> bool:
        """Whether it is an arrow."""
        return self.kind == "sequenceFlow"

    @property
    def rests(self) -> bool:
        """Whether an instance can stand there."""
        return self.kind in _RESTING

    def __str__(self) -> str:
        return f'{self.id} "{self.name}"' if self.name else self.id


@dataclass(frozen=True, slots=True)
class ElementChanges:
    """How one version of a diagram differs from another; without arrows whose ends changed with them."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


def elements_of(content: bytes) -> dict[str, Element]:
    """Return the elements of the executable process by id.

    Raises:
        ET.ParseError: it is no diagram.
    """
    root = root_of(content)
    messages = {each.get("id", ""): each.get("name", "") for each in root.iter(f"{_MODEL}message")}
    processes = [each for each in root.iter(f"{_MODEL}process") if each.get("isExecutable") == "true"]
    return {
        element.id: element for process in processes for element in _elements(process, process.get("id", ""), messages)
    }


def changes_between(old: bytes, new: bytes) -> ElementChanges:
    """Return what became of the elements of *old* in *new*; both are diagrams.

    Raises:
        ET.ParseError: one is no diagram.
    """
    before, after = elements_of(old), elements_of(new)
    same = before.keys() & after.keys()
    changed = [after[each] for each in after if each in same and before[each].written != after[each].written]
    return ElementChanges(
        added=tuple(str(after[each]) for each in after if each not in before and not after[each].is_flow),
        removed=tuple(str(before[each]) for each in before if each not in after and not before[each].is_flow),
        changed=tuple(str(each) for each in changed),
    )


def _elements(scope: ET.Element, scope_id: str, messages: dict[str, str]) -> Iterator[Element]:
    for found in scope:
        kind = found.tag.removeprefix(_MODEL)
        if kind == found.tag or not (kind.endswith(_NODE_ENDINGS) or kind == "sequenceFlow"):
            continue
        yield Element(
            id=found.get("id", ""),
            kind=kind,
            name=" ".join(found.get("name", "").split()),
            parent=scope_id,
            trait=_trait(found, messages),
            attached_to=found.get("attachedToRef"),
            written=_written(found),
        )
        yield from _elements(found, found.get("id", ""), messages)


def _trait(found: ET.Element, messages: dict[str, str]) -> str:
    for tag, attribute in (
        ("taskDefinition", "type"),
        ("calledDecision", "decisionId"),
        ("calledElement", "processId"),
    ):
        extension = found.find(f"{_MODEL}extensionElements/{_ZEEBE}{tag}")
        if extension is not None:
            return extension.get(attribute, "")
    definition = next((child for child in found if child.tag.endswith("EventDefinition")), None)
    if definition is None:
        return messages.get(found.get("messageRef", ""), "")
    kind = definition.tag.removeprefix(_MODEL).removesuffix("EventDefinition")
    return f"{kind} {messages.get(definition.get('messageRef', ''), '')}".strip()


def _written(found: ET.Element) -> str:
    own = copy(found)
    own.tail = None
    for child in list(own):
        kind = child.tag.removeprefix(_MODEL)
        if kind in {"incoming", "outgoing", "sequenceFlow"} or kind.endswith(_NODE_ENDINGS):
            own.remove(child)
    return ET.canonicalize(ET.tostring(own, encoding="unicode"), strip_text=True)
