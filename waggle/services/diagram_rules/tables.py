"""Decision tables, and the tasks that ask them."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from waggle.services.decisions import Column, Decision, Row, read_condition, read_expression, restricts
from waggle.services.diagram_rules.flowing import flowing
from waggle.services.diagram_rules.naming import ENGINE_VERSION
from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.diagram_rules.telling import about, choose, listed
from waggle.services.diagrams import Diagram
from waggle.services.feel import FUNCTIONS, FeelMistake, Formula, read_formula, read_tests
from waggle.services.findings import Finding

# Others deploy too, but the engine treats PRIORITY like FIRST and OUTPUT ORDER like RULE ORDER.
_HIT_POLICIES: Final = ("UNIQUE", "FIRST", "ANY", "COLLECT", "RULE ORDER")
_ONE_ANSWER: Final = ("UNIQUE", "FIRST", "ANY")
_TEXT: Final = re.compile(r'"[^"]*"')


def decisions_exist(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A decision that is asked is in bpmn/decisions, and bound to the deployment; the engine looks only in passing."""
    for node in diagram.nodes.values():
        if node.decision is None:
            continue
        if node.decision not in known.decisions:
            yield about(
                diagram,
                node,
                f'there is no decision "{node.decision}" in bpmn/decisions',
                "every journey stops here with an incident",
                choose(node.decision, known.decisions.keys()),
            )
        if node.decision_binding != "deployment":
            yield about(
                diagram,
                node,
                "the decision is not bound to the deployment",
                "running journeys answer by a table that was deployed after them",
                'set Binding to "deployment"',
            )


def decisions_get_their_inputs(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """Each variable that a table asks for can be there where it is asked; an absent one matches no condition."""
    for node in diagram.nodes.values():
        decision = known.decisions.get(node.decision or "")
        if decision is None:
            continue
        # A piece is given what it reads by its callers, where a missing one is found.
        missing = () if diagram.is_piece else sorted(decision.asks - flowing(diagram, known).available(node))
        for name in missing:
            yield about(
                diagram,
                node,
                f'the decision "{decision.id}" asks for "{name}", which nothing before it has written',
                "its conditions never match, so that the wrong row answers without a word",
                f"add the input {name}, or a task before it that finds it out",
            )
        for name in sorted({name for name, _ in node.inputs} - decision.asks):
            yield about(
                diagram,
                node,
                f'the decision "{decision.id}" does not ask for the input "{name}"',
                "what was meant by it does not happen",
                f"remove it, or use one of {listed(decision.asks)}",
            )


def answers_that_are_read_exist(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A part of a decision's answer, as in offer.coupon_campaign, is an output column of its table."""
    deciding = {
        node.decision_result: known.decisions[node.decision]
        for node in diagram.nodes.values()
        if node.decision in known.decisions and node.decision is not None and node.decision_result
    }
    for reading in flowing(diagram, known).readings():
        for path in sorted(reading.formula.reads):
            result, _, column = path.partition(".")
            decision = deciding.get(result)
            names = [each.name for each in decision.outputs] if decision is not None else []
            if decision is None or not column or not decision.is_table or column in names or len(names) < 2:  # noqa: PLR2004 -- one column answers a bare value
                continue
            yield about(
                diagram,
                diagram.nodes.get(reading.element) or diagram.flows.get(reading.element),
                f'the {reading.what} reads {path}, but the decision "{decision.id}" has no column "{column}"',
                "it is always null",
                f"read one of {', '.join(f'{result}.{name}' for name in names)}",
            )


def tables_have_a_version(decision: Decision, _known: Surroundings) -> Iterator[Finding]:
    """A decision has a version tag, so that people can tell which version answered."""
    if decision.version_tag is None:
        yield _of(
            decision, "no version tag", "nobody can tell which version answered", "set Version tag, for example 1.0.0"
        )


def tables_are_drawn_for_this_engine(decision: Decision, _known: Surroundings) -> Iterator[Finding]:
    """Modeler offers what the engine version written in the file has; here that is 8.6.0."""
    if decision.engine_version != ENGINE_VERSION:
        yield _of(
            decision,
            f"drawn for engine {decision.engine_version or 'unknown'}",
            "Modeler offers what the engine does not have",
            f"set the execution platform version to {ENGINE_VERSION}",
        )


def tables_are_named_like_their_file(decision: Decision, known: Surroundings) -> Iterator[Finding]:
    """The decision that a file is named after is in it."""
    beside = {each.id for each in known.decisions.values() if each.file == decision.file}
    if decision.file.stem not in beside:
        yield _of(
            decision,
            f"no decision in the file has its name, {decision.file.stem}",
            "nobody finds the table that a diagram names",
            "make id and file name the same, in kebab-case",
        )


def hit_policies_are_what_they_say(decision: Decision, _known: Surroundings) -> Iterator[Finding]:
    """The engine takes PRIORITY for FIRST and OUTPUT ORDER for RULE ORDER without a word."""
    if decision.is_table and decision.hit_policy not in _HIT_POLICIES:
        yield _of(
            decision,
            f"hit policy {decision.hit_policy}",
            "the engine takes it for another one without a word",
            f"use one of {', '.join(_HIT_POLICIES)}",
        )


def tables_answer_with_two_columns(decision: Decision, _known: Surroundings) -> Iterator[Finding]:
    """One output column answers a bare value, two or more an object: a second one added later breaks every reader."""
    if decision.is_table and len(decision.outputs) < 2:  # noqa: PLR2004 -- with one column the answer is a bare value
        yield _of(
            decision,
            "one output column only",
            "a second one, added later, changes the shape of the answer and breaks every diagram that reads it",
            'add a second output, for example "reason"',
        )


def tables_always_answer(decision: Decision, _known: Surroundings) -> Iterator[Finding]:
    """Where no row matches, the answer is null: a table with one answer ends with a row that matches everything."""
    if decision.hit_policy not in _ONE_ANSWER or (decision.rows and decision.rows[-1].matches_anything):
        return
    yield _of(
        decision,
        "the last row does not match everything",
        "a case that fits no row answers null, and the journey goes on without an offer or stops",
        "add a last row with empty conditions"
        + ("" if decision.hit_policy == "FIRST" else ", and the hit policy FIRST"),
    )


def rows_can_match(decision: Decision, _known: Surroundings) -> Iterator[Finding]:
    """A row behind one that matches all it would match never answers; in a UNIQUE table both do: an incident."""
    for later, row in enumerate(decision.rows):
        earlier = next((each for each in decision.rows[:later] if _covers(each, row)), None)
        if earlier is None and decision.hit_policy in ("UNIQUE", "ANY"):
            earlier = next((each for each in decision.rows[:later] if _covers(row, each)), None)
        if earlier is None:
            continue
        if decision.hit_policy == "FIRST":
            problem, consequence = (
                f"it stands behind {_row(earlier)}, which matches all that it would match",
                "never used",
            )
            yield _of(decision, problem, f"the row is {consequence}", "move it up, or remove it", row)
        elif decision.hit_policy in ("UNIQUE", "ANY"):
            yield _of(
                decision,
                f"{_row(earlier)} matches as well, and the hit policy is {decision.hit_policy}",
                "where both match, the journey stops with an incident",
                "set the hit policy FIRST",
                row,
            )


def cells_can_be_read(decision: Decision, _known: Surroundings) -> Iterator[Finding]:
    """Conditions, answers and input expressions are FEEL; a text stands in quotation marks."""
    for column in decision.inputs:
        for problem, mend in _mistakes(read_formula, column.name):
            yield _of(
                decision, f'the input expression "{column.name}": {problem}', "the engine refuses the table", mend
            )
    names = {each for column in decision.inputs for each in _names(read_expression(column.name))} | decision.asks
    for row in decision.rows:
        for column, cell in zip(decision.inputs, row.conditions, strict=False):
            yield from _cell(decision, row, column, cell, names)
        for column, cell in zip(decision.outputs, row.answers, strict=False):
            yield from _cell(decision, row, column, cell, names, is_answer=True)


def cells_fit_their_column(decision: Decision, _known: Surroundings) -> Iterator[Finding]:
    """A text among numbers, a number among texts, or a text that the column never holds, matches nothing."""
    for row in decision.rows:
        for column, cell in zip(decision.inputs, row.conditions, strict=False):
            texts, rest = [text.strip('"') for text in _TEXT.findall(cell)], _TEXT.sub("", cell)
            if column.type == "number" and texts and "string" not in rest:
                problem = f"a text, {cell}, in the column of numbers {_called(column)}"
            elif column.type == "string" and not texts and re.search(r"\d", rest) and "(" not in rest:
                problem = f"a number, {cell}, in the column of texts {_called(column)}"
            elif column.values and (strange := [text for text in texts if text not in column.values]):
                problem = f'"{strange[0]}" in the column {_called(column)}, which holds {", ".join(column.values)}'
            else:
                continue
            yield _of(
                decision,
                problem,
                "the row never matches, and the next one answers without a word",
                "correct the cell, or the column's type and values",
                row,
            )


def offered_campaigns_exist(decision: Decision, known: Surroundings) -> Iterator[Finding]:
    """Every coupon campaign, message and segment that a table answers with is there."""
    for output, there, where in (
        ("coupon_campaign", known.campaigns, "config/coupons.toml"),
        ("template", frozenset(known.templates), "config/messages"),
        ("segment", known.segments, "config/segments"),
    ):
        for name in sorted(decision.answers(output) - there):
            if output == "coupon_campaign":
                yield _of(
                    decision,
                    f'offers the coupon campaign "{name}", which {where} does not have',
                    "every journey that gets this offer stops with an incident",
                    f"add [{name}] there, or offer one of {listed(there)}",
                )
                continue
            yield _of(
                decision,
                f'answers with the {output} "{name}", which {where} does not have',
                "every journey that gets this answer stops with an incident",
                f"use one of {listed(there)}",
            )


def required_decisions_exist(decision: Decision, known: Surroundings) -> Iterator[Finding]:
    """A decision that another one is drawn to need is in the same file."""
    for needed in sorted(decision.required):
        if needed not in known.decisions or known.decisions[needed].file != decision.file:
            yield _of(
                decision,
                f'it needs the decision "{needed}", which is not in its file',
                "the engine refuses the file",
                "draw it there, or remove the arrow",
            )


def _cell(  # noqa: PLR0913 -- a cell is known by its row and column
    decision: Decision, row: Row, column: Column, cell: str, names: set[str], *, is_answer: bool = False
) -> Iterator[Finding]:
    if not cell and not is_answer:
        return
    read = read_formula if is_answer else read_tests
    for problem, mend in _mistakes(read, cell):
        yield _of(decision, f"{cell or 'an empty answer'} in the column {_called(column)}: {problem}",
                  "the engine refuses the table", mend, row)  # fmt: skip
    formula = read_expression(cell) if is_answer else read_condition(cell)
    for name in sorted(_names(formula) - names):
        yield _of(
            decision,
            f"{cell} in the column {_called(column)} reads a variable {name}, which the table does not ask for",
            "it is null: the row never matches, or answers nothing",
            f'write "{cell}" in quotation marks if it is a text',
            row,
        )


def _mistakes(read: Callable[[str], Formula], text: str) -> Iterator[tuple[str, str]]:
    try:
        formula = read(text)
    except FeelMistake as mistake:
        yield mistake.problem, mistake.mend
        return
    for function, _ in formula.calls:
        if function not in FUNCTIONS:
            yield f"there is no function {function}", "look at the list of functions in Modeler's FEEL editor"


def _names(formula: Formula | None) -> set[str]:
    return set(formula.variables) if formula is not None else set()


def _covers(one: Row, other: Row) -> bool:
    """Say whether *one* surely matches whatever *other* matches."""
    pairs = zip(one.conditions, other.conditions, strict=False)
    return all(
        not restricts(wide) or _normal(wide) == _normal(narrow) or _within(narrow, wide) for wide, narrow in pairs
    )


def _within(narrow: str, wide: str) -> bool:
    """Say whether *narrow* is one of several texts, or a nearer bound, of *wide*."""
    texts, among = _TEXT.findall(narrow), _TEXT.findall(wide)
    if among and not _TEXT.sub("", wide).strip(", ") and not _TEXT.sub("", narrow).strip(", "):
        return bool(texts) and set(texts) <= set(among)
    bounds = [re.fullmatch(r"(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)", cell) for cell in (narrow, wide)]
    if bounds[0] is None or bounds[1] is None or bounds[0][1] != bounds[1][1]:
        return False
    near, far = float(bounds[0][2]), float(bounds[1][2])
    return near <= far if bounds[0][1].startswith("<") else near >= far


def _normal(cell: str) -> str:
    return "".join(cell.split()) if '"' not in cell else cell.strip()


def _called(column: Column) -> str:
    return f'"{column.label or column.name}"'


def _row(row: Row) -> str:
    return f"the row {row.id}{f' ({row.note})' if row.note else ''}"


def _of(decision: Decision, problem: str, consequence: str, mend: str, row: Row | None = None) -> Finding:
    if row is not None:
        return Finding(decision.file, row.id, row.note, problem, consequence, mend)
    return Finding(decision.file, decision.id, decision.name, problem, consequence, mend)
