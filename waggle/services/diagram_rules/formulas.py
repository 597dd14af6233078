"""FEEL in diagrams: what is computed can be computed, and means what was meant."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, cast, get_args, get_origin, get_type_hints

from waggle.services.diagram_rules.flowing import formula_in
from waggle.services.diagram_rules.surroundings import Surroundings, TaskType
from waggle.services.diagram_rules.telling import about, expressions, listed
from waggle.services.diagrams import Diagram, Node
from waggle.services.feel import FUNCTIONS, Comparison, FeelMistake, Formula, read_formula
from waggle.services.findings import Finding

_ORDERED: Final = ("<", "<=", ">", ">=")
_LOOKS_COMPUTED: Final = re.compile(r"\w\s*\(|[=<>]|^[a-z]+_[a-z_]+$|^[a-z_]+\.[a-z_]+")


def formulas_can_be_read(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Brackets are closed, texts stand in straight double quotation marks, and = compares, and joins conditions."""
    for thing, what, source in expressions(diagram):
        if not source.startswith("="):
            continue
        try:
            read_formula(source[1:])
        except FeelMistake as mistake:
            yield about(
                diagram,
                thing,
                f"the {what} {source} cannot be read: {mistake.problem}",
                "the engine refuses the diagram, and nothing is deployed",
                mistake.mend,
            )


def formulas_begin_with_an_equals_sign(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """A mapping without = at its beginning is a fixed text, also where the name of a variable was meant."""
    for thing, what, source in expressions(diagram):
        if source.startswith("=") or what in ("condition", "timer"):
            continue
        variable = what.partition(" ")[2]
        written = {name for node in diagram.nodes.values() for name, _ in node.outputs}
        is_meant = source in written or source == variable or source.partition(".")[0] in written | {"settings"}
        if (
            what.startswith("output ")
            or (is_meant and _LOOKS_COMPUTED.search(source))
            or what
            in (
                "script",
                "input collection",
            )
        ):
            yield about(
                diagram,
                thing,
                f'the {what} is the fixed text "{source}"',
                f'it is the word "{source}" itself, not what the variable holds',
                f"write ={source}",
            )


def functions_exist(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """A function that the engine does not have answers null; one with too few or too many arguments too."""
    for thing, what, formula in _formulas(diagram):
        for function, count in formula.calls:
            if function not in FUNCTIONS:
                near = [name for name in FUNCTIONS if name.split()[0] == function.split("_")[0].lower()]
                yield about(
                    diagram,
                    thing,
                    f'the {what} calls "{function}", which is no function',
                    "it is null: a timer becomes an incident, a condition stops the journey",
                    f"use one of {listed(near or FUNCTIONS)}",
                )
            elif count not in FUNCTIONS[function]:
                yield about(
                    diagram,
                    thing,
                    f'the {what} gives "{function}" {count} arguments',
                    "it is null: a timer becomes an incident, a condition stops the journey",
                    f"give it {FUNCTIONS[function].start}",
                )


def names_have_no_dashes(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """cart-value is cart minus value; variables are written with an underscore."""
    for thing, what, formula in _formulas(diagram):
        for left, right in formula.differences:
            yield about(
                diagram,
                thing,
                f"the {what} reads {left}-{right}, which is {left} minus {right}",
                "it is null where one of both is no number",
                f"write {left}_{right}, or blanks around the minus if it is meant",
            )
    for node in diagram.nodes.values():
        for variable, _ in (*node.inputs, *node.outputs):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", variable):
                yield about(
                    diagram,
                    node,
                    f'the variable is called "{variable}"',
                    "the engine refuses it, or no formula can read it",
                    "write small letters, digits and _, for example cart_value",
                )


def conditions_cannot_be_null(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """A condition that is null stops the journey with an incident; =eligible = true is false where there is none."""
    for flow in diagram.flows.values():
        if flow.condition is None:
            continue
        formula = formula_in(flow.condition)
        is_readable = formula is not None or not flow.condition.startswith("=")
        if is_readable and (formula is None or formula.path is not None or formula.is_literal):
            yield about(
                diagram,
                flow,
                f"the condition {flow.condition} is no comparison",
                "it is refused, or stops the journey with an incident when the variable is absent",
                "write for example =eligible = true",
            )
        for part in formula.unsure if formula is not None else ():
            yield about(
                diagram,
                flow,
                f"in the condition {flow.condition} the part {part} is no comparison",
                "it stops the journey with an incident when the variable is absent",
                f"write {part} = true",
            )


def compared_values_can_occur(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A variable is compared with what its worker can return: no boolean with "true", no state with a typo."""
    types = variable_types(diagram, known)
    for thing, what, formula in _formulas(diagram):
        for comparison in formula.comparisons:
            wrong = _never(comparison, types.get(comparison.path))
            if wrong is not None:
                yield about(
                    diagram,
                    thing,
                    f"the {what} compares {comparison.path} with {_shown(comparison.value)}, which it never is",
                    "the way is never taken, or always",
                    wrong,
                )


def ordered_values_are_there(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A variable that may be null is asked for null before it is compared with < or >, which would be null in turn."""
    types = variable_types(diagram, known)
    for flow in diagram.flows.values():
        formula = formula_in(flow.condition or "")
        for comparison in formula.comparisons if formula is not None else ():
            if comparison.operator not in _ORDERED or not _may_be_null(types.get(comparison.path)):
                continue
            if any(
                other.path == comparison.path and other.operator == "!=" and other.value is None
                for other in (formula.comparisons if formula is not None else ())
            ):
                continue
            yield about(
                diagram,
                flow,
                f"the condition {flow.condition} compares {comparison.path}, which may be null",
                "the journey stops with an incident where it is null",
                f"write {comparison.path} != null and {comparison.path} {comparison.operator} "
                f"{_shown(comparison.value)}",
            )


def variable_types(diagram: Diagram, known: Surroundings) -> Mapping[str, frozenset[Any] | None]:
    """Return what is known of the values of each variable: types and texts it may hold; None: nothing is known."""
    key = ("types", diagram.process_id)
    if key not in known.remembered:
        known.remembered[key] = {}
        known.remembered[key] = _variable_types(diagram, known)
    return cast("dict[str, frozenset[Any] | None]", known.remembered[key])


def _variable_types(diagram: Diagram, known: Surroundings) -> dict[str, frozenset[Any] | None]:
    found: dict[str, frozenset[Any] | None] = {}
    for node in diagram.nodes.values():
        for variable, kinds in _written(node, known):
            before = found.get(variable, frozenset())
            found[variable] = None if before is None or kinds is None else before | kinds
    return found


def _written(node: Node, known: Surroundings) -> Iterator[tuple[str, frozenset[Any] | None]]:
    """Yield each variable that *node* writes, with what is known of its values."""
    task = known.tasks.get(node.task_type or "")
    piece = known.pieces.get(node.call.process or "") if node.call is not None else None
    returned: Mapping[str, frozenset[Any] | None] = {}
    if task is not None:
        returned = _returned(task)
    elif piece is not None:
        returned = variable_types(piece, known)
    for variable, source in node.outputs:
        formula = formula_in(source)
        if formula is not None and formula.is_literal:
            value = formula.value
            yield variable, frozenset({value if isinstance(value, str) else type(value)})
        else:
            path = formula.path if formula is not None else None
            yield variable, returned.get(path) if path is not None else None
    if not node.outputs:
        yield from returned.items()
        yield from ((result, None) for result in (node.decision_result, node.script_result) if result)
    # In a sub-process, what is handed in may be another thing under the same name.
    yield from (
        (variable, None) for variable, source in node.inputs if node.kind == "subProcess" and source != f"={variable}"
    )


def _returned(task: TaskType) -> dict[str, frozenset[Any] | None]:
    hints = get_type_hints(task.output)
    return {field.name: _kinds(hints[field.name]) for field in fields(task.output)}


def _kinds(hint: Any) -> frozenset[Any] | None:  # noqa: ANN401 -- an annotation
    if get_origin(hint) is Literal:
        return frozenset(get_args(hint))
    if get_origin(hint) in (Union, UnionType):
        parts = [_kinds(part) for part in get_args(hint)]
        known = [part for part in parts if part is not None]
        return frozenset().union(*known) if len(known) == len(parts) else None
    return frozenset({hint}) if hint in (bool, int, float, str, NoneType) else None


def _never(comparison: Comparison, kinds: frozenset[Any] | None) -> str | None:
    """Return what to write instead if a variable of *kinds* never is what it is compared with."""
    value = comparison.value
    if kinds is None or not kinds or value is None:
        return None
    texts = sorted(kind for kind in kinds if isinstance(kind, str))
    if isinstance(value, bool):
        return None if bool in kinds else "compare it with what its worker returns"
    if isinstance(value, str):
        if str in kinds or value in texts:
            return None
        if bool in kinds:
            return "write true or false without quotation marks"
        return f"use one of {listed(texts)}" if texts else "write the number without quotation marks"
    return None if {int, float} & kinds else "compare it with what its worker returns"


def _may_be_null(kinds: frozenset[Any] | None) -> bool:
    return kinds is not None and NoneType in kinds


def _shown(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def _formulas(diagram: Diagram) -> Iterator[tuple[Any, str, Formula]]:
    for thing, what, source in expressions(diagram):
        formula = formula_in(source)
        if formula is not None:
            yield thing, what, formula
