"""Small signs inside events, tasks and gateways, each drawn on a field of 20 by 20."""

from math import cos, pi, sin
from typing import Final

_TEETH: Final = 8


def icon(name: str, center: tuple[float, float], size: float, color: str, *, filled: bool = False) -> str:
    """Return the sign *name* as SVG around *center*; an unknown one is nothing. *filled* is how BPMN draws throwing."""
    drawn = _drawn(name, color, filled=filled)
    if not drawn:
        return ""
    scale = size / 20
    x, y = center[0] - size / 2, center[1] - size / 2
    return (
        f'<g transform="translate({x:g} {y:g}) scale({scale:g})" fill="none" stroke="{color}" '
        f'stroke-width="{1.2 / scale:.3g}" stroke-linejoin="round" stroke-linecap="round">{drawn}</g>'
    )


def _drawn(name: str, color: str, *, filled: bool) -> str:
    if name in {"message", "send", "receive"}:
        return _envelope(color, filled=filled)
    if name in _OUTLINES:
        fill = f' fill="{color}"' if filled else ""
        return "".join(f'<path d="{outline}"{fill}/>' for outline in _OUTLINES[name])
    if name == "timer":
        return _clock()
    if name == "service":
        return _gear(color)
    return _SIGNS.get(name, "").replace("COLOR", color)


_SIGNS: Final = {
    "terminate": '<circle cx="10" cy="10" r="8.4" fill="COLOR"/>',
    "user": (
        '<circle cx="10" cy="6" r="3.7"/>'
        '<path d="M3.2 18.2 V15.6 C3.2 12 5.8 10.7 7.6 10.4 C9 11.5 11 11.5 12.4 10.4 C14.2 10.7 16.8 12 16.8 15.6 '
        'V18.2 Z"/><path d="M6.6 18 V15.4 M13.4 18 V15.4"/>'
    ),
    "businessRule": (
        '<rect x="1.5" y="3.5" width="17" height="13"/>'
        '<rect x="1.5" y="3.5" width="17" height="3.8" fill="COLOR" fill-opacity="0.35"/>'
        '<path d="M1.5 7.3 H18.5 M1.5 11.9 H18.5 M6.6 7.3 V16.5"/>'
    ),
    "script": (
        '<path d="M6.5 2.2 H16.2 C11 7 17.4 12.6 12.6 17.8 H3 C8 12.6 1.6 7 6.5 2.2 Z"/>'
        '<path d="M6.7 5.6 H12 M6.6 8.8 H12.3 M8 12 H13.4 M7.6 15 H12.4"/>'
    ),
    "manual": (
        '<path d="M2.5 8.6 L7 4.2 C8 3.4 9.4 4.4 8.6 5.6 L7.4 7.2 H16.4 A1.3 1.3 0 0 1 16.4 9.8 H17 '
        "A1.3 1.3 0 0 1 17 12.3 H16.2 A1.2 1.2 0 0 1 16 14.7 H15 A1.1 1.1 0 0 1 14.8 17 H6.4 "
        'L2.5 13.8 Z"/><path d="M10.6 9.8 H16.4 M10.6 12.3 H16.6 M10.6 14.7 H15.4"/>'
    ),
    "conditional": (
        '<rect x="4" y="2.6" width="12" height="14.8"/><path d="M6.4 6 H13.6 M6.4 10 H13.6 M6.4 14 H13.6"/>'
    ),
}

_OUTLINES: Final = {
    "error": ["M2.6 17.6 L7 4.6 L12 11.2 L17.4 2.4 L13.6 15.6 L8.4 9 Z"],
    "escalation": ["M10 2.2 L15.6 17.4 L10 12.2 L4.4 17.4 Z"],
    "signal": ["M10 2.6 L17.6 15.8 H2.4 Z"],
    "compensate": ["M9.6 4.6 V15.4 L2 10 Z", "M17.6 4.6 V15.4 L10 10 Z"],
    "link": ["M2.4 7.2 H11.2 V3.8 L18 10 L11.2 16.2 V12.8 H2.4 Z"],
    "cancel": [
        "M5 2.6 L10 7.7 L15 2.6 L17.4 5 L12.3 10 L17.4 15 L15 17.4 L10 12.3 L5 17.4 L2.6 15 L7.7 10 L2.6 5 Z",
    ],
    "multiple": ["M10 2 L18 8 L15 17.2 H5 L2 8 Z"],
    "parallelMultiple": ["M8 2.4 H12 V8 H17.6 V12 H12 V17.6 H8 V12 H2.4 V8 H8 Z"],
}


def _envelope(color: str, *, filled: bool) -> str:
    if filled:
        return (
            f'<rect x="1.6" y="4" width="16.8" height="12" fill="{color}"/>'
            '<path d="M1.9 4.6 L10 10.8 L18.1 4.6" stroke="#fff"/>'
        )
    return '<rect x="1.6" y="4" width="16.8" height="12"/><path d="M1.6 4 L10 10.8 L18.4 4"/>'


def _clock() -> str:
    ticks = "".join(
        f"M{10 + 6.6 * sin(hour * pi / 6):.2f} {10 - 6.6 * cos(hour * pi / 6):.2f} "
        f"L{10 + 8 * sin(hour * pi / 6):.2f} {10 - 8 * cos(hour * pi / 6):.2f} "
        for hour in range(12)
    )
    hands = '<path d="M11 3.6 L10 10 L14 10.8" stroke-width="1.6"/>'
    return f'<circle cx="10" cy="10" r="9"/><path d="{ticks}" stroke-width="0.8"/>{hands}'


def _gear(color: str) -> str:
    points = []
    for tooth in range(_TEETH):
        middle = 2 * pi * tooth / _TEETH
        for radius, turn in ((6.3, -0.27), (8.8, -0.17), (8.8, 0.17), (6.3, 0.27)):
            points.append(f"{10 + radius * cos(middle + turn):.2f} {10 + radius * sin(middle + turn):.2f}")
    return f'<path d="M{" L".join(points)} Z" fill="{color}" fill-opacity="0.12"/><circle cx="10" cy="10" r="3"/>'
