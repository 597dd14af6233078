"""Show differences: as one picture of both diagrams, or as a page."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from waggle.comparing.difference import FileComparison, Kind
from waggle.errors import BadSettings
from waggle.services.diagram_picture import Mark, draw

_MARKS: Final[Mapping[Kind, Mark]] = {"added": Mark.ADDED, "removed": Mark.REMOVED, "changed": Mark.CHANGED}
_FONT: Final = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
_GAP_PX: Final = 40.0
_HEAD_PX: Final = 34.0

_STYLE: Final = """
:root { color-scheme: light; --line: #e3ddd0; --quiet: #6b6558; --ink: #22242a; }
body { margin: 0; background: #faf8f3; color: var(--ink); font: 15px/1.5 FONT; }
main { max-width: 1800px; margin: 0 auto; padding: 32px 28px 64px; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 40px 0 12px; }
p.what { color: var(--quiet); margin: 0; }
ul { margin: 0 0 16px; padding: 0; list-style: none; max-width: 110ch; }
li { padding: 6px 0 6px 12px; border-left: 4px solid var(--edge); margin: 4px 0; background: #fff; }
li code { color: var(--quiet); font-size: 12px; margin-left: 8px; }
.added { --edge: #0b6b4f; } .removed { --edge: #b3261e; } .changed { --edge: #945800; } .moved { --edge: #9a9ea6; }
li b { display: inline-block; min-width: 74px; font-weight: 600; color: var(--edge); }
.both { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; }
@media (max-width: 900px) { .both { grid-template-columns: 1fr; } }
figure { margin: 0; border: 1px solid var(--line); background: #fff; border-radius: 8px; overflow: auto; }
figcaption { padding: 8px 14px; border-bottom: 1px solid var(--line); color: var(--quiet); }
figure svg { display: block; width: 100%; height: auto; }
""".replace("FONT", _FONT)


def picture(comparison: FileComparison) -> str:
    """Return an SVG document with the old diagram above the new one, what changed in colours.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE.
    """
    drawn = [(title, svg) for title, svg in zip(("before", "now"), _drawings(comparison), strict=True) if svg]
    widths, heights = zip(*(_size(svg) for _, svg in drawn), strict=True)
    width, height = max(widths), sum(heights) + _HEAD_PX * len(drawn) + _GAP_PX * (len(drawn) - 1)
    parts, y = [], 0.0
    for (title, svg), own in zip(drawn, heights, strict=True):
        parts.append(
            f'<text x="30" y="{y + 26:g}" font-family="{escape(_FONT)}" font-size="16" font-weight="600" '
            f'fill="#22242a">{escape(comparison.name)}, {title}</text>'
        )
        parts.append(svg.replace("<svg ", f'<svg x="0" y="{y + _HEAD_PX:g}" ', 1))
        y += own + _HEAD_PX + _GAP_PX
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}">'
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def page(comparisons: Sequence[FileComparison], old: str, new: str) -> str:
    """Return an HTML page without anything from elsewhere: each file's changes, diagrams side by side.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE.
    """
    count = sum(len(each.differences) for each in comparisons)
    title = f"{old} and {new}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><main>"
        f'<h1>{escape(title)}</h1><p class="what">{_counted(count, len(comparisons))}</p>\n'
        f"{''.join(_section(each) for each in comparisons)}</main></body></html>\n"
    )


def is_diagram(comparison: FileComparison) -> bool:
    """Say whether it can be drawn."""
    return comparison.name.endswith(".bpmn")


def _counted(differences: int, files: int) -> str:
    if not files:
        return "Nothing changed."
    return f"{differences} change{'s' * (differences != 1)} in {files} file{'s' * (files != 1)}"


def _section(comparison: FileComparison) -> str:
    lines = "".join(
        f'<li class="{each.kind}"><b>{each.kind}</b> {escape(each.text)}'
        f"{f'<code>{escape(each.element)}</code>' if each.element else ''}</li>\n"
        for each in comparison.differences
    )
    drawn = ""
    if is_diagram(comparison):
        figures = zip(("before", "now"), _drawings(comparison), strict=True)
        shown = (f"<figure><figcaption>{title}</figcaption>{svg}</figure>" for title, svg in figures if svg)
        drawn = f'<div class="both">{"".join(shown)}</div>\n'
    return f"<section><h2>{escape(comparison.name)}</h2>\n<ul>{lines}</ul>\n{drawn}</section>\n"


def _drawings(comparison: FileComparison) -> tuple[str, str]:
    """Return the old and the new diagram, or empty texts; the old one shows what went, the new one what came."""
    if not is_diagram(comparison):
        raise BadSettings("DIFF_NO_PICTURE", f"{comparison.name} is no diagram: name a diagram, or a .html file")
    changed = {
        each.element: _MARKS[each.kind] for each in comparison.differences if each.kind in _MARKS and each.element
    }
    before = {element: mark for element, mark in changed.items() if mark is not Mark.ADDED}
    now = {element: mark for element, mark in changed.items() if mark is not Mark.REMOVED}
    return (
        draw(comparison.old, before) if comparison.old else "",
        draw(comparison.new, now) if comparison.new else "",
    )


def _size(svg: str) -> tuple[float, float]:
    width, height = (re.search(rf'<svg [^>]*\b{name}="([\d.]+)"', svg) for name in ("width", "height"))
    if width is None or height is None:
        raise AssertionError("a drawing says its size")
    return float(width[1]), float(height[1])
