"""Read DMN decision tables, and find what the engine would accept and then do wrong."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from waggle.services.diagrams import parse_xml
from waggle.services.findings import Finding

_MODEL: Final = "{https://www.omg.org/spec/DMN/20191111/MODEL/}"
_ZEEBE: Final = "{http://camunda.org/schema/zeebe/1.0}"

# Others deploy too, but the engine treats PRIORITY like FIRST and OUTPUT ORDER like RULE ORDER.
_HIT_POLICIES: Final = ("UNIQUE", "FIRST", "ANY", "COLLECT", "RULE ORDER")


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision table."""

    file: Path
    id: str
    name: str
    version_tag: str | None
    hit_policy: str
    outputs: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    """Per row its conditions (empty: anything) and its answers, as written."""

    def answers(self, output: str) -> frozenset[str]:
        """Return every fixed text that the table can answer in the column *output*."""
        if output not in self.outputs:
            return frozenset()
        column = self.outputs.index(output)
        written = (answers[column] for _, answers in self.rows if column < len(answers))
        return frozenset(text for cell in written for text in re.findall(r'^"([^"]*)"$', cell))


def read_decisions(file: Path) -> list[Decision]:
    """Read every decision table of one file.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE, it is no XML.
    """
    root = parse_xml(file)
    found = []
    for decision in root.iter(f"{_MODEL}decision"):
        table = decision.find(f"{_MODEL}decisionTable")
        if table is None:
            continue
        tag = decision.find(f"{_MODEL}extensionElements/{_ZEEBE}versionTag")
        found.append(
            Decision(
                file=file,
                id=decision.get("id", ""),
                name=decision.get("name", ""),
                version_tag=tag.get("value") if tag is not None else None,
                hit_policy=table.get("hitPolicy", "UNIQUE"),
                outputs=tuple(output.get("name", "") for output in table.iter(f"{_MODEL}output")),
                rows=tuple(
                    (
                        tuple(_text(cell) for cell in rule.iter(f"{_MODEL}inputEntry")),
                        tuple(_text(cell) for cell in rule.iter(f"{_MODEL}outputEntry")),
                    )
                    for rule in table.iter(f"{_MODEL}rule")
                ),
            )
        )
    return found


def check_decision(decision: Decision) -> Iterator[Finding]:
    """Yield what is wrong with one table."""

    def finding(problem: str, consequence: str, mend: str) -> Finding:
        return Finding(decision.file, decision.id, decision.name, problem, consequence, mend)

    if decision.version_tag is None:
        yield finding("no version tag", "nobody can tell which version answered", "set Version tag, for example 1.0.0")
    if decision.hit_policy not in _HIT_POLICIES:
        yield finding(
            f"hit policy {decision.hit_policy}",
            "the engine takes it for another one without a word",
            f"use one of {', '.join(_HIT_POLICIES)}",
        )
    if len(decision.outputs) < 2:  # noqa: PLR2004 -- with one column the answer is a bare value
        yield finding(
            "one output column only",
            "a second one, added later, changes the shape of the answer and breaks every diagram that reads it",
            'add a second output, for example "reason"',
        )
    if decision.hit_policy == "FIRST" and not (decision.rows and not any(map(_restricts, decision.rows[-1][0]))):
        yield finding(
            "the last row does not match everything",
            "a case that fits no row answers null, and the journey goes on without an offer or stops",
            "add a last row with empty conditions",
        )


def _text(cell: ET.Element) -> str:
    found = cell.find(f"{_MODEL}text")
    return (found.text or "").strip() if found is not None else ""


def _restricts(condition: str) -> bool:
    return condition not in ("", "-")
