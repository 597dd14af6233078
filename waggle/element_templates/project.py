"""What an analyst's folders offer for ready-made steps: messages, coupons, segments, decisions, pieces."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from waggle.element_templates.described import Described
from waggle.errors import BadSettings
from waggle.services.catalogue import Catalogue, load_catalogue
from waggle.services.coupons import load_campaigns
from waggle.services.decisions import read_decisions
from waggle.services.diagrams import Diagram, parse_xml, read_diagram

_BPMN: Final = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_DMN: Final = "{https://www.omg.org/spec/DMN/20191111/MODEL/}"
_VARIABLE: Final = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(?:\(([^()]*)\))?\s*")


@dataclass(frozen=True, slots=True)
class Message:
    """A folder of config/messages."""

    name: str
    purpose: str
    """`marketing` or `transactional`."""


@dataclass(frozen=True, slots=True)
class Table:
    """A decision."""

    id: str
    name: str
    text: str
    inputs: tuple[str, ...]
    """Process variables that it reads."""
    columns: tuple[str, ...]
    """What it answers."""
    result: str
    """The process variable that diagrams put the answer in."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A process that journeys call."""

    id: str
    name: str
    text: str
    inputs: tuple[Described, ...]
    outputs: tuple[Described, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """Everything that a field of a step may name."""

    messages: tuple[Message, ...]
    campaigns: tuple[str, ...]
    segments: tuple[str, ...]
    tables: tuple[Table, ...]
    pieces: tuple[Piece, ...]
    catalogue: Catalogue


NOTHING: Final = Project((), (), (), (), (), Catalogue({}))


def read_project(bpmn_dir: Path, config_dir: Path) -> Project:
    """Read the folders.

    Raises:
        BadSettings: a file cannot be read; the message names it.
    """
    diagrams = [read_diagram(file) for file in sorted(bpmn_dir.rglob("*.bpmn"))]
    decisions = sorted(bpmn_dir.rglob("*.dmn"))
    return Project(
        messages=tuple(_message(file) for file in sorted(config_dir.glob("messages/*/message.toml"))),
        campaigns=tuple(sorted(load_campaigns(config_dir))),
        segments=tuple(file.stem for file in sorted(config_dir.glob("segments/*.toml"))),
        tables=tuple(table for file in decisions for table in _tables(file, _results(diagrams))),
        pieces=tuple(_piece(file) for file in sorted(bpmn_dir.glob("pieces/*.bpmn"))),
        catalogue=load_catalogue(bpmn_dir),
    )


def _message(file: Path) -> Message:
    try:
        purpose = tomllib.loads(file.read_text(encoding="utf-8")).get("purpose", "")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings("MESSAGE_UNREADABLE", f"{file}: {error}") from error
    return Message(file.parent.name, str(purpose))


def _results(diagrams: Iterable[Diagram]) -> dict[str, str]:
    """Return the variable that diagrams use for each decision's answer; of several, that of the first file."""
    used: dict[str, str] = {}
    for diagram in diagrams:
        for node in diagram.nodes.values():
            if node.decision and node.decision_result:
                used.setdefault(node.decision, node.decision_result)
    return used


def _tables(file: Path, results: Mapping[str, str]) -> Iterable[Table]:
    elements = {found.get("id"): found for found in parse_xml(file).iter(f"{_DMN}decision")}
    for decision in read_decisions(file):
        element = elements[decision.id]
        expressions = (found.findtext(f"{_DMN}text", "") for found in element.iter(f"{_DMN}inputExpression"))
        names = (found.group() for text in expressions if (found := re.match(r"[A-Za-z_]\w*", text.strip())))
        yield Table(
            id=decision.id,
            name=decision.name or decision.id,
            text=" ".join((element.findtext(f"{_DMN}description") or "").split()),
            inputs=tuple(dict.fromkeys(names)),
            columns=tuple(column.name for column in decision.outputs),
            result=results.get(decision.id, decision.id.rpartition("-")[2]),
        )


def _piece(file: Path) -> Piece:
    """Read the lines `In:` and `Out:` of a piece's documentation: `In: coupon_id (may be null), wait (a duration)`."""
    diagram = read_diagram(file)
    written = "\n".join(found.text or "" for found in parse_xml(file).iterfind(f"{_BPMN}process/{_BPMN}documentation"))
    lines = dict(re.findall(r"^([A-Z][a-z-]*):\s*(.*)$", written, re.MULTILINE))
    return Piece(
        id=diagram.process_id,
        name=diagram.process_name or diagram.process_id,
        text=lines.get("Goal", ""),
        inputs=tuple(_variables(lines.get("In", ""))),
        outputs=tuple(_variables(lines.get("Out", ""))),
    )


def _variables(line: str) -> Iterable[Described]:
    for name, remark in _VARIABLE.findall(line):
        kind = timedelta if "duration" in remark else str
        yield Described(name, kind, nullable="null" in remark, text=remark[:1].upper() + remark[1:])
