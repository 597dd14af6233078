"""Draw a diagram as it stands in its file, as SVG; marks tell elements apart by colour and line."""

from collections.abc import Mapping
from enum import StrEnum
from html import escape
from types import MappingProxyType
from typing import Final

from waggle.services.drawing.plan import Box, Line, Shape, read_plan
from waggle.services.drawing.shapes import Look, draw_line, draw_name, draw_shape
from waggle.services.drawing.texts import FONT, width_px

_MARGIN_PX = 30.0
_LEGEND_PX = 34.0
_UNMARKED: Final = Look(stroke="#22242a", fill="#ffffff", text="#22242a")


class Mark(StrEnum):
    """What is to be said of an element."""

    TAKEN = "taken"
    UNTAKEN = "untaken"
    STUCK = "stuck"
    """Waits for a person."""
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


# Colour is never alone: lines are thicker, thinner or dashed as well, for those who see colours otherwise.
_LOOKS: Final = {
    Mark.TAKEN: Look(stroke="#0b6b4f", fill="#e2f3ea", text="#0a3d2e", emphasis=1.7),
    Mark.UNTAKEN: Look(stroke="#9a9ea6", fill="#ffffff", text="#6b7078", emphasis=0.8),
    Mark.STUCK: Look(stroke="#b3261e", fill="#fde7e5", text="#7a1712", emphasis=1.7),
    Mark.ADDED: Look(stroke="#0b6b4f", fill="#e2f3ea", text="#0a3d2e", emphasis=1.7),
    Mark.REMOVED: Look(stroke="#b3261e", fill="#fdeeec", text="#7a1712", emphasis=1.2, dash="7 4"),
    Mark.CHANGED: Look(stroke="#945800", fill="#fff3d9", text="#5a3600", emphasis=1.7),
}


def draw(content: bytes, marks: Mapping[str, Mark] = MappingProxyType({})) -> str:
    """Return the diagram in *content*, a BPMN file, as an SVG document; *marks* are by element id.

    Each element is a group with its id as `data-element-id`. Pools and sub-processes that are open keep a white ground.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE, it is no BPMN, or nothing in it was drawn.
    """
    plan = read_plan(content)
    bounds = plan.bounds()
    used = [mark for mark in Mark if mark in set(marks.values())]
    left, top = bounds.x - _MARGIN_PX, bounds.y - _MARGIN_PX
    width = bounds.width + 2 * _MARGIN_PX
    height = bounds.height + 2 * _MARGIN_PX + (_LEGEND_PX if used else 0)
    containers = [shape for shape in plan.shapes if _is_ground(shape)]
    # What is marked lies over what is not.
    lines = sorted(plan.lines, key=lambda line: marks.get(line.id) not in {None, Mark.UNTAKEN})
    others = [shape for shape in plan.shapes if not _is_ground(shape)]
    things: list[Shape | Line] = [*plan.shapes, *plan.lines]
    names = [draw_name(thing, _look(thing, marks)) for thing in things]
    place = f'x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}"'
    title = escape(plan.title)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="{left:g} {top:g} {width:g} {height:g}" role="img" aria-label="{title}">'
    )
    return "".join(
        [
            f'{head}<title>{title}</title><rect {place} fill="#ffffff"/>\n',
            *(_group(shape, draw_shape(shape, _look(shape, marks))) for shape in containers),
            *(_group(line, draw_line(line, _look(line, marks))) for line in lines),
            *(_group(shape, draw_shape(shape, _look(shape, marks))) for shape in others),
            *(f"{name}\n" for name in names if name),
            _legend(used, Box(left + _MARGIN_PX, top + height - _LEGEND_PX - 8, width, _LEGEND_PX)),
            "</svg>\n",
        ]
    )


def _is_ground(shape: Shape) -> bool:
    return shape.is_expanded or shape.kind in {"participant", "lane", "group"}


def _look(thing: Shape | Line, marks: Mapping[str, Mark]) -> Look:
    mark = marks.get(thing.id)
    look = _UNMARKED if mark is None else _LOOKS[mark]
    if isinstance(thing, Shape) and _is_ground(thing):
        # A large coloured ground would drown the marks of what lies on it.
        return Look(look.stroke, "#ffffff", look.text, min(look.emphasis, 1.3), look.dash)
    return look


def _group(thing: Shape | Line, drawn: str) -> str:
    tip = f"<title>{escape(thing.name)}</title>" if thing.name else ""
    return f'<g data-element-id="{escape(thing.id)}">{tip}{drawn}</g>\n'


def _legend(used: list[Mark], place: Box) -> str:
    drawn, x, y = "", place.x, place.y + 16
    for mark in used:
        look = _LOOKS[mark]
        dash = f' stroke-dasharray="{look.dash}"' if look.dash else ""
        drawn += (
            f'<rect x="{x:g}" y="{y - 10:g}" width="22" height="14" rx="4" fill="{look.fill}" stroke="{look.stroke}" '
            f'stroke-width="{1.4 * look.emphasis:g}"{dash}/><text x="{x + 29:g}" y="{y + 1:g}" font-family="{FONT}" '
            f'font-size="12" fill="{look.text}">{mark.value}</text>'
        )
        x += 29 + width_px(mark.value, 12) + 26
    return drawn
