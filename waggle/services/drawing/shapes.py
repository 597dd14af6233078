"""How each kind of element looks."""

from dataclasses import dataclass
from html import escape
from math import hypot
from typing import Final

from waggle.services.drawing.icons import icon
from waggle.services.drawing.plan import Box, Line, Shape
from waggle.services.drawing.texts import FONT, width_px, wrapped

_INSIDE_PX, _OUTSIDE_PX = 12.0, 11.0
_LINE_HEIGHT = 1.2
_LABEL_WIDTH = 92.0
_NARROWEST_LABEL = 30.0
_SLACK_PX = 5.0
_CORNER = 5.0
_TASK_ICON = 17.0
_MARKER = 14.0

_TASKS: Final = {
    "serviceTask": "service",
    "userTask": "user",
    "sendTask": "send",
    "receiveTask": "receive",
    "businessRuleTask": "businessRule",
    "scriptTask": "script",
    "manualTask": "manual",
}
_THROWING: Final = ("endEvent", "intermediateThrowEvent")


@dataclass(frozen=True, slots=True)
class Look:
    """Colours and lines of one element."""

    stroke: str
    fill: str
    text: str
    emphasis: float = 1.0
    """Of its lines' width."""
    dash: str = ""


def draw_shape(shape: Shape, look: Look) -> str:
    """Return *shape* as SVG, with its name where it stands inside it."""
    if shape.kind.endswith("Event"):
        return _event(shape, look)
    if shape.kind.endswith("Gateway"):
        return _gateway(shape, look)
    draw = {
        "participant": _pool,
        "lane": _pool,
        "group": _group,
        "textAnnotation": _annotation,
        "dataObjectReference": _data,
        "dataStoreReference": _data,
    }.get(shape.kind, _activity)
    return draw(shape, look)


def draw_line(line: Line, look: Look) -> str:
    """Return *line* as SVG, with its arrow head."""
    width = 1.7 * look.emphasis**0.8
    is_flow = line.kind == "sequenceFlow"
    dash = look.dash or ("" if is_flow else ("1 4" if line.kind == "association" else "8 5"))
    drawn = (
        f'<path d="{_rounded(line.points)}" fill="none" stroke="{look.stroke}" stroke-width="{width:g}" '
        f'stroke-linejoin="round" stroke-linecap="{"butt" if is_flow else "round"}"{_dashed(dash)}/>'
    )
    if is_flow or line.direction in {"One", "Both"} or line.kind in {"messageFlow", "dataOutputAssociation"}:
        drawn += _head(line.points, look, width, is_open=not is_flow)
    if line.is_default:
        drawn += _slash(line.points, look, width)
    if line.is_conditional:
        drawn += _diamond(line.points, look, width)
    return drawn


def draw_name(thing: Shape | Line, look: Look) -> str:
    """Return the name that stands beside *thing*, if it is of those whose name does."""
    if not thing.name or (isinstance(thing, Shape) and not is_named_outside(thing)):
        return ""
    label = thing.label or _label_place(thing)
    # Modeler measured the place with a font of its own, which may be a little narrower.
    width = min(max(label.width, _NARROWEST_LABEL) + _SLACK_PX, _LABEL_WIDTH)
    lines = wrapped(thing.name, width, _OUTSIDE_PX)
    return _text(lines, label.x + label.width / 2, label.y, _OUTSIDE_PX, look.text, halo=True)


def is_named_outside(shape: Shape) -> bool:
    """Say whether the name of *shape* stands beside it."""
    return shape.kind.endswith(("Event", "Gateway")) or shape.kind in {"dataObjectReference", "dataStoreReference"}


def _label_place(thing: Shape | Line) -> Box:
    """Return where a name goes for which the file has no place."""
    if isinstance(thing, Shape):
        return Box(thing.box.center[0] - _LABEL_WIDTH / 2, thing.box.bottom + 6, _LABEL_WIDTH, 14)
    segments = zip(thing.points, thing.points[1:], strict=False)
    (x1, y1), (x2, y2) = max(segments, key=lambda ends: hypot(ends[1][0] - ends[0][0], ends[1][1] - ends[0][1]))
    middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
    if abs(x1 - x2) < abs(y1 - y2):
        width = width_px(thing.name, _OUTSIDE_PX)
        return Box(middle_x + 7, middle_y - 7, min(width, _LABEL_WIDTH), 14)
    return Box(middle_x - _LABEL_WIDTH / 2, middle_y - 18, _LABEL_WIDTH, 14)


def _event(shape: Shape, look: Look) -> str:
    x, y = shape.box.center
    radius = shape.box.width / 2
    throws = shape.kind in _THROWING
    dash = look.dash or ("" if shape.interrupts else "5 3.4")
    width = (4.0 if shape.kind == "endEvent" else 1.6 if shape.kind != "startEvent" else 2.0) * look.emphasis**0.5
    drawn = _circle(x, y, radius - (1 if shape.kind == "endEvent" else 0), look, width, dash)
    if shape.kind not in {"startEvent", "endEvent"}:
        drawn += _circle(x, y, radius - 3.4, look, width, dash, fill="none")
    size = 21.0 if shape.definition in {"timer", "terminate"} else 19.0
    return drawn + icon(shape.definition, (x, y), size * radius / 18, look.stroke, filled=throws)


def _gateway(shape: Shape, look: Look) -> str:
    box, (x, y) = shape.box, shape.box.center
    corners = f"{x:g},{box.y:g} {box.right:g},{y:g} {x:g},{box.bottom:g} {box.x:g},{y:g}"
    width = 2.0 * look.emphasis**0.5
    drawn = (
        f'<polygon points="{corners}" fill="{look.fill}" stroke="{look.stroke}" stroke-width="{width:g}" '
        f'stroke-linejoin="round"{_dashed(look.dash)}/>'
    )
    arm = box.width * 0.19
    match shape.kind:
        case "exclusiveGateway":
            cross = f"M{x - arm * 0.86:g} {y - arm:g} L{x + arm * 0.86:g} {y + arm:g} "
            cross += f"M{x + arm * 0.86:g} {y - arm:g} L{x - arm * 0.86:g} {y + arm:g}"
            return drawn + f'<path d="{cross}" stroke="{look.stroke}" stroke-width="3.6"/>'
        case "parallelGateway" | "complexGateway":
            arm *= 1.35
            cross = f"M{x - arm:g} {y:g} H{x + arm:g} M{x:g} {y - arm:g} V{y + arm:g}"
            if shape.kind == "complexGateway":
                slant = arm * 0.72
                cross += f" M{x - slant:g} {y - slant:g} l{2 * slant:g} {2 * slant:g}"
                cross += f" M{x + slant:g} {y - slant:g} l{-2 * slant:g} {2 * slant:g}"
            return drawn + f'<path d="{cross}" stroke="{look.stroke}" stroke-width="3.2"/>'
        case "inclusiveGateway":
            return drawn + _circle(x, y, box.width * 0.23, look, 2.6, "", fill="none")
        case "eventBasedGateway":
            drawn += _circle(x, y, box.width * 0.3, look, 1.0, "", fill="none")
            drawn += _circle(x, y, box.width * 0.25, look, 1.0, "", fill="none")
            return drawn + icon("multiple", (x, y), box.width * 0.32, look.stroke)
        case _:
            return drawn


def _activity(shape: Shape, look: Look) -> str:
    box = shape.box
    width = (5.0 if shape.kind == "callActivity" else 2.0) * (look.emphasis**0.5)
    dash = look.dash or ("1 4.2" if shape.is_event_triggered else "")
    fill = "#ffffff" if shape.is_expanded and look.fill == "none" else look.fill
    drawn = _rect(box, look, width, radius=10, dash=dash, fill=fill)
    if shape.kind == "transaction":
        inner = Box(box.x + 3, box.y + 3, box.width - 6, box.height - 6)
        drawn += _rect(inner, look, width, radius=8, dash=dash, fill="none")
    if sign := _TASKS.get(shape.kind):
        at = (box.x + 6 + _TASK_ICON / 2, box.y + 5 + _TASK_ICON / 2)
        drawn += icon(sign, at, _TASK_ICON, look.stroke, filled=sign == "send")
    drawn += _markers(shape, look)
    if not shape.name:
        return drawn
    lines = wrapped(shape.name, box.width - 14, _INSIDE_PX)
    height = len(lines) * _INSIDE_PX * _LINE_HEIGHT
    top = box.y + 7 if shape.is_expanded else box.center[1] - height / 2
    if sign and height > box.height - 2 * _TASK_ICON - 10:
        # A long name makes room for the sign in the corner.
        top = min(top + 6, box.bottom - height - 4)
    return drawn + _text(lines, box.center[0], top, _INSIDE_PX, look.text)


def _markers(shape: Shape, look: Look) -> str:
    """Return the signs at the lower border: what is hidden inside, what repeats, what compensates."""
    signs = [shape.loop] if shape.loop else []
    if shape.compensates:
        signs.append("compensates")
    if shape.kind in {"subProcess", "adHocSubProcess", "transaction"} and not shape.is_expanded:
        signs.append("hidden")
    if shape.kind == "callActivity":
        signs.append("hidden")
    if shape.kind == "adHocSubProcess":
        signs.append("adHoc")
    if not signs:
        return ""
    x = shape.box.center[0] - len(signs) * (_MARKER + 4) / 2 + 2
    drawn = ""
    for sign in signs:
        drawn += _marker(sign, x, shape.box.bottom - _MARKER - 6, look)
        x += _MARKER + 4
    return drawn


def _marker(sign: str, x: float, y: float, look: Look) -> str:
    size, middle = _MARKER, _MARKER / 2
    match sign:
        case "hidden":
            path = f"M0 0 H{size} V{size} H0 Z M3.5 {middle} H{size - 3.5} M{middle} 3.5 V{size - 3.5}"
        case "parallel":
            path = f"M3 1 V{size - 1} M{middle} 1 V{size - 1} M{size - 3} 1 V{size - 1}"
        case "sequential":
            path = f"M1 3 H{size - 1} M1 {middle} H{size - 1} M1 {size - 3} H{size - 1}"
        case "loop":
            path = f"M4.4 {size - 1.6} A5.6 5.6 0 1 1 {size - 5} {size - 1.4} M4.6 {size - 5.2} V{size - 1.4} H0.8"
        case "adHoc":
            path = "M1 8.6 C3.4 4 5.6 4.4 7 7 C8.4 9.6 10.6 10 13 5.4"
        case _:
            path = "M7 2.5 V11.5 L1 7 Z M13 2.5 V11.5 L7 7 Z"
    wide = 2.2 if sign in {"parallel", "sequential"} else 1.4
    return (
        f'<path transform="translate({x:g} {y:g})" d="{path}" fill="none" stroke="{look.stroke}" '
        f'stroke-width="{wide}" stroke-linejoin="round"/>'
    )


def _pool(shape: Shape, look: Look) -> str:
    box = shape.box
    drawn = _rect(box, look, 1.5, radius=0, dash=look.dash, fill=look.fill)
    if shape.kind == "participant":
        drawn += f'<path d="M{box.x + 30:g} {box.y:g} V{box.bottom:g}" stroke="{look.stroke}" stroke-width="1.5"/>'
    x, y = box.x + 15, box.center[1]
    return drawn + (
        f'<text x="{x:g}" y="{y + 4:g}" transform="rotate(-90 {x:g} {y:g})" text-anchor="middle" '
        f'font-family="{FONT}" font-size="{_INSIDE_PX:g}" fill="{look.text}">{escape(shape.name)}</text>'
    )


def _annotation(shape: Shape, look: Look) -> str:
    box = shape.box
    bracket = f"M{box.x + 10:g} {box.y:g} H{box.x:g} V{box.bottom:g} H{box.x + 10:g}"
    drawn = f'<path d="{bracket}" fill="none" stroke="{look.stroke}" stroke-width="1.5"/>'
    lines = wrapped(shape.name, box.width - 12, _INSIDE_PX)
    return drawn + _text(lines, box.x + 7, box.y + 5, _INSIDE_PX, look.text, anchor="start")


def _data(shape: Shape, look: Look) -> str:
    box = shape.box
    if shape.kind == "dataStoreReference":
        dip = 7
        path = (
            f"M{box.x:g} {box.y + dip:g} A{box.width / 2:g} {dip} 0 0 1 {box.right:g} {box.y + dip:g} "
            f"V{box.bottom - dip:g} A{box.width / 2:g} {dip} 0 0 1 {box.x:g} {box.bottom - dip:g} Z "
            f"M{box.x:g} {box.y + dip:g} A{box.width / 2:g} {dip} 0 0 0 {box.right:g} {box.y + dip:g}"
        )
    else:
        fold = 11
        path = (
            f"M{box.x:g} {box.y:g} H{box.right - fold:g} L{box.right:g} {box.y + fold:g} V{box.bottom:g} "
            f"H{box.x:g} Z M{box.right - fold:g} {box.y:g} V{box.y + fold:g} H{box.right:g}"
        )
    return f'<path d="{path}" fill="{look.fill}" stroke="{look.stroke}" stroke-width="1.8" stroke-linejoin="round"/>'


def _group(shape: Shape, look: Look) -> str:
    return _rect(shape.box, look, 1.5, radius=10, dash="10 5 2 5", fill="none")


def _rect(  # noqa: PLR0913 -- what a rectangle is
    box: Box, look: Look, width: float, *, radius: float, dash: str, fill: str
) -> str:
    round_dots = ' stroke-linecap="round"' if dash.startswith("1 ") else ""
    return (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="{radius:g}" '
        f'fill="{fill}" stroke="{look.stroke}" stroke-width="{width:.3g}"{_dashed(dash)}{round_dots}/>'
    )


def _circle(  # noqa: PLR0913, PLR0917 -- what a circle is
    x: float, y: float, radius: float, look: Look, width: float, dash: str, fill: str | None = None
) -> str:
    return (
        f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill or look.fill}" stroke="{look.stroke}" '
        f'stroke-width="{width:.3g}"{_dashed(dash)}/>'
    )


def _text(  # noqa: PLR0913 -- what a text is
    lines: list[str], x: float, top: float, size: float, color: str, *, anchor: str = "middle", halo: bool = False
) -> str:
    step = size * _LINE_HEIGHT
    spans = "".join(
        f'<tspan x="{x:g}" y="{top + size * 0.92 + row * step:.2f}">{escape(line)}</tspan>'
        for row, line in enumerate(lines)
    )
    # White around the letters keeps a name readable where a line passes close by.
    around = ' stroke="#ffffff" stroke-width="3" stroke-linejoin="round" paint-order="stroke"' if halo else ""
    return (
        f'<text text-anchor="{anchor}" font-family="{FONT}" font-size="{size:g}" fill="{color}"{around}>{spans}</text>'
    )


def _rounded(points: tuple[tuple[float, float], ...]) -> str:
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for before, at, after in zip(points, points[1:], points[2:], strict=False):
        reach = min(
            _CORNER, hypot(at[0] - before[0], at[1] - before[1]) / 2, hypot(after[0] - at[0], after[1] - at[1]) / 2
        )
        into, out = _towards(at, before, reach), _towards(at, after, reach)
        path += f" L{into[0]:.2f} {into[1]:.2f} Q{at[0]:g} {at[1]:g} {out[0]:.2f} {out[1]:.2f}"
    return f"{path} L{points[-1][0]:g} {points[-1][1]:g}"


def _towards(start: tuple[float, float], end: tuple[float, float], distance: float) -> tuple[float, float]:
    length = hypot(end[0] - start[0], end[1] - start[1])
    if not length:
        return start
    share = distance / length
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _across(start: tuple[float, float], end: tuple[float, float], half: float) -> tuple[float, float]:
    """Return the step of length *half* at a right angle to the way from *start* to *end*."""
    length = hypot(end[0] - start[0], end[1] - start[1]) or 1.0
    return -(end[1] - start[1]) / length * half, (end[0] - start[0]) / length * half


def _head(points: tuple[tuple[float, float], ...], look: Look, width: float, *, is_open: bool) -> str:
    tip, before = points[-1], points[-2]
    size = 7.0 + 1.5 * width
    foot, (dx, dy) = _towards(tip, before, size), _across(before, tip, size * 0.45)
    ends = f"{foot[0] + dx:.2f} {foot[1] + dy:.2f}", f"{foot[0] - dx:.2f} {foot[1] - dy:.2f}"
    path = f"M{ends[0]} L{tip[0]:g} {tip[1]:g} L{ends[1]}"
    return (
        f'<path d="{path}{"" if is_open else " Z"}" fill="{"none" if is_open else look.stroke}" '
        f'stroke="{look.stroke}" stroke-width="1" stroke-linejoin="round"/>'
    )


def _slash(points: tuple[tuple[float, float], ...], look: Look, width: float) -> str:
    start, after = points[0], points[1]
    at = _towards(start, after, 11)
    along = _towards((0, 0), (after[0] - start[0], after[1] - start[1]), 3)
    dx, dy = _across(start, after, 5.5)
    # It leans back, as a slash across the way.
    ends = (at[0] + dx - along[0], at[1] + dy - along[1]), (at[0] - dx + along[0], at[1] - dy + along[1])
    return (
        f'<path d="M{ends[0][0]:.2f} {ends[0][1]:.2f} L{ends[1][0]:.2f} {ends[1][1]:.2f}" stroke="{look.stroke}" '
        f'stroke-width="{max(width, 1.5):g}" stroke-linecap="round"/>'
    )


def _diamond(points: tuple[tuple[float, float], ...], look: Look, width: float) -> str:
    start, after = points[0], points[1]
    middle, end = _towards(start, after, 8), _towards(start, after, 16)
    dx, dy = _across(start, after, 4.5)
    corners = f"{start[0]:g},{start[1]:g} {middle[0] + dx:.2f},{middle[1] + dy:.2f} {end[0]:.2f},{end[1]:.2f} "
    corners += f"{middle[0] - dx:.2f},{middle[1] - dy:.2f}"
    return f'<polygon points="{corners}" fill="#ffffff" stroke="{look.stroke}" stroke-width="{width:g}"/>'


def _dashed(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""
