"""Write docs/journeys.md: every journey, what it is for and how it looks, from the diagrams themselves.

python tools/pictures/gallery.py        `make pictures` runs it after the pictures are drawn
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from waggle.services.diagrams import Diagram, read_diagram
from waggle.services.journeys import JourneyBook, load_journeys

ROOT = Path(__file__).resolve().parent.parent.parent
_WORD = re.compile(r"([A-Z][a-z]+(?:[ -][a-z]+)?): (.*)")
PAGE = ROOT / "docs/journeys.md"

_HEAD = """# The journeys

What Waggle comes with. This page is made from the diagrams by `make pictures`; change those. To make one of your own:
[howto-journey.md](howto-journey.md). A journey that is switched off waits until its file in `config/journeys` says
`enabled = true`.
"""


def page(bpmn_dir: Path, config_dir: Path) -> str:
    """Return the whole page."""
    book = load_journeys(config_dir)
    journeys = [read_diagram(file) for file in sorted(bpmn_dir.glob("journeys/*.bpmn"))]
    pieces = [read_diagram(file) for file in sorted(bpmn_dir.glob("pieces/*.bpmn"))]
    parts = [_HEAD, _overview(journeys, book), *map(_told, journeys)]
    if pieces:
        parts += ["# Pieces\n\nWhat several journeys share, called by them.\n", *map(_told, pieces)]
    return "\n".join(parts)


def _overview(journeys: list[Diagram], book: JourneyBook) -> str:
    rows = [
        f"| [{each.process_id}](#{each.process_id}) | {_lines(each).get('Goal', '')} | "
        f"{'on' if book.of(each.process_id).entry.enabled else 'off'} |"
        for each in journeys
    ]
    return "\n".join(["| journey | goal | comes switched |", "|---|---|---|", *rows, ""])


def _told(diagram: Diagram) -> str:
    said = "\n".join(f"* **{word}**: {text}" for word, text in _lines(diagram).items())
    return (
        f"## {diagram.process_id}\n\n{diagram.process_name}, version {diagram.version_tag}.\n\n{said}\n\n"
        f"![{diagram.process_name}](pictures/{diagram.process_id}.svg)\n"
    )


def _lines(diagram: Diagram) -> dict[str, str]:
    """Return what the documentation says under each of its words."""
    return dict(_parted(diagram.documentation))


def _parted(documentation: str) -> Iterator[tuple[str, str]]:
    word, text = "", ""
    for line in documentation.strip().splitlines():
        found = _WORD.match(line)
        if found is None:
            text = f"{text} {line.strip()}"
            continue
        if word:
            yield word, text
        word, text = found[1], found[2].strip()
    if word:
        yield word, text


if __name__ == "__main__":
    PAGE.write_text(page(ROOT / "bpmn", ROOT / "config"), encoding="utf-8")
    sys.exit(0)
