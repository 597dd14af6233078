"""What a diagram is to hold, read from a short TOML file; the form is described in draw.py."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

PROCESS: Final = "process"

_BY_KEY: Final = {
    "on": "boundaryEvent",
    "task": "serviceTask",
    "decision": "businessRuleTask",
    "call": "callActivity",
    "form": "userTask",
    "script": "scriptTask",
}
_BY_KIND: Final = {
    "xor": "exclusiveGateway",
    "parallel": "parallelGateway",
    "await": "eventBasedGateway",
    "start": "startEvent",
    "catch": "intermediateCatchEvent",
    "throw": "intermediateThrowEvent",
    "end": "endEvent",
    "subprocess": "subProcess",
    "event-subprocess": "subProcess",
}
_EXIT_INPUTS: Final = ("enrolment_id", "outcome", "outcome_reason")


class SpecError(ValueError):
    """The spec cannot be drawn; the text says which line is wrong."""


@dataclass(frozen=True, slots=True)
class Element:
    """One event, task, gateway or sub-process; `said` are its other keys as written."""

    id: str
    tag: str
    name: str
    scope: str
    """Id of the sub-process around it, or `process`."""
    at: tuple[float, float] | None
    """(column, row); None for what stands where something else does, and for event sub-processes."""
    said: Mapping[str, Any]

    @property
    def stem(self) -> str:
        """The id without its kind."""
        return self.id.partition("_")[2] or self.id

    @property
    def host(self) -> str | None:
        """For a boundary event: the activity that it sits on."""
        return self.said.get("on")

    @property
    def follows(self) -> str | None:
        """The element right behind which it stands, whatever the columns are."""
        return self.said.get("after")

    @property
    def listens(self) -> bool:
        """Whether it is an event sub-process."""
        return self.said.get("kind") == "event-subprocess"

    @property
    def is_gateway(self) -> bool:
        """Whether it is drawn as a diamond."""
        return self.tag.endswith("Gateway")

    @property
    def is_event(self) -> bool:
        """Whether it is drawn as a circle."""
        return self.tag.endswith("Event")


@dataclass(frozen=True, slots=True)
class Flow:
    """One arrow; `tie` for the dotted line to a compensation handler, which has no direction in time."""

    id: str
    source: str
    target: str
    name: str = ""
    condition: str | None = None
    default: bool = False
    route: str = ""
    tie: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """One process with all its levels."""

    id: str
    name: str
    version: str
    documentation: str
    elements: Mapping[str, Element]
    flows: tuple[Flow, ...]

    def children(self, scope: str) -> list[Element]:
        """Return the elements directly within *scope*, in the order written."""
        return [element for element in self.elements.values() if element.scope == scope]

    def flows_in(self, scope: str) -> list[Flow]:
        """Return the flows that begin directly within *scope*."""
        return [flow for flow in self.flows if self.elements[flow.source].scope == scope]


def read_spec(file: Path) -> Spec:
    """Read *file*.

    Raises:
        SpecError: a flow names an element that is not there, an element has no kind or place, an id is there twice.
    """
    said = tomllib.loads(file.read_text(encoding="utf-8"))
    elements: dict[str, Element] = {}
    written = [*said.pop("flows", [])]
    for scope, inside in said.pop("in", {}).items():
        for element_id, keys in inside.items():
            _add(elements, _element(element_id, scope, keys))
    for way_out in said.pop("exits", []):
        more, flow = _exit(way_out)
        for element in more:
            _add(elements, element)
        written.append(flow)
    flows = [flow for line in written for flow in _flows(line)]
    _check(elements, flows)
    missing = {"id", "name", "documentation"} - set(said)
    if missing:
        raise SpecError(f"the spec does not say: {', '.join(sorted(missing))}")
    return Spec(
        id=said["id"],
        name=said["name"],
        version=said.get("version", "1.0.0"),
        documentation=said["documentation"].strip(),
        elements=elements,
        flows=tuple(flows),
    )


def _check(elements: Mapping[str, Element], flows: list[Flow]) -> None:
    for flow in flows:
        for end in (flow.source, flow.target):
            if end not in elements:
                raise SpecError(f"{flow.id}: there is no element {end}")
    for element in elements.values():
        for named in (element.scope, element.host, element.follows):
            if named not in (None, PROCESS) and named not in elements:
                raise SpecError(f"{element.id}: there is no element {named}")


def _add(elements: dict[str, Element], element: Element) -> None:
    if element.id in elements:
        raise SpecError(f"{element.id} is there twice")
    elements[element.id] = element


def _element(element_id: str, scope: str, keys: dict[str, Any]) -> Element:
    tag = next((tag for key, tag in _BY_KEY.items() if key in keys), None) or _BY_KIND.get(keys.get("kind", ""))
    if tag is None:
        raise SpecError(f"{element_id}: what is it? say task, decision, call, form, script, on or kind")
    at = keys.get("at")
    if at is None and not {"on", "after"} & set(keys) and keys.get("kind") != "event-subprocess":
        raise SpecError(f"{element_id}: where is it? say at = [column, row], or after = an element")
    return Element(element_id, tag, keys.get("name", ""), scope, (at[0], at[1]) if at is not None else None, keys)


def _exit(said: dict[str, Any]) -> tuple[list[Element], str]:
    """Return an event sub-process that records an outcome and ends, and its flow."""
    stem = said.get("id") or pascal(said["message"])
    around, start, task = f"SubProcess_{stem}", f"Event_{stem}", f"Task_Record{stem}"
    end = f"Event_{said.get('end_id') or 'EndedBy' + stem}"
    values = {"enrolment_id": "=", "outcome": said["outcome"], "outcome_reason": said.get("reason")}
    inputs = {name: values[name] for name in _EXIT_INPUTS if values[name] is not None}
    record = {"task": "record-outcome", "at": [1, 0], "in": inputs, "out": ["outcome_recorded"]}
    elements = [
        _element(around, PROCESS, {"kind": "event-subprocess", "name": said["name"]}),
        _element(start, around, {"kind": "start", "message": said["message"], "name": said["name"], "at": [0, 0]}),
        _element(task, around, {**record, "name": said["record"]}),
        _element(end, around, {"kind": "end", "name": said["end"], "at": [2, 0]}),
    ]
    return elements, f"{start} -> {task} -> {end}"


def _flows(line: str) -> list[Flow]:
    way, *more = (part.strip() for part in line.split("|"))
    name, condition, route, own_id = (*more, "", "", "", "")[:4]
    tie = "..>" in way
    stops = [stop.strip() for stop in re.split(r"\.\.>|->", way)]
    found = []
    for source, target in pairwise(stops):
        flow_id = own_id or f"{'Association' if tie else 'Flow'}_{_stem(source)}To{_stem(target)}"
        default = condition == "default"
        found.append(
            Flow(flow_id, source, target, name, None if default or not condition else condition, default, route, tie)
        )
    return found


def _stem(element_id: str) -> str:
    return element_id.partition("_")[2] or element_id


def pascal(words: str) -> str:
    """Return `OrderPlaced` for `order-placed` and `CouponBudgetExhausted` for `COUPON_BUDGET_EXHAUSTED`."""
    return "".join(word[:1].upper() + word[1:].lower() for word in re.split(r"[-_\s]+", words))
