"""Draw a BPMN diagram as a picture with bpmn-js in a headless Chromium.

    python tools/pictures/render.py bpmn/journeys/abandoned-cart.bpmn docs/pictures/abandoned-cart.svg

The target's suffix is .svg or .png. Needs Chromium, and Node once, to install bpmn-js as pinned in package-lock.json.
The bpmn.io mark stays in the picture: the licence of bpmn-js asks for it.
"""

import argparse
import base64
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_VIEWER = _HERE / "node_modules/bpmn-js/dist/bpmn-viewer.production.min.js"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_MARGIN_PX = 30
_MARK_WIDTH_PX, _MARK_HEIGHT_PX = 53, 21
_PATIENCE_MS = 10_000

_PAGE = """<!doctype html><meta charset="utf-8"><div id="canvas" style="width: 1600px; height: 900px"></div>
<script src="VIEWER"></script>
<script>
const tell = drawn => {
  const out = document.createElement('pre');
  out.id = 'drawn';
  out.textContent = btoa(unescape(encodeURIComponent(JSON.stringify(drawn))));
  document.body.append(out);
};
const viewer = new BpmnJS({ container: '#canvas' });
viewer.importXML(DIAGRAM).then(async ({ warnings }) => tell({
  svg: (await viewer.saveSVG()).svg,
  box: viewer.get('canvas').viewbox().inner,
  mark: document.querySelector('.bjs-powered-by svg').innerHTML,
  warnings: warnings.map(warning => warning.message),
})).catch(error => tell({ failure: error.message }));
</script>
"""


@dataclass(frozen=True)
class Picture:
    """An SVG document and its size."""

    svg: str
    width_px: int
    height_px: int


class Browser:
    """A headless Chromium with a profile of its own in *folder*."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder

    def open(self, content: str, *flags: str) -> str:
        """Open *content* as a page and return what the browser prints."""
        page = self._folder / "page.html"
        page.write_text(content, encoding="utf-8")
        always = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
        here = (f"--virtual-time-budget={_PATIENCE_MS}", f"--user-data-dir={self._folder / 'profile'}")
        done = subprocess.run(
            [self._program, *always, *here, "--hide-scrollbars", *flags, page.as_uri()],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return done.stdout.decode()


def main(source: Path, target: Path) -> int:
    """Draw *source* into *target*; return the exit code."""
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        print(f"No picture drawn: none of {', '.join(_BROWSERS)} is installed.", file=sys.stderr)
        return 1
    if not _VIEWER.exists():
        subprocess.run(["npm", "ci", "--silent"], cwd=_HERE, check=True)
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(program, Path(folder))
        drawn = _draw(browser, source.read_text(encoding="utf-8"))
        for warning in drawn.get("warnings", []):
            print(f"{source}: {warning}", file=sys.stderr)
        if "failure" in drawn:
            print(f"{source}: {drawn['failure']}", file=sys.stderr)
            return 1
        picture = _framed(drawn)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".svg":
            target.write_text(picture.svg, encoding="utf-8")
        else:
            page = f'<!doctype html><meta charset="utf-8"><body style="margin: 0">{picture.svg}'
            size = f"--window-size={picture.width_px},{picture.height_px}"
            browser.open(page, size, f"--screenshot={target.resolve()}")
    return 0


def _draw(browser: Browser, diagram: str) -> dict[str, Any]:
    # "</" would end the script element wherever it stands.
    text = json.dumps(diagram).replace("</", "<\\/")
    after = browser.open(_PAGE.replace("VIEWER", _VIEWER.as_uri()).replace("DIAGRAM", text), "--dump-dom")
    found = re.search(r'<pre id="drawn">([^<]*)</pre>', after)
    if found is None:
        return {"failure": "the viewer did not draw it in time"}
    drawn: dict[str, Any] = json.loads(base64.b64decode(found[1]))
    return drawn


def _framed(drawn: dict[str, Any]) -> Picture:
    """Set what bpmn-js drew on white, with a margin, and the mark in the corner."""
    x, y, width, height = (round(drawn["box"][key]) for key in ("x", "y", "width", "height"))
    x, y, width, height = x - _MARGIN_PX, y - _MARGIN_PX, width + 2 * _MARGIN_PX, height + 2 * _MARGIN_PX
    # Names of clip paths and arrow heads are drawn by lot; counted, the same diagram gives the same picture.
    names: dict[str, str] = {}
    body = re.sub(
        r"\b(marker|djs-[a-z-]+)-[a-z0-9]{20,}",
        lambda found: names.setdefault(found[0], f"{found[1]}-{len(names)}"),
        drawn["svg"].partition("<svg")[2].partition(">")[2].rpartition("</svg>")[0],
    )
    # What only catches the mouse.
    body = re.sub(r'<(rect|path|circle|polyline)[^>]*class="djs-(hit|outline)[^>]*>', "", body)
    mark_x, mark_y = x + width - _MARK_WIDTH_PX - 8, y + height - _MARK_HEIGHT_PX - 8
    return Picture(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width}" height="{height}" viewBox="{x} {y} {width} {height}">'
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="white"/>{body}'
        f'<svg x="{mark_x}" y="{mark_y}" width="{_MARK_WIDTH_PX}" height="{_MARK_HEIGHT_PX}" viewBox="0 0 14.02 5.57" '
        f'color="#404040">{drawn["mark"]}</svg></svg>\n',
        width,
        height,
    )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", type=Path)
    arguments.add_argument("target", type=Path)
    asked = arguments.parse_args()
    sys.exit(main(asked.source, asked.target))
