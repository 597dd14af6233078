"""Tie elements that were drawn without a ready-made step to the one that says the same: Modeler then shows its fields.

Only attributes are added (the step, its version and its picture), and only where the step says all that the element
says: what Modeler then hides, it would not show.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from waggle.services.diagrams import parse_xml

Json = dict[str, Any]

_MODEL: Final = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_ZEEBE: Final = "{http://camunda.org/schema/zeebe/1.0}"
_EXTENSIONS: Final = ("taskDefinition", "calledElement", "calledDecision")
_TIMER: Final = "bpmn:TimerEventDefinition#property"
_TIMERS: Final = ("timeDate", "timeDuration", "timeCycle")


@dataclass(frozen=True, slots=True)
class Link:
    """One element and the step that it will be tied to."""

    element: str
    template: str
    version: int
    icon: str
    """Picture of the step as a data URI, or nothing."""


def links(file: Path, templates: Iterable[Json]) -> list[Link]:
    """Return what can be tied in one diagram.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE.
    """
    root, known = parse_xml(file), list(templates)
    messages = {found.get("id", ""): found for found in root.iter(f"{_MODEL}message")}
    found: list[Link] = []
    for element in root.iter():
        if not element.tag.startswith(_MODEL) or element.get(f"{_ZEEBE}modelerTemplate"):
            continue
        said = dict(_said(element, messages))
        fitting = next(
            (each for each in known if said and _kind(element) == _wanted(each) and _covers(each, said)), None
        )
        if fitting is not None:
            icon = fitting.get("icon", {}).get("contents", "")
            found.append(Link(element.get("id", ""), fitting["id"], fitting["version"], icon))
    return found


def tied(text: str, wanted: Iterable[Link]) -> str:
    """Return a diagram's text with the attributes added; everything else stays as it is, byte for byte."""
    for link in wanted:
        attributes = f' zeebe:modelerTemplate="{link.template}" zeebe:modelerTemplateVersion="{link.version}"'
        if link.icon:
            attributes += f" zeebe:modelerTemplateIcon={quoteattr(link.icon)}"
        opening = re.compile(rf'(<bpmn:\w+ [^<>]*?\bid="{re.escape(link.element)}")')
        text = opening.sub(r"\g<1>" + attributes.replace("\\", r"\\"), text, count=1)
    return text


def _kind(element: ET.Element) -> tuple[str, str]:
    definition = next(
        (child.tag.removeprefix(_MODEL) for child in element if child.tag.endswith("EventDefinition")), ""
    )
    return element.tag.removeprefix(_MODEL).lower(), definition.lower()


def _wanted(template: Json) -> tuple[str, str]:
    kind = template["elementType"]
    event = kind.get("eventDefinition", "")
    return kind["value"].removeprefix("bpmn:").lower(), event.removeprefix("bpmn:").lower()


def _covers(template: Json, said: Mapping[str, str]) -> bool:
    """Say whether *template* has a field for everything that is said, and what it fixes is said so."""
    fields = {_key(each["binding"]): each for each in template["properties"]}
    if not set(said) <= set(fields):
        return False
    return all(
        field.get("optional", False) if key not in said else _fits(field, said[key]) for key, field in fields.items()
    )


def _fits(field: Json, value: str) -> bool:
    if field["type"] == "Hidden":
        return value == _text(field["value"])
    return field["type"] != "Dropdown" or value in {choice["value"] for choice in field["choices"]}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _key(binding: Mapping[str, str]) -> str:
    """Return what a field is bound to, as `_said` names it."""
    kind = binding["type"].removeprefix("zeebe:")
    return f"{kind}:{binding.get('name') or binding.get('key') or binding.get('source') or binding.get('property')}"


def _said(element: ET.Element, messages: Mapping[str, ET.Element]) -> Iterator[tuple[str, str]]:
    """Yield what an element says by what a field would be bound to."""
    extensions = element.find(f"{_MODEL}extensionElements")
    for child in extensions if extensions is not None else ():
        name = child.tag.removeprefix(_ZEEBE)
        if name in _EXTENSIONS:
            yield from ((f"{name}:{key}", value) for key, value in child.attrib.items())
        elif name in ("ioMapping", "taskHeaders"):
            yield from map(_mapped, child)
        elif name != "subscription":
            yield f"{name}:", ""
    for definition in element:
        if definition.tag == f"{_MODEL}messageEventDefinition" and definition.get("messageRef") in messages:
            yield from _named(messages[definition.get("messageRef", "")])
        elif definition.tag == f"{_MODEL}timerEventDefinition":
            timers = ((timer, definition.find(f"{_MODEL}{timer}")) for timer in _TIMERS)
            yield from (
                (f"{_TIMER}:{timer}", (found.text or "").strip()) for timer, found in timers if found is not None
            )


def _named(message: ET.Element) -> Iterator[tuple[str, str]]:
    yield "bpmn:Message#property:name", message.get("name", "")
    for key in message.iter(f"{_ZEEBE}subscription"):
        yield "bpmn:Message#zeebe:subscription#property:correlationKey", key.get("correlationKey", "")


def _mapped(child: ET.Element) -> tuple[str, str]:
    name = child.tag.removeprefix(_ZEEBE)
    if name == "output":
        return f"output:{child.get('source', '')}", child.get("target", "")
    if name == "input":
        return f"input:{child.get('target', '')}", child.get("source", "")
    return f"taskHeader:{child.get('key', '')}", child.get("value", "")
