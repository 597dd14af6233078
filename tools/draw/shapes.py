"""Boxes, lines and the room that a label takes."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

Point = tuple[float, float]

_LABEL_WIDTH_PX: Final = 90
_LINE_HEIGHT_PX: Final = 13.5
_MARGIN_PX: Final = 6
_EM_PX: Final = 0.011
_WIDTHS: Final = {
    222: "ijl'",
    278: " ftI.,:;!/|",
    333: "r-()",
    500: "ckJsvxyz",
    556: "abdeghnopquL0123456789?",
    611: "FTZ",
    722: "wCDHNRU",
    778: "GOQ",
    833: "mM",
    944: "W",
}
"""Arial's widths in thousandths of the size; every other sign is as wide as most capitals."""
_WIDTH: Final = {sign: width for width, signs in _WIDTHS.items() for sign in signs}
_OTHER_WIDTH: Final = 667


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in px; flows along the row meet it at `middle`, which is its centre unless it is a sub-process."""

    x: float
    y: float
    width: float
    height: float
    middle: float

    @property
    def centre(self) -> float:
        """X of the centre."""
        return self.x + self.width / 2

    @property
    def right(self) -> float:
        """X of the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Y of the lower edge."""
        return self.y + self.height

    def moved(self, x: float, y: float) -> "Box":
        """Return the same box elsewhere."""
        return replace(self, x=self.x + x, y=self.y + y, middle=self.middle + y)

    def grown(self, by: float) -> "Box":
        """Return the box with a margin around it."""
        return Box(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by, self.middle)

    def overlap(self, other: "Box") -> float:
        """Return the area that both cover."""
        width = min(self.right, other.right) - max(self.x, other.x)
        height = min(self.bottom, other.bottom) - max(self.y, other.y)
        return width * height if width > 0 and height > 0 else 0.0


def box_around(x: float, y: float, width: float, height: float) -> Box:
    """Return the box with its centre at (*x*, *y*)."""
    return Box(x - width / 2, y - height / 2, width, height, y)


def segments(points: list[Point]) -> list[Box]:
    """Return each straight piece of a line as a box without thickness."""
    return [
        Box(min(a[0], b[0]), min(a[1], b[1]), abs(a[0] - b[0]), abs(a[1] - b[1]), a[1]) for a, b in pairwise(points)
    ]


def hull(boxes: Iterable[Box]) -> Box:
    """Return the smallest box around all *boxes*."""
    known = list(boxes)
    x, y = min(box.x for box in known), min(box.y for box in known)
    return Box(x, y, max(box.right for box in known) - x, max(box.bottom for box in known) - y, y)


def text_size(text: str) -> tuple[float, float]:
    """Return width and height in px of a label outside its shape, as Modeler breaks it into lines."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer) <= _LABEL_WIDTH_PX - _MARGIN_PX:
            lines[-1] = longer
        else:
            lines.append(word)
    return max((_width(line) for line in lines), default=0.0) + _MARGIN_PX, len(lines) * _LINE_HEIGHT_PX


def _width(text: str) -> float:
    """Return the width of *text* in Arial at 11 px."""
    return sum(_WIDTH.get(sign, _OTHER_WIDTH) for sign in text) * _EM_PX
