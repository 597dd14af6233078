"""Make findings about what stands in a diagram."""

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches

from waggle.services.diagrams import Diagram, Flow, Node
from waggle.services.findings import Finding


def about(diagram: Diagram, thing: Node | Flow | None, problem: str, consequence: str, mend: str) -> Finding:
    """Return a finding about *thing*, or about the whole process."""
    if thing is None:
        return Finding(diagram.file, diagram.process_id, diagram.process_name, problem, consequence, mend)
    return Finding(diagram.file, thing.id, thing.name, problem, consequence, mend)


def expressions(diagram: Diagram) -> Iterator[tuple[Node | Flow, str, str]]:
    """Yield (where, what it is called in Modeler, expression or fixed text) for everything that may be computed."""
    for node in diagram.nodes.values():
        for what, source in _expressions_of(node):
            if source is not None:
                yield node, what, source
    for flow in diagram.flows.values():
        if flow.condition is not None:
            yield flow, "condition", flow.condition


def _expressions_of(node: Node) -> Iterator[tuple[str, str | None]]:
    yield from ((f"input {variable}", source) for variable, source in node.inputs)
    yield from ((f"output {variable}", source) for variable, source in node.outputs)
    yield "timer", node.timer[1] if node.timer is not None else None
    yield "script", node.script
    if node.repetition is not None:
        yield "input collection", node.repetition.items
        yield "output element", node.repetition.collects
        yield "completion condition", node.repetition.until


def listed(names: Iterable[object]) -> str:
    """Return names in a row, for a sentence."""
    found = sorted(map(str, names))
    return ", ".join(found) or "none so far"


def choose(wrong: str, names: Collection[str]) -> str:
    """Return what to use in place of *wrong*: what it resembles, if there is such a one."""
    near = get_close_matches(wrong, sorted(names), n=2, cutoff=0.75)
    return f"use {' or '.join(near)}" if near else f"use one of {listed(names)}"
