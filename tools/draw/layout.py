"""Where everything stands: a grid of columns and rows per level, sub-processes as large as what they hold."""

import math
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Final

from tools.draw.labels import place_labels
from tools.draw.routes import route
from tools.draw.shapes import Box, Point, box_around, hull, segments, text_size
from tools.draw.spec import PROCESS, Element, Flow, Spec

_EVENT_PX: Final = 36
_GATEWAY_PX: Final = 50
_TASK_PX: Final = (100, 80)
_COLUMN_GAP_PX: Final = 50
_ROW_GAP_PX: Final = 34
_PADDING_PX: Final = 34
_TITLE_PX: Final = 34
_LISTENER_GAP_PX: Final = 36
_NOTE_PX: Final = (150, 44)
_PLACES: Final = {"bottom-right": 0.7, "bottom": 0.5, "bottom-left": 0.3, "top-right": 0.7, "top-left": 0.3, "top": 0.5}


@dataclass
class Drawing:
    """One level with everything below it; `labels` and `notes` by the id of what they belong to."""

    boxes: dict[str, Box] = field(default_factory=dict)
    lines: dict[str, list[Point]] = field(default_factory=dict)
    labels: dict[str, Box] = field(default_factory=dict)
    notes: dict[str, Box] = field(default_factory=dict)
    row: float = 0.0
    """Y of row 0."""

    def bounds(self) -> Box:
        """Return the room that all of it takes."""
        lines = [piece for points in self.lines.values() for piece in segments(points)]
        return hull([*self.boxes.values(), *self.labels.values(), *self.notes.values(), *lines])

    def take(self, other: "Drawing", x: float, y: float) -> None:
        """Add *other*, moved by (*x*, *y*)."""
        self.boxes |= {key: box.moved(x, y) for key, box in other.boxes.items()}
        self.labels |= {key: box.moved(x, y) for key, box in other.labels.items()}
        self.notes |= {key: box.moved(x, y) for key, box in other.notes.items()}
        self.lines |= {key: [(a + x, b + y) for a, b in points] for key, points in other.lines.items()}


def lay_out(spec: Spec, scope: str = PROCESS) -> Drawing:
    """Place one level of *spec* and all below it."""
    children = spec.children(scope)
    inner = {child.id: lay_out(spec, child.id) for child in children if child.tag == "subProcess"}
    flows = spec.flows_in(scope)
    drawing = Drawing()
    placed = [child for child in children if child.at is not None]
    columns = _columns(spec, placed, flows, inner)
    rows = _rows(
        spec,
        [*placed, *(child for child in children if child.follows)],
        inner,
        [child for child in children if child.host],
    )
    for child in placed:
        column, line = child.at or (0, 0)
        box = _box(child, inner.get(child.id), _between(columns, column), _between(rows, line))
        drawing.boxes[child.id] = box.moved(columns[0] - 18 - box.x, 0) if child.said.get("at_margin") else box
    for child in children:
        if child.follows is not None:
            drawing.boxes[child.id] = _behind(drawing.boxes[child.follows], child, inner.get(child.id))
        elif child.host:
            drawing.boxes[child.id] = _on_the_edge(drawing.boxes[child.host], child.said.get("place", "bottom-right"))
    for flow in flows:
        drawing.lines[flow.id] = route(flow, spec.elements, drawing.boxes)
    for child in placed:
        if "note" in child.said:
            box = drawing.boxes[child.id]
            drawing.notes[child.id] = Box(box.centre + 20, box.y - 30 - _NOTE_PX[1], *_NOTE_PX, box.y)
    drawing.labels = place_labels([child for child in children if not child.listens], flows, drawing)
    for child_id, content in inner.items():
        if spec.elements[child_id].at is not None:
            _put_inside(drawing, child_id, content)
    drawing.row = rows.get(0, 0.0)
    _add_listeners(drawing, [child for child in children if child.listens], inner)
    return drawing


def _columns(spec: Spec, placed: list[Element], flows: list[Flow], inner: dict[str, Drawing]) -> dict[int, float]:
    """Return the x of each column's centre; a column is as wide as its widest element, a gap as its widest label."""
    widths: dict[int, float] = defaultdict(float)
    gaps: dict[int, float] = defaultdict(lambda: float(_COLUMN_GAP_PX))
    for element in placed:
        column = (element.at or (0, 0))[0]
        if column == int(column) and not element.said.get("at_margin"):
            widths[int(column)] = max(widths[int(column)], _size(element, inner.get(element.id))[0], _room(element))
    for flow in flows:
        here, there = spec.elements[flow.source].at, spec.elements[flow.target].at
        if flow.name and here and there and here[1] == there[1] and there[0] > here[0]:
            column = math.floor(here[0])
            gaps[column] = max(gaps[column], text_size(flow.name)[0] + (46 if flow.default else 38))
    return _centres(widths, gaps)


def _room(element: Element) -> float:
    """Return the width that keeps the label of an event or gateway off its neighbours'."""
    return text_size(element.name)[0] - 36 if element.is_event or element.is_gateway else 0.0


def _rows(spec: Spec, placed: list[Element], inner: dict[str, Drawing], on_the_edge: list[Element]) -> dict[int, float]:
    above: dict[int, float] = defaultdict(float)
    below: dict[int, float] = defaultdict(float)
    for element in placed:
        row = _row(spec, element)
        if row != int(row):
            continue
        box = _box(element, inner.get(element.id), 0, 0)
        label = text_size(element.name)[1] + 6 if element.is_event else 0
        above[int(row)] = max(above[int(row)], -box.y)
        below[int(row)] = max(below[int(row)], box.bottom + label)
    for event in on_the_edge:
        place, host = event.said.get("place", "bottom-right"), spec.elements[event.host or ""]
        side = above if place.startswith("top") else below
        row = math.floor(_row(spec, host))
        side[row] = max(side[row], _size(host, inner.get(host.id))[1] / 2 + 18 + 20)
    found: dict[int, float] = {}
    y = 0.0
    for row in range(min(above, default=0), max(above, default=0) + 1):
        y += max(above[row], 18) + (_ROW_GAP_PX if found else 0)
        found[row] = y
        y += max(below[row], 18)
    return found


def _row(spec: Spec, element: Element) -> float:
    if element.at is not None:
        return element.at[1]
    return _row(spec, spec.elements[element.follows]) if element.follows is not None else 0.0


def _centres(widths: dict[int, float], gaps: dict[int, float]) -> dict[int, float]:
    found: dict[int, float] = {}
    x = 0.0
    for column in range(min(widths, default=0), max(widths, default=0) + 1):
        width = max(widths[column], _EVENT_PX)
        found[column] = x + width / 2
        x += width + gaps[column]
    return found


def _between(known: dict[int, float], place: float) -> float:
    """Return where *place* is; a fraction lies between its neighbours."""
    low = math.floor(place)
    if place == low:
        return known.get(low, 0.0)
    if low + 1 not in known:
        return known[low] + (place - low) * 120
    if low not in known:
        return known[low + 1] - (low + 1 - place) * 120
    return known[low] + (place - low) * (known[low + 1] - known[low])


def _size(element: Element, content: Drawing | None) -> tuple[float, float]:
    if element.is_event:
        return _EVENT_PX, _EVENT_PX
    if element.is_gateway:
        return _GATEWAY_PX, _GATEWAY_PX
    if content is None:
        return _TASK_PX
    bounds = content.bounds()
    return bounds.width + 2 * _PADDING_PX, bounds.height + _TITLE_PX + _PADDING_PX * 0.8


def _box(element: Element, content: Drawing | None, x: float, y: float) -> Box:
    """Return the box of *element* in its cell; row 0 of a sub-process continues the row around it."""
    width, height = _size(element, content)
    if content is None:
        return box_around(x, y, width, height)
    top = content.row - content.bounds().y + _TITLE_PX
    return Box(x - width / 2, y - top, width, height, y)


def _behind(before: Box, element: Element, content: Drawing | None) -> Box:
    box = _box(element, content, 0, before.middle)
    return box.moved(before.right + _COLUMN_GAP_PX - box.x, 0)


def _on_the_edge(host: Box, place: str) -> Box:
    y = host.y if place.startswith("top") else host.bottom
    return box_around(host.x + _PLACES[place] * host.width, y, _EVENT_PX, _EVENT_PX)


def _put_inside(drawing: Drawing, element_id: str, content: Drawing) -> None:
    box, bounds = drawing.boxes[element_id], content.bounds()
    drawing.take(content, box.x + _PADDING_PX - bounds.x, box.y + _TITLE_PX - bounds.y)


def _add_listeners(drawing: Drawing, listeners: list[Element], inner: dict[str, Drawing]) -> None:
    """Set the event sub-processes in a row at the left bottom."""
    if not listeners:
        return
    around = drawing.bounds()
    x, y = around.x, around.bottom + _LISTENER_GAP_PX
    height = max(_box(listener, inner[listener.id], 0, 0).height for listener in listeners)
    for listener in listeners:
        content = inner[listener.id]
        box = replace(_box(listener, content, 0, 0), height=height)
        drawing.boxes[listener.id] = box.moved(x - box.x, y - box.y)
        _put_inside(drawing, listener.id, content)
        x += box.width + _LISTENER_GAP_PX
