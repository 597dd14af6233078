"""What a BPMN file says about its own picture: elements with where and how they were drawn."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from waggle.domain.markup import root_of
from waggle.errors import BadSettings

_MODEL: Final = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_DI: Final = "{http://www.omg.org/spec/BPMN/20100524/DI}"
_DC: Final = "{http://www.omg.org/spec/DD/20100524/DC}"
_WAYPOINT: Final = "{http://www.omg.org/spec/DD/20100524/DI}waypoint"

_LOOPS: Final = ("multiInstanceLoopCharacteristics", "standardLoopCharacteristics")
_FEWEST_WAYPOINTS: Final = 2


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the plane, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Return the x of the right border."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Return the y of the lower border."""
        return self.y + self.height

    @property
    def center(self) -> tuple[float, float]:
        """Return the point in the middle."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything that has a place: events, tasks, gateways, sub-processes, pools, notes."""

    id: str
    kind: str
    """The BPMN element's name, for example `serviceTask`."""
    name: str
    box: Box
    label: Box | None
    definition: str
    """Kind of event, for example `timer`; empty for none."""
    is_expanded: bool
    is_event_triggered: bool
    """A sub-process that is started by an event."""
    interrupts: bool
    loop: str
    """`parallel`, `sequential`, `loop`, or empty."""
    compensates: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A flow or an association."""

    id: str
    kind: str
    name: str
    points: tuple[tuple[float, float], ...]
    label: Box | None
    is_default: bool
    is_conditional: bool
    """Has a condition and does not leave a gateway."""
    direction: str
    """Of an association: `None`, `One` or `Both`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One diagram, ready to be drawn."""

    title: str
    shapes: tuple[Shape, ...]
    """What contains others comes before them."""
    lines: tuple[Line, ...]

    def bounds(self) -> Box:
        """Return the smallest box around everything, labels included."""
        boxes = [shape.box for shape in self.shapes]
        things: list[Shape | Line] = [*self.shapes, *self.lines]
        boxes += [each.label for each in things if each.label is not None]
        boxes += [Box(x, y, 0, 0) for line in self.lines for x, y in line.points]
        left, top = min(box.x for box in boxes), min(box.y for box in boxes)
        return Box(left, top, max(box.right for box in boxes) - left, max(box.bottom for box in boxes) - top)


def read_plan(content: bytes) -> Plan:
    """Read how the diagram in *content* was drawn.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE, it is no BPMN, or nothing in it was drawn.
    """
    try:
        root = root_of(content)
    except ET.ParseError as error:
        raise BadSettings("DIAGRAM_UNREADABLE", str(error)) from error
    elements = {found.get("id", ""): found for found in root.iter() if found.tag.startswith(_MODEL)}
    shapes = sorted(_shapes(root, elements), key=_layer)
    if not shapes:
        raise BadSettings("DIAGRAM_UNREADABLE", "nothing in the file was drawn: open it in Modeler and save it")
    process = root.find(f"{_MODEL}process")
    title = process.get("name", process.get("id", "")) if process is not None else ""
    return Plan(title, tuple(shapes), tuple(_lines(root, elements)))


def _shapes(root: ET.Element, elements: Mapping[str, ET.Element]) -> Iterator[Shape]:
    for drawn in root.iter(f"{_DI}BPMNShape"):
        element, box = elements.get(drawn.get("bpmnElement", "")), _box(drawn)
        if element is None or box is None:
            continue
        kind = element.tag.removeprefix(_MODEL)
        text = element.find(f"{_MODEL}text")
        yield Shape(
            id=element.get("id", ""),
            kind=kind,
            name=(text.text or "") if text is not None and kind == "textAnnotation" else element.get("name", ""),
            box=box,
            label=_label(drawn),
            definition=_definition(element),
            is_expanded=drawn.get("isExpanded") == "true",
            is_event_triggered=element.get("triggeredByEvent") == "true",
            interrupts=element.get("cancelActivity", element.get("isInterrupting", "true")) == "true",
            loop=_loop(element),
            compensates=element.get("isForCompensation") == "true",
        )


def _lines(root: ET.Element, elements: Mapping[str, ET.Element]) -> Iterator[Line]:
    defaults = {element.get("default") for element in elements.values()}
    for drawn in root.iter(f"{_DI}BPMNEdge"):
        element = elements.get(drawn.get("bpmnElement", ""))
        points = tuple((_number(point, "x"), _number(point, "y")) for point in drawn.iter(_WAYPOINT))
        if element is None or len(points) < _FEWEST_WAYPOINTS:
            continue
        source = elements.get(element.get("sourceRef", ""))
        from_gateway = source is not None and source.tag.endswith("Gateway")
        yield Line(
            id=element.get("id", ""),
            kind=element.tag.removeprefix(_MODEL),
            name=element.get("name", ""),
            points=points,
            label=_label(drawn),
            is_default=element.get("id") in defaults,
            is_conditional=element.find(f"{_MODEL}conditionExpression") is not None and not from_gateway,
            direction=element.get("associationDirection", "None"),
        )


def _layer(shape: Shape) -> tuple[int, float]:
    """Order containers by size, the largest first; then what lies in them; then what sits on a border."""
    if shape.kind == "boundaryEvent":
        return 2, 0.0
    contains = shape.kind in {"participant", "lane", "group"} or shape.is_expanded
    return (0, -shape.box.width * shape.box.height) if contains else (1, 0.0)


def _definition(element: ET.Element) -> str:
    found = [child.tag.removeprefix(_MODEL) for child in element if child.tag.endswith("EventDefinition")]
    if len(found) > 1:
        return "parallelMultiple" if element.get("parallelMultiple") == "true" else "multiple"
    return found[0].removesuffix("EventDefinition") if found else ""


def _loop(element: ET.Element) -> str:
    for name in _LOOPS:
        found = element.find(f"{_MODEL}{name}")
        if found is not None:
            many = "sequential" if found.get("isSequential") == "true" else "parallel"
            return many if name == _LOOPS[0] else "loop"
    return ""


def _box(drawn: ET.Element) -> Box | None:
    found = drawn.find(f"{_DC}Bounds")
    return Box(*(_number(found, name) for name in ("x", "y", "width", "height"))) if found is not None else None


def _label(drawn: ET.Element) -> Box | None:
    found = drawn.find(f"{_DI}BPMNLabel")
    return _box(found) if found is not None else None


def _number(element: ET.Element, name: str) -> float:
    try:
        return float(element.get(name, "0"))
    except ValueError:
        raise BadSettings("DIAGRAM_UNREADABLE", f'{name}="{element.get(name)}" is no number') from None
