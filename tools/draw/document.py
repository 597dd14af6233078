"""A drawing as a BPMN 2.0 file for Camunda 8, as Modeler itself would save it."""

from typing import Any, Final
from xml.etree import ElementTree as ET

from tools.draw.layout import Drawing
from tools.draw.shapes import Box
from tools.draw.spec import PROCESS, Element, Flow, Spec, pascal

_SPACES: Final = {
    "bpmn": "http://www.omg.org/spec/BPMN/20100524/MODEL",
    "bpmndi": "http://www.omg.org/spec/BPMN/20100524/DI",
    "dc": "http://www.omg.org/spec/DD/20100524/DC",
    "di": "http://www.omg.org/spec/DD/20100524/DI",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "zeebe": "http://camunda.org/schema/zeebe/1.0",
    "modeler": "http://camunda.org/schema/modeler/1.0",
}
_ENGINE: Final = "8.6.0"
_CORRELATION_KEY: Final = "=enrolment_id"
_TIMERS: Final = {"date": "timeDate", "duration": "timeDuration", "cycle": "timeCycle"}
_ORIGIN: Final = (160, 80)


def write_document(spec: Spec, drawing: Drawing) -> bytes:
    """Return the file's content."""
    for prefix, uri in _SPACES.items():
        ET.register_namespace(prefix, uri)
    stem = pascal(spec.id)
    root = ET.Element(
        _name("bpmn:definitions"),
        {
            "id": f"Definitions_{stem}",
            "targetNamespace": "http://bpmn.io/schema/bpmn",
            _name("modeler:executionPlatform"): "Camunda Cloud",
            _name("modeler:executionPlatformVersion"): _ENGINE,
        },
    )
    process = _add(root, "bpmn:process", id=spec.id, name=spec.name, isExecutable="true")
    _add(process, "bpmn:documentation").text = spec.documentation
    _add(_add(process, "bpmn:extensionElements"), "zeebe:versionTag", value=spec.version)
    _write_level(process, spec, PROCESS)
    _write_declarations(root, spec)
    plane = _add(_add(root, "bpmndi:BPMNDiagram", id=f"BPMNDiagram_{stem}"), "bpmndi:BPMNPlane")
    plane.set("id", f"BPMNPlane_{stem}")
    plane.set("bpmnElement", spec.id)
    _write_shapes(plane, spec, drawing)
    ET.indent(root)
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'
    return content.encode()


def _write_level(parent: ET.Element, spec: Spec, scope: str) -> None:
    flows = spec.flows_in(scope)
    for element in spec.children(scope):
        _write_element(parent, spec, element, [flow for flow in flows if not flow.tie])
    for flow in flows:
        if not flow.tie:
            _write_flow(parent, flow)
    for flow in flows:
        if flow.tie:
            tie = _add(parent, "bpmn:association", id=flow.id, associationDirection="One")
            tie.set("sourceRef", flow.source)
            tie.set("targetRef", flow.target)
    for element in spec.children(scope):
        if "note" in element.said:
            note = _add(parent, "bpmn:textAnnotation", id=f"TextAnnotation_{element.stem}")
            _add(note, "bpmn:text").text = element.said["note"]
            tie = _add(parent, "bpmn:association", id=f"Association_{element.stem}Note")
            tie.set("sourceRef", element.id)
            tie.set("targetRef", f"TextAnnotation_{element.stem}")


def _write_element(parent: ET.Element, spec: Spec, element: Element, flows: list[Flow]) -> None:
    written = _add(parent, f"bpmn:{element.tag}", id=element.id)
    for name, value in _attributes(element, flows).items():
        if value:
            written.set(name, value)
    if "documentation" in element.said:
        _add(written, "bpmn:documentation").text = element.said["documentation"]
    _write_extensions(written, element)
    for tag, flow_ids in (
        ("bpmn:incoming", [flow.id for flow in flows if flow.target == element.id]),
        ("bpmn:outgoing", [flow.id for flow in flows if flow.source == element.id]),
    ):
        for flow_id in flow_ids:
            _add(written, tag).text = flow_id
    if element.is_event:
        _write_definition(written, element)
    if "each" in element.said:
        _write_multi_instance(written, element)
    if element.tag == "subProcess":
        _write_level(written, spec, element.id)


def _attributes(element: Element, flows: list[Flow]) -> dict[str, str | None]:
    goes_on_beside = element.said.get("interrupting") is False
    return {
        "name": element.name,
        "attachedToRef": element.host,
        "cancelActivity": "false" if element.host and goes_on_beside else None,
        "isInterrupting": "false" if element.tag == "startEvent" and goes_on_beside else None,
        "triggeredByEvent": "true" if element.listens else None,
        "isForCompensation": "true" if element.said.get("compensates") else None,
        "default": next((flow.id for flow in flows if flow.source == element.id and flow.default), None),
    }


def _write_extensions(written: ET.Element, element: Element) -> None:
    said = element.said
    extensions = ET.Element(_name("bpmn:extensionElements"))
    match element.tag:
        case "serviceTask":
            _add(extensions, "zeebe:taskDefinition", type=said["task"], retries=str(said.get("retries", 5)))
        case "businessRuleTask":
            decision = _add(extensions, "zeebe:calledDecision", decisionId=said["decision"])
            decision.set("resultVariable", said["result"])
            decision.set("bindingType", "deployment")
        case "callActivity":
            called = _add(extensions, "zeebe:calledElement", processId=said["call"])
            called.set("propagateAllChildVariables", "false")
            called.set("propagateAllParentVariables", "false")
            called.set("bindingType", "deployment")
        case "userTask":
            _add(extensions, "zeebe:formDefinition", formId=said["form"], bindingType="deployment")
            if "groups" in said:
                _add(extensions, "zeebe:assignmentDefinition", candidateGroups=said["groups"])
        case "scriptTask":
            _add(extensions, "zeebe:script", expression=said["script"], resultVariable=said["result"])
        case _:
            pass
    _write_mappings(extensions, said)
    if "headers" in said:
        headers = _add(extensions, "zeebe:taskHeaders")
        for key, value in said["headers"].items():
            _add(headers, "zeebe:header", key=key, value=str(value))
    if len(extensions):
        written.append(extensions)


def _write_mappings(extensions: ET.Element, said: Any) -> None:  # noqa: ANN401 -- keys as written in TOML
    taken, given = said.get("in", {}), said.get("out", {})
    if not taken and not given:
        return
    mappings = _add(extensions, "zeebe:ioMapping")
    for kind, pairs in (("input", taken), ("output", given)):
        named = dict.fromkeys(pairs, "=") if isinstance(pairs, list) else pairs
        for target, source in named.items():
            _add(mappings, f"zeebe:{kind}", source=f"={target}" if source == "=" else source, target=target)


def _write_definition(written: ET.Element, element: Element) -> None:
    said = element.said

    def definition(kind: str) -> ET.Element:
        return _add(
            written, f"bpmn:{kind}EventDefinition", id=f"{kind[0].upper()}{kind[1:]}EventDefinition_{element.stem}"
        )

    for kind in ("message", "error", "signal"):
        if kind in said:
            definition(kind).set(f"{kind}Ref", f"{kind.capitalize()}_{pascal(said[kind])}")
    if said.get("terminate"):
        definition("terminate")
    elif said.get("compensation"):
        definition("compensate")
    elif "compensate" in said:
        thrown = definition("compensate")
        if isinstance(said["compensate"], str):
            thrown.set("activityRef", said["compensate"])
    for key, tag in _TIMERS.items():
        if key in said:
            expression = _add(definition("timer"), f"bpmn:{tag}")
            expression.set(_name("xsi:type"), "bpmn:tFormalExpression")
            expression.text = said[key]


def _write_multi_instance(written: ET.Element, element: Element) -> None:
    said = element.said
    loop = _add(written, "bpmn:multiInstanceLoopCharacteristics")
    if said.get("sequential"):
        loop.set("isSequential", "true")
    characteristics = _add(_add(loop, "bpmn:extensionElements"), "zeebe:loopCharacteristics")
    characteristics.set("inputCollection", said["each"])
    for key, attribute in (("item", "inputElement"), ("into", "outputCollection"), ("collect", "outputElement")):
        if key in said:
            characteristics.set(attribute, said[key])


def _write_flow(parent: ET.Element, flow: Flow) -> None:
    written = _add(parent, "bpmn:sequenceFlow", id=flow.id)
    if flow.name:
        written.set("name", flow.name)
    written.set("sourceRef", flow.source)
    written.set("targetRef", flow.target)
    if flow.condition is not None:
        condition = _add(written, "bpmn:conditionExpression")
        condition.set(_name("xsi:type"), "bpmn:tFormalExpression")
        condition.text = flow.condition


def _write_declarations(root: ET.Element, spec: Spec) -> None:
    """Declare each message, error and signal once; only what starts the process needs no key."""
    awaited: dict[str, bool] = {}
    for element in spec.elements.values():
        if "message" in element.said:
            starts = element.tag == "startEvent" and element.scope == PROCESS
            name = element.said["message"]
            awaited[name] = awaited.get(name, False) or not starts
    for name, keyed in awaited.items():
        message = _add(root, "bpmn:message", id=f"Message_{pascal(name)}", name=name)
        if keyed:
            extensions = _add(message, "bpmn:extensionElements")
            _add(extensions, "zeebe:subscription", correlationKey=_CORRELATION_KEY)
    for code in dict.fromkeys(e.said["error"] for e in spec.elements.values() if "error" in e.said):
        _add(root, "bpmn:error", id=f"Error_{pascal(code)}", name=code, errorCode=code)
    for name in dict.fromkeys(e.said["signal"] for e in spec.elements.values() if "signal" in e.said):
        _add(root, "bpmn:signal", id=f"Signal_{pascal(name)}", name=name)


def _write_shapes(plane: ET.Element, spec: Spec, drawing: Drawing) -> None:
    bounds = drawing.bounds()
    x, y = _ORIGIN[0] - bounds.x, _ORIGIN[1] - bounds.y
    # What lies on top is drawn last: the content of a sub-process after it, an event after the task that it sits on.
    for element in sorted(spec.elements.values(), key=lambda each: (_depth(spec, each), each.host is not None)):
        shape = _add(plane, "bpmndi:BPMNShape", id=f"{element.id}_di", bpmnElement=element.id)
        if element.tag == "subProcess":
            shape.set("isExpanded", "true")
        if element.tag == "exclusiveGateway":
            shape.set("isMarkerVisible", "true")
        _write_bounds(shape, drawing.boxes[element.id].moved(x, y))
        _write_label(shape, drawing.labels.get(element.id), x, y)
    for flow in spec.flows:
        edge = _add(plane, "bpmndi:BPMNEdge", id=f"{flow.id}_di", bpmnElement=flow.id)
        for a, b in drawing.lines[flow.id]:
            _add(edge, "di:waypoint", x=_number(a + x), y=_number(b + y))
        _write_label(edge, drawing.labels.get(flow.id), x, y)
    for element_id, box in drawing.notes.items():
        stem, host = spec.elements[element_id].stem, drawing.boxes[element_id].moved(x, y)
        shape = _add(plane, "bpmndi:BPMNShape", id=f"TextAnnotation_{stem}_di", bpmnElement=f"TextAnnotation_{stem}")
        _write_bounds(shape, box.moved(x, y))
        edge = _add(plane, "bpmndi:BPMNEdge", id=f"Association_{stem}Note_di", bpmnElement=f"Association_{stem}Note")
        _add(edge, "di:waypoint", x=_number(host.centre), y=_number(host.y))
        _add(edge, "di:waypoint", x=_number(box.x + x), y=_number(box.bottom + y))


def _depth(spec: Spec, element: Element) -> int:
    return 0 if element.scope == PROCESS else 1 + _depth(spec, spec.elements[element.scope])


def _write_label(shape: ET.Element, box: Box | None, x: float, y: float) -> None:
    if box is not None:
        _write_bounds(_add(shape, "bpmndi:BPMNLabel"), box.moved(x, y))


def _write_bounds(parent: ET.Element, box: Box) -> None:
    sides = {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
    _add(parent, "dc:Bounds", **{side: _number(value) for side, value in sides.items()})


def _number(value: float) -> str:
    return str(round(value))


def _add(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    return ET.SubElement(parent, _name(tag), attributes)


def _name(tag: str) -> str:
    prefix, _, local = tag.partition(":")
    return f"{{{_SPACES[prefix]}}}{local}"
