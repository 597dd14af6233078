"""Read DMN decision tables."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from waggle.errors import BadSettings
from waggle.services.diagrams import parse_xml
from waggle.services.feel import FeelMistake, Formula, read_formula, read_tests

_SPACE: Final = "https://www.omg.org/spec/DMN/20191111/MODEL/"
"""DMN 1.3, which Modeler writes and the engine reads."""
_MODEL: Final = f"{{{_SPACE}}}"
_ZEEBE: Final = "{http://camunda.org/schema/zeebe/1.0}"
_MODELER: Final = "{http://camunda.org/schema/modeler/1.0}"


@dataclass(frozen=True, slots=True)
class Column:
    """One input or output of a table."""

    name: str
    """Expression of an input, name of an output."""
    label: str
    type: str
    """`string`, `number`, `boolean` ..., or nothing."""
    values: tuple[str, ...] = ()
    """The texts that it may hold, if the table says so."""


@dataclass(frozen=True, slots=True)
class Row:
    """One rule of a table."""

    id: str
    note: str
    conditions: tuple[str, ...]
    """Empty or `-`: anything."""
    answers: tuple[str, ...]

    @property
    def matches_anything(self) -> bool:
        """Whether no condition is set."""
        return not any(map(restricts, self.conditions))


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision: a table, or (without columns and rows) an expression."""

    file: Path
    id: str
    name: str
    version_tag: str | None
    engine_version: str | None
    hit_policy: str
    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    rows: tuple[Row, ...]
    expression: str | None
    """What it computes, if it is no table."""
    required: frozenset[str]
    """Ids of the decisions whose answers it reads."""
    columns_of_required: frozenset[str] = frozenset()
    """Names under which it reads them."""

    @property
    def is_table(self) -> bool:
        """Whether rows decide."""
        return self.expression is None

    @property
    def asks(self) -> frozenset[str]:
        """Names of the variables that it reads, what other decisions answer aside."""
        formulas = [read_expression(column.name) for column in self.inputs]
        formulas += [read_expression(self.expression or "")]
        names = {name for formula in formulas if formula is not None for name in formula.variables}
        return frozenset(names - self.required - self.columns_of_required)

    def answers(self, output: str) -> frozenset[str]:
        """Return every fixed text that the table can answer in the column *output*."""
        names = [column.name for column in self.outputs]
        if output not in names:
            return frozenset()
        column = names.index(output)
        written = (row.answers[column] for row in self.rows if column < len(row.answers))
        return frozenset(text for cell in written for text in re.findall(r'^"([^"]*)"$', cell))


def read_decisions(file: Path) -> list[Decision]:
    """Read every decision of one file.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE, it is no XML; DECISION_OF_ANOTHER_VERSION, it is not DMN 1.3; DECISION_MISSING,
            it holds none.
    """
    root = parse_xml(file)
    if root.tag != f"{_MODEL}definitions":
        space = root.tag.partition("}")[0].removeprefix("{")
        raise BadSettings(
            "DECISION_OF_ANOTHER_VERSION",
            f"it is written in another version of DMN than 1.3 ({space}); the version that Modeler writes is {_SPACE}",
        )
    found = [_decision(file, root, decision) for decision in root.iter(f"{_MODEL}decision")]
    if not found:
        raise BadSettings("DECISION_MISSING", "there is no decision in it")
    names = {decision.id: decision.name for decision in found}
    return [
        replace(decision, columns_of_required=frozenset(names[each] for each in decision.required if each in names))
        for decision in found
    ]


def read_expression(text: str) -> Formula | None:
    """Return what is computed by *text*, None if it cannot be read."""
    try:
        return read_formula(text)
    except FeelMistake:
        return None


def read_condition(text: str) -> Formula | None:
    """Return what is asked by the cell *text*, None if it cannot be read."""
    try:
        return read_tests(text)
    except FeelMistake:
        return None


def restricts(condition: str) -> bool:
    """Say whether a cell asks for anything."""
    return condition not in ("", "-")


def _decision(file: Path, root: ET.Element, decision: ET.Element) -> Decision:
    table = decision.find(f"{_MODEL}decisionTable")
    tag = decision.find(f"{_MODEL}extensionElements/{_ZEEBE}versionTag")
    return Decision(
        file=file,
        id=decision.get("id", ""),
        name=decision.get("name", ""),
        version_tag=tag.get("value") if tag is not None else None,
        engine_version=root.get(f"{_MODELER}executionPlatformVersion"),
        hit_policy=table.get("hitPolicy", "UNIQUE") if table is not None else "",
        inputs=tuple(map(_input, table.iter(f"{_MODEL}input"))) if table is not None else (),
        outputs=tuple(map(_output, table.iter(f"{_MODEL}output"))) if table is not None else (),
        rows=tuple(map(_row, table.iter(f"{_MODEL}rule"))) if table is not None else (),
        expression=None if table is not None else decision.findtext(f"{_MODEL}literalExpression/{_MODEL}text", ""),
        required=frozenset(
            found.get("href", "").removeprefix("#") for found in decision.iter(f"{_MODEL}requiredDecision")
        ),
    )


def _input(found: ET.Element) -> Column:
    expression = found.find(f"{_MODEL}inputExpression")
    values = found.findtext(f"{_MODEL}inputValues/{_MODEL}text", "")
    return Column(
        name=_text(expression) if expression is not None else "",
        label=found.get("label", ""),
        type=expression.get("typeRef", "") if expression is not None else "",
        values=tuple(re.findall(r'"([^"]*)"', values)),
    )


def _output(found: ET.Element) -> Column:
    values = found.findtext(f"{_MODEL}outputValues/{_MODEL}text", "")
    return Column(
        name=found.get("name", ""),
        label=found.get("label", ""),
        type=found.get("typeRef", ""),
        values=tuple(re.findall(r'"([^"]*)"', values)),
    )


def _row(found: ET.Element) -> Row:
    return Row(
        id=found.get("id", ""),
        note=" ".join(found.findtext(f"{_MODEL}description", "").split()),
        conditions=tuple(_text(cell) for cell in found.iter(f"{_MODEL}inputEntry")),
        answers=tuple(_text(cell) for cell in found.iter(f"{_MODEL}outputEntry")),
    )


def _text(cell: ET.Element) -> str:
    found = cell.find(f"{_MODEL}text")
    return (found.text or "").strip() if found is not None else ""
