"""Where labels stand: the nearest place that covers neither a line nor a shape nor another label."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final, Protocol

from tools.draw.shapes import Box, Point, segments, text_size
from tools.draw.spec import Element, Flow

_NEAR_PX: Final = 5
_ON_A_LINE: Final = 400.0
_FARTHER: Final = 40.0


class Placed(Protocol):
    """What stands already."""

    boxes: dict[str, Box]
    lines: dict[str, list[Point]]
    notes: dict[str, Box]


def place_labels(elements: Iterable[Element], flows: Iterable[Flow], placed: Placed) -> dict[str, Box]:
    """Return the box of each label that stands outside its shape, by the id of what it names."""
    labels: dict[str, Box] = {}
    for flow in flows:
        if flow.name:
            labels[flow.id] = _best(_along(flow, placed.lines[flow.id]), flow.id, placed, labels)
    for element in elements:
        if element.name and (element.is_event or element.is_gateway):
            box = placed.boxes[element.id]
            candidates = _around_gateway(element, box) if element.is_gateway else _around_event(element, box)
            labels[element.id] = _best(candidates, element.id, placed, labels)
    return labels


def _best(candidates: Iterator[Box], own: str, placed: Placed, labels: dict[str, Box]) -> Box:
    costs = []
    for rank, box in enumerate(candidates):
        cost = rank * _FARTHER
        cost += sum(box.grown(1).overlap(other) for name, other in placed.boxes.items() if name != own)
        cost += sum(box.grown(2).overlap(other) for other in [*labels.values(), *placed.notes.values()]) * 4
        for points in placed.lines.values():
            cost += sum(_ON_A_LINE for piece in segments(points) if box.grown(1).overlap(piece.grown(1)))
        costs.append((cost, rank, box))
    return min(costs, key=lambda each: each[:2])[2]


def _around_event(element: Element, box: Box) -> Iterator[Box]:
    width, height = text_size(element.name)
    below, above = box.bottom + _NEAR_PX, box.y - _NEAR_PX - height
    beside = box.middle - height / 2
    yield _label(box.centre - width / 2, below, width, height)
    if element.host:
        yield _label(box.x - width - _NEAR_PX, box.bottom - 6, width, height)
        yield _label(box.right + _NEAR_PX, box.bottom - 6, width, height)
    else:
        yield _label(box.centre - width / 2, above, width, height)
    yield _label(box.right + _NEAR_PX + 2, beside, width, height)
    yield _label(box.x - width - _NEAR_PX - 2, beside, width, height)
    yield _label(box.right + 2, below - 4, width, height)
    yield _label(box.x - width - 2, below - 4, width, height)


def _around_gateway(element: Element, box: Box) -> Iterator[Box]:
    width, height = text_size(element.name)
    above, below = box.y - _NEAR_PX - height, box.bottom + _NEAR_PX
    yield _label(box.centre - width / 2, above, width, height)
    yield _label(box.centre - width / 2, below, width, height)
    for y in (box.y - height + 8, box.bottom - 8):
        yield _label(box.centre - 8 - width, y, width, height)
        yield _label(box.centre + 8, y, width, height)
    for y in (box.y - height - 8, box.bottom + 8):
        yield _label(box.centre - 8 - width, y, width, height)
        yield _label(box.centre + 8, y, width, height)


def _along(flow: Flow, points: list[Point]) -> Iterator[Box]:
    """Yield places beside the first pieces of a flow, the nearest to its source first."""
    width, height = text_size(flow.name)
    for (x1, y1), (x2, y2) in list(pairwise(points))[:3]:
        begin = 16 if flow.default else 8
        if y1 == y2:
            far = abs(x2 - x1)
            inset = max(begin, (far - width) / 2) if far < width + 60 else begin + 6
            x = x1 + inset if x2 > x1 else x1 - inset - width
            yield _label(x, y1 - height - 4, width, height)
            yield _label(x, y1 + 4, width, height)
        else:
            y = y1 + begin if y2 > y1 else y1 - begin - height
            yield _label(x1 + 7, y, width, height)
            yield _label(x1 - 7 - width, y, width, height)


def _label(x: float, y: float, width: float, height: float) -> Box:
    return Box(x, y, width, height, y)
