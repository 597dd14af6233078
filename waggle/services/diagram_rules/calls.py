"""Call activities and the pieces they call."""

import re
from collections.abc import Iterator

from waggle.services.diagram_rules.flowing import formula_in, interface
from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.diagram_rules.telling import about, choose, expressions, listed
from waggle.services.diagrams import Diagram
from waggle.services.findings import Finding


def called_pieces_exist(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A call activity names a piece of bpmn/pieces, bound to the deployment; the engine looks only when it comes by."""
    for node in diagram.nodes.values():
        if node.call is None:
            continue
        if node.call.process not in known.pieces:
            yield about(
                diagram,
                node,
                f'there is no piece "{node.call.process or ""}" in bpmn/pieces',
                "every journey stops here with an incident",
                choose(node.call.process or "", known.pieces.keys()),
            )
        if node.call.binding != "deployment":
            yield about(
                diagram,
                node,
                "the called piece is not bound to the deployment",
                "running journeys go on with a piece that was deployed after them and may ask for other inputs",
                'set Binding to "deployment"',
            )


def calls_say_what_goes_in_and_out(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A call gives each input that its piece reads, takes only what it writes, and lets nothing through unsaid."""
    for node in diagram.nodes.values():
        if node.call is None:
            continue
        for is_open, way in ((node.call.takes_all, "Parent"), (node.call.returns_all, "Child")):
            if is_open:
                yield about(
                    diagram,
                    node,
                    f"all variables of the {'journey go into the piece' if way == 'Parent' else 'piece come back'}",
                    "one that happens to have the same name is overwritten, or read in place of the right one",
                    f"switch Propagate all {way.lower()} process variables off, and map those that are needed",
                )
        piece = known.pieces.get(node.call.process or "")
        if piece is None:
            continue
        asked, given = interface(piece, known), {name for name, _ in node.inputs}
        for variable in sorted(asked.inputs - given - _optional(piece)):
            yield about(
                diagram,
                node,
                f'the piece "{piece.process_id}" needs the input "{variable}"',
                "it is null there: the piece stops with an incident or goes a wrong way",
                f"add the input {variable}; =null where there is none",
            )
        for variable in sorted(given - asked.inputs):
            yield about(
                diagram,
                node,
                f'the piece "{piece.process_id}" does not read the input "{variable}"',
                "what was meant by it does not happen",
                f"remove it, or use one of {listed(asked.inputs)}",
            )
        for variable, source in node.outputs:
            formula = formula_in(source)
            if formula is not None and formula.path is not None and not formula.variables & (asked.outputs | given):
                yield about(
                    diagram,
                    node,
                    f'the output "{variable}" reads "{formula.path}", which "{piece.process_id}" never writes',
                    "the variable becomes null",
                    f"read one of {listed(asked.outputs)}",
                )


def pieces_say_what_they_take_and_give(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A piece's documentation has lines In: and Out: with its variables; the ready-made step offers those fields."""
    if not diagram.is_piece:
        return
    asked = interface(diagram, known)
    for line, there, verb in (("In", asked.inputs, "reads"), ("Out", asked.outputs, "writes")):
        told = {name for name, _ in declared(diagram, line)}
        for variable in sorted(told - there):
            yield about(
                diagram,
                None,
                f'the line {line}: names "{variable}", which the piece never {verb}',
                "Modeler offers a field that does nothing",
                f"remove it there, or use it in the piece; it {verb} {listed(there)}",
            )
        for variable in sorted(there - told) if line == "In" else ():
            yield about(
                diagram,
                None,
                f'the line In: does not name "{variable}", which the piece reads',
                "Modeler offers no field for it, and it is null",
                "add it to the line In: of the documentation, or find it out in the piece",
            )


def declared(piece: Diagram, line: str) -> list[tuple[str, str]]:
    """Return (variable, remark) of each variable in the line In: or Out: of the documentation of *piece*."""
    found = re.search(rf"^\s*{line}:(.*)$", piece.documentation, re.MULTILINE)
    text = found[1] if found is not None else ""
    return re.findall(r"([A-Za-z_]\w*)\s*(?:\(([^()]*)\))?\s*(?:,|$)", text.strip())


def _optional(piece: Diagram) -> set[str]:
    return {name for name, remark in declared(piece, "In") if "may be null" in remark}


def pieces_take_inputs_only(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A piece starts without a message, has no settings of its own and reads none: its callers hand all of it in."""
    if not diagram.is_piece:
        return
    for node in diagram.nodes.values():
        if diagram.is_process_start(node) and node.definition is not None:
            yield about(
                diagram,
                node,
                "a piece starts with a plain start event",
                "a call activity cannot start it: every journey that calls it stops with an incident",
                "make it a start event without a message or timer",
            )
    for thing, what, source in expressions(diagram):
        formula = formula_in(source)
        if formula is not None and "settings" in formula.variables:
            yield about(
                diagram,
                thing,
                f"the {what} reads settings, which a piece does not have",
                "it is null: a timer becomes an incident, a condition false",
                "make it an input of the piece, and let each call activity give it from its journey's settings",
            )
    if diagram.process_id in known.called_by(diagram):
        yield about(
            diagram,
            None,
            "the piece calls itself, directly or by another",
            "the engine makes instance after instance until it is full",
            "draw a loop in place of the call",
        )
