"""The way of a flow: at right angles, out of one side of its source and into one side of its target."""

from collections.abc import Mapping
from typing import Final

from tools.draw.shapes import Box, Point, segments
from tools.draw.spec import Element, Flow, SpecError

_LIFT_PX: Final = 34
_SIDES: Final = ("top", "bottom", "left", "right")


def route(flow: Flow, elements: Mapping[str, Element], boxes: Mapping[str, Box]) -> list[Point]:
    """Return the corners of *flow*, its ends included."""
    source, target = boxes[flow.source], boxes[flow.target]
    words = (flow.route or _automatic(flow, elements, boxes)).split()
    lift = float(words[1]) if len(words) > 1 else _LIFT_PX
    match words[0]:
        case "over":
            out, into = "top", "top"
        case "under":
            out, into = "bottom", "bottom"
        case "wrap":
            return _wrapped(source, target, float(words[1]) if len(words) > 1 else 30)
        case sides:
            out, _, into = sides.partition(">")
    if out not in _SIDES or into not in _SIDES:
        raise SpecError(f"{flow.id}: there is no route {flow.route!r}")
    return _tidy(_corners(_port(source, out), out, _port(target, into), into, lift))


def _automatic(flow: Flow, elements: Mapping[str, Element], boxes: Mapping[str, Box]) -> str:
    source, target = boxes[flow.source], boxes[flow.target]
    from_gateway, to_gateway = elements[flow.source].is_gateway, elements[flow.target].is_gateway
    down = target.middle > source.middle
    if elements[flow.source].host:
        out = "top" if str(elements[flow.source].said.get("place", "")).startswith("top") else "bottom"
        return _from_the_edge(source, target, out)
    if abs(target.middle - source.middle) < 1:
        others = [box for name, box in boxes.items() if name not in (flow.source, flow.target)]
        return "right>left" if target.centre > source.centre and _is_free(source, target, others) else "over"
    if abs(target.centre - source.centre) < 1:
        return "bottom>top" if down else "top>bottom"
    vertical, facing = ("bottom", "top") if down else ("top", "bottom")
    onward = target.centre > source.centre
    if from_gateway:
        return f"{vertical}>{'left' if onward else 'right'}"
    return f"{'right' if onward else 'left'}>{'left' if onward and not to_gateway else facing}"


def _is_free(source: Box, target: Box, others: list[Box]) -> bool:
    straight = segments([(source.right, source.middle), (target.x, target.middle)])[0].grown(1)
    return not any(straight.overlap(box) for box in others)


def _from_the_edge(source: Box, target: Box, out: str) -> str:
    beyond = target.middle > source.bottom if out == "bottom" else target.middle < source.y
    if not beyond:
        return f"{out}>{out}"
    if abs(target.centre - source.centre) < 1:
        return "bottom>top" if out == "bottom" else "top>bottom"
    return f"{out}>{'left' if target.centre > source.centre else 'right'}"


def _port(box: Box, side: str) -> Point:
    match side:
        case "top":
            return box.centre, box.y
        case "bottom":
            return box.centre, box.bottom
        case "left":
            return box.x, box.middle
        case _:
            return box.right, box.middle


def _corners(start: Point, out: str, end: Point, into: str, lift: float) -> list[Point]:
    (x1, y1), (x2, y2) = start, end
    upright = {"top", "bottom"}
    if out in upright and into in upright:
        beyond = min(y1, y2) - lift if out == "top" else max(y1, y2) + lift
        y = (y1 + y2) / 2 if out != into else beyond
        return [start, (x1, y), (x2, y), end]
    if out in upright:
        return [start, (x1, y2), end]
    if into in upright:
        return [start, (x2, y1), end]
    beyond = max(x1, x2) + lift if out == "right" else min(x1, x2) - lift
    x = (x1 + x2) / 2 if out != into else beyond
    return [start, (x, y1), (x, y2), end]


def _wrapped(source: Box, target: Box, beyond: float) -> list[Point]:
    """Go on at the beginning of the next line of the drawing."""
    y = target.y - 24
    return [
        (source.right, source.middle),
        (source.right + beyond, source.middle),
        (source.right + beyond, y),
        (target.x - 40, y),
        (target.x - 40, target.middle),
        (target.x, target.middle),
    ]


def _tidy(points: list[Point]) -> list[Point]:
    """Leave out corners that are none."""
    kept = [points[0]]
    for before, point, after in zip(points, points[1:], points[2:], strict=False):
        straight = before[0] == point[0] == after[0] or before[1] == point[1] == after[1]
        if not straight and point != kept[-1]:
            kept.append(point)
    return [*kept, points[-1]]
