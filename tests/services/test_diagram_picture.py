"""Pictures of diagrams: everything that was drawn is in them, where it was drawn."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from waggle.errors import BadSettings
from waggle.resources import shipped
from waggle.services.diagram_picture import Mark, draw
from waggle.services.diagrams import read_diagram
from waggle.services.drawing.plan import read_plan
from waggle.services.drawing.shapes import is_named_outside
from waggle.services.drawing.texts import width_px, wrapped

FILES = sorted(shipped("bpmn").glob("*/*.bpmn"))
CART = shipped("bpmn") / "journeys" / "abandoned-cart.bpmn"
SVG = "{http://www.w3.org/2000/svg}"

FRAME = """<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC"
 xmlns:di="http://www.omg.org/spec/DD/20100524/DI">
<bpmn:process id="p" name="A &lt;small&gt; one">{elements}</bpmn:process>
<bpmndi:BPMNDiagram><bpmndi:BPMNPlane bpmnElement="p">{drawn}</bpmndi:BPMNPlane></bpmndi:BPMNDiagram>
</bpmn:definitions>"""
KINDS = [
    *("task", "serviceTask", "userTask", "sendTask", "receiveTask", "businessRuleTask", "scriptTask", "manualTask"),
    *("callActivity", "subProcess", "transaction", "textAnnotation", "group", "dataObjectReference"),
    *("dataStoreReference", "participant", "exclusiveGateway", "parallelGateway", "inclusiveGateway"),
    *("eventBasedGateway", "complexGateway", "startEvent", "endEvent", "intermediateCatchEvent"),
    *("intermediateThrowEvent", "boundaryEvent"),
]
DEFINITIONS = ["message", "timer", "error", "signal", "escalation", "compensate", "link", "cancel", "terminate"]


def shape(kind: str, inner: str = "", name: str = "A name", attributes: str = "", expanded: str = "") -> bytes:
    drawn = (
        f'<bpmndi:BPMNShape bpmnElement="x" {expanded}><dc:Bounds x="10" y="20" width="100" height="80"/>'
        "</bpmndi:BPMNShape>"
    )
    element = f'<bpmn:{kind} id="x" name="{name}" {attributes}>{inner}</bpmn:{kind}>'
    return FRAME.format(elements=element, drawn=drawn).encode()


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 -- our own


def texts(svg: str) -> str:
    return " ".join("".join(span.itertext()) for span in parsed(svg).iter(f"{SVG}tspan"))


def element(svg: str, element_id: str) -> ET.Element:
    [found] = [group for group in parsed(svg).iter(f"{SVG}g") if group.get("data-element-id") == element_id]
    return found


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_every_node_and_flow_of_a_shipped_diagram_is_in_its_picture(file: Path) -> None:
    diagram = read_diagram(file)

    drawn = {group.get("data-element-id") for group in parsed(draw(file.read_bytes())).iter(f"{SVG}g")}

    assert {*diagram.nodes, *diagram.flows} <= drawn


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_every_name_of_a_shipped_diagram_stands_in_its_picture(file: Path) -> None:
    diagram = read_diagram(file)

    # A word that is too long for its shape is broken.
    said = texts(draw(file.read_bytes())).replace(" ", "")

    for node in diagram.nodes.values():
        assert node.name.replace(" ", "") in said


def test_the_picture_holds_all_that_was_drawn() -> None:
    plan = read_plan(CART.read_bytes())
    root = parsed(draw(CART.read_bytes()))

    left, top, width, height = (float(each) for each in root.get("viewBox", "").split())
    for each in plan.shapes:
        assert left < each.box.x
        assert top < each.box.y
        assert each.box.right < left + width
        assert each.box.bottom < top + height


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_element_can_be_drawn(kind: str) -> None:
    inner = "<bpmn:text>A name</bpmn:text>" if kind == "textAnnotation" else ""

    svg = draw(shape(kind, inner))

    assert len(list(element(svg, "x"))) > 1
    assert kind == "group" or "A name" in svg


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_each_kind_of_event_has_a_sign_of_its_own(definition: str) -> None:
    without = element(draw(shape("intermediateCatchEvent")), "x")
    signed = element(draw(shape("intermediateCatchEvent", f"<bpmn:{definition}EventDefinition/>")), "x")

    assert len(list(signed.iter())) > len(list(without.iter()))


def test_an_event_sub_process_is_dotted_and_a_call_activity_thick() -> None:
    dotted = element(draw(shape("subProcess", attributes='triggeredByEvent="true"', expanded='isExpanded="true"')), "x")
    thick = element(draw(shape("callActivity")), "x")

    assert dotted[1].get("stroke-dasharray")
    assert float(thick[1].get("stroke-width", "0")) > 4


def test_a_boundary_event_that_does_not_interrupt_is_dashed() -> None:
    timer = "<bpmn:timerEventDefinition/>"
    calm = element(draw(shape("boundaryEvent", timer, attributes='cancelActivity="false"')), "x")
    strict = element(draw(shape("boundaryEvent", timer)), "x")

    assert calm[1].get("stroke-dasharray")
    assert not strict[1].get("stroke-dasharray")


def test_the_default_flow_has_a_slash_and_the_others_have_none() -> None:
    svg = draw(CART.read_bytes())

    default = element(svg, "Flow_StillOpenToEnrolmentAlreadyEnded")
    other = element(svg, "Flow_StillOpenToFindOutWhetherToWrite")
    assert len(list(default.iter(f"{SVG}path"))) == len(list(other.iter(f"{SVG}path"))) + 1


def test_a_mark_changes_colour_and_line_and_is_explained() -> None:
    plain = draw(CART.read_bytes())
    marked = draw(CART.read_bytes(), {"Task_ReadCart": Mark.TAKEN, "Task_SendReminder": Mark.REMOVED})

    before, taken = element(plain, "Task_ReadCart")[1], element(marked, "Task_ReadCart")[1]
    removed = element(marked, "Task_SendReminder")[1]
    assert before.get("stroke") != taken.get("stroke")
    assert before.get("stroke-width") != taken.get("stroke-width")
    assert removed.get("stroke-dasharray")
    legend = {"".join(text.itertext()) for text in parsed(marked).iter(f"{SVG}text")}
    assert {"taken", "removed"} <= legend
    assert "changed" not in legend


def test_a_name_cannot_write_into_the_page() -> None:
    svg = draw(shape("task", name="&lt;script&gt;alert(1)&lt;/script&gt; &amp; more"))

    assert "<script" not in svg
    assert "& more" in texts(svg)


def test_what_was_never_drawn_is_refused() -> None:
    with pytest.raises(BadSettings, match="nothing in the file was drawn"):
        draw(FRAME.format(elements='<bpmn:task id="x"/>', drawn="").encode())


@pytest.mark.parametrize("content", [b"", b"<a", b"<!DOCTYPE a><a/>"])
def test_what_is_no_diagram_is_refused(content: bytes) -> None:
    with pytest.raises(BadSettings, match="DIAGRAM_UNREADABLE"):
        draw(content)


def test_lines_are_broken_between_words_and_words_only_if_they_are_too_long() -> None:
    assert wrapped("Send the reminder mail", 80, 12) == ["Send the", "reminder mail"]
    assert wrapped("self-explanatory", 40, 12) == ["self-", "explan", "atory"]
    for line in wrapped("A" * 50, 40, 12):
        assert width_px(line, 12) <= 40


def test_names_of_events_and_gateways_stand_outside_them() -> None:
    outside = {each.kind for each in read_plan(CART.read_bytes()).shapes if is_named_outside(each)}

    assert outside == {
        "startEvent",
        "endEvent",
        "intermediateCatchEvent",
        "boundaryEvent",
        "exclusiveGateway",
        "eventBasedGateway",
    }
