"""Reads docs/howto-journey.md as the analyst does: its files, its table of steps, its arrows."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from waggle.cli.bpmnlint import install

ROOT = Path(__file__).parents[2]
HOWTO = ROOT / "docs/howto-journey.md"
MODELER = ROOT / "tools/modeler"

PLAIN = {"Exclusive gateway": "bpmn:ExclusiveGateway", "End event": "bpmn:EndEvent"}
COLUMN_PX, ROW_PX, LEFT_PX, TOP_PX = 170, 130, 200, 180


@dataclass(frozen=True)
class Files:
    """What is to be written where; a path that ends with ` +` is added to what is there."""

    blocks: dict[str, str]

    def write(self, folder: Path) -> None:
        for name, text in self.blocks.items():
            path, _, more = name.partition(" ")
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            before = file.read_text(encoding="utf-8") + "\n" if more else ""
            file.write_text(before + text, encoding="utf-8")


def files() -> Files:
    blocks = re.findall(
        r"^```\w+ ((?:bpmn|config)/\S+(?: \+)?)\n(.*?)^```$", HOWTO.read_text(), re.MULTILINE | re.DOTALL
    )
    return Files(dict(blocks))


def process() -> dict[str, str]:
    text = HOWTO.read_text()
    [documentation] = re.findall(r"^```text documentation\n(.*?)\n^```$", text, re.MULTILINE | re.DOTALL)
    named = re.search(r"ID\n`([a-z-]+)`.*?name \*(.*?)\*, version tag `(.*?)`", text, re.DOTALL)
    assert named is not None
    return {"id": named[1], "name": named[2], "versionTag": named[3], "documentation": documentation}


def strokes(templates: Path) -> list[dict[str, Any]]:
    """Return what the tables say as strokes of tools/modeler/draw.mjs."""
    by_name = {
        json.loads(file.read_text())["name"]: json.loads(file.read_text())["id"] for file in templates.glob("*.json")
    }
    steps, exits, arrows = (list(rows) for rows in tables())
    drawn = [*along(steps, by_name), *inside(exits, by_name)]
    return [*drawn, *map(arrow, arrows)]


def tables() -> Iterator[list[dict[str, str]]]:
    for table in re.findall(r"^((?:\|.*\|\n)+)", HOWTO.read_text(), re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines())
        yield [dict(zip(head, row, strict=True)) for row in rows]


def along(rows: list[dict[str, str]], by_name: dict[str, str]) -> Iterator[dict[str, Any]]:
    """To the right of what it follows; below, where something stands already."""
    places: dict[str, tuple[int, int]] = {}
    taken: set[tuple[int, int]] = set()
    for row in rows:
        column, line = places.get(row["after"], (-1, 0))
        while (column + 1, line) in taken:
            line += 1
        places[row["ID"]] = (column + 1, line)
        taken.add(places[row["ID"]])
        at = [LEFT_PX + (column + 1) * COLUMN_PX, TOP_PX + line * ROW_PX]
        yield {**drawn(row, by_name), "at": at, **({"after": row["after"]} if row["after"] else {})}


def inside(rows: list[dict[str, str]], by_name: dict[str, str]) -> Iterator[dict[str, Any]]:
    left, before, count = LEFT_PX + 150, "", 0
    for row in rows:
        if not row["in"]:
            options = {"triggeredByEvent": True, "isExpanded": True, "width": 400, "height": 180}
            at = [left, TOP_PX + 3 * ROW_PX]
            yield {"draw": row["ID"], "kind": "bpmn:SubProcess", "at": at, "name": row["name"], "options": options}
            left, before, count = left + 440, "", 0
            continue
        at = [left - 440 - 140 + count * 140, TOP_PX + 3 * ROW_PX]
        yield {**drawn(row, by_name), "at": at, "in": row["in"], **({"after": before} if before else {})}
        before, count = row["ID"], count + 1


def drawn(row: dict[str, str], by_name: dict[str, str]) -> dict[str, Any]:
    fill = dict(re.split(r" = ?", each.strip(), maxsplit=1) for each in row["fields"].split(";") if each.strip())
    kind = {"kind": PLAIN[row["step"]]} if row["step"] in PLAIN else {"template": by_name[row["step"]]}
    return {"draw": row["ID"], "name": row["name"], **kind, "fill": fill}


def arrow(row: dict[str, str]) -> dict[str, Any]:
    usual = row["condition"] == "default"
    said = {"default": True} if usual else {"condition": row["condition"]}
    return {"connect": [row["from"], row["to"]], "name": row["name"], **said}


def draw_with_modeler(templates: Path, target: Path) -> None:
    """Draw the howto's diagram with the code that Modeler runs."""
    target.write_bytes(modelled(templates, {"process": process(), "strokes": strokes(templates)}))


def modelled(templates: Path, work: dict[str, Any]) -> bytes:
    node = installed(MODELER)
    done = subprocess.run(
        [node, MODELER / "draw.mjs", templates], input=json.dumps(work).encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def installed(folder: Path) -> str:
    """Return Node, with the packages of *folder* as they are pinned there."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node is not installed")
    install(npm, folder)
    return node
