"""Names, ids, versions, documentation and the drawing itself."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.diagram_rules.telling import about, listed
from waggle.services.diagrams import Diagram, Flow, Node
from waggle.services.findings import Finding

ENGINE_VERSION: Final = "8.6.0"
MOST_NODES_ON_A_LEVEL: Final = 15
DOCUMENTED: Final = ("Goal", "Entry", "Exits", "Re-entry", "Measure", "Owner")
DOCUMENTED_OF_A_PIECE: Final = ("Goal", "In", "Out", "Owner")

_ID_PREFIXES: Final = {
    "sequenceFlow": "Flow",
    "subProcess": "SubProcess",
    "callActivity": "CallActivity",
    "Gateway": "Gateway",
    "Event": "Event",
    "Task": "Task",
    "task": "Task",
}
"""End of the BPMN element's name -> beginning of its id."""
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")


def the_file_is_named_like_the_process(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Settings, catalogue, scenarios and Operate find a journey by its process id, which is the file's name."""
    if diagram.process_id != diagram.file.stem:
        yield about(
            diagram,
            None,
            f"the process id is not the file's name, {diagram.file.stem}",
            "its settings and its catalogue entries are not found",
            "make both the same, in kebab-case",
        )


def a_version_is_written_on_it(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """A process has a version tag of three numbers, so that people can tell which version ran."""
    if not diagram.version_tag:
        yield about(
            diagram, None, "no version tag", "nobody can tell which version ran", "set Version tag, for example 1.0.0"
        )
    elif not _VERSION.fullmatch(diagram.version_tag):
        yield about(
            diagram,
            None,
            f'the version tag is "{diagram.version_tag}"',
            "nobody can tell which of two versions is the newer",
            "write three numbers, for example 1.0.0",
        )


def drawn_for_this_engine(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Modeler offers what the engine version written in the file has; here that is 8.6.0."""
    if diagram.engine_version != ENGINE_VERSION:
        yield about(
            diagram,
            None,
            f"drawn for engine {diagram.engine_version or 'unknown'}",
            "Modeler offers what the engine does not have",
            f"set the execution platform version to {ENGINE_VERSION}",
        )


def the_documentation_says_what_it_is_for(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """The process documentation has lines for goal, entry, exits, re-entry, measure and owner; a piece for less."""
    wanted = DOCUMENTED_OF_A_PIECE if diagram.is_piece else DOCUMENTED
    missing = [word for word in wanted if not re.search(rf"^\s*{word}:\s*\S", diagram.documentation, re.MULTILINE)]
    if missing:
        yield about(
            diagram,
            None,
            f"the documentation of the process has no line {', '.join(f'{word}:' for word in missing)}",
            "whoever comes after you cannot tell what it is for, nor whether it works",
            f'click the empty canvas, and write under Documentation a line such as "{missing[0]}: ..."',
        )


def outcomes_are_single_words(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Each outcome that is recorded as a fixed word is in snake_case and named in the journey's documentation."""
    for node in diagram.nodes.values():
        outcome = dict(node.inputs).get("outcome", "=")
        if node.task_type != "record-outcome" or outcome.startswith("="):
            continue
        if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", outcome):
            yield about(
                diagram,
                node,
                f'the outcome "{outcome}" is no single word',
                "reports count it apart from the same outcome written otherwise",
                "write small letters with _ between, for example no_reply",
            )


def ids_are_given_by_people(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Operate's history, reports and tests name elements by id for as long as the journey lives."""
    named: list[tuple[Node | Flow, str]] = [(node, node.kind) for node in diagram.nodes.values()]
    named += [(flow, "sequenceFlow") for flow in diagram.flows.values()]
    for thing, kind in named:
        prefix = next((prefix for ending, prefix in _ID_PREFIXES.items() if kind.endswith(ending)), "[A-Z][A-Za-z]*")
        if not re.fullmatch(rf"{prefix}_[A-Z][A-Za-z0-9]*", thing.id):
            yield about(
                diagram,
                thing,
                "the id does not say what it is",
                "history and reports cannot be read, and break when it changes",
                f"name it like {prefix}_SendReminder",
            )


def everything_is_drawn(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """What has no shape is not to be seen in Modeler and Operate, but runs."""
    things: list[Node | Flow] = [*diagram.nodes.values(), *diagram.flows.values()]
    for thing in things:
        if thing.id not in diagram.drawn:
            yield about(
                diagram, thing, "it is not drawn", "it runs, and nobody sees it in Operate", "draw it in Modeler"
            )


def sub_processes_are_unfolded(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """What happens in a folded sub-process is seen neither in Modeler nor in Operate at a glance."""
    for node in diagram.nodes.values():
        if node.kind == "subProcess" and node.id in diagram.drawn & diagram.collapsed:
            yield about(
                diagram, node, "the sub-process is folded", "what happens in it is not seen", "unfold it in Modeler"
            )


def levels_fit_the_eye(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """At most 15 events, tasks and gateways on a level; event sub-processes stand beside it and are not counted."""
    crowd = Counter(node.parent for node in diagram.nodes.values() if not node.listens)
    for level, count in crowd.items():
        if count > MOST_NODES_ON_A_LEVEL:
            yield about(
                diagram,
                diagram.nodes.get(level),
                f"{count} events, tasks and gateways on one level",
                "nobody reads it at a glance",
                f"group some in a sub-process; {MOST_NODES_ON_A_LEVEL} are the most",
            )


def names_say_something(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """Tasks, splits, and events at which something starts, waits or ends have names of their own."""
    for node in diagram.nodes.values():
        if not _is_named(diagram, node):
            yield about(
                diagram,
                node,
                "it has no name",
                "nobody can tell in Operate or in a report what happens here",
                "name it: a task by what is done, an event by what has happened, a split by its question",
            )


def element_templates_are_there(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A step made from a template can be changed in Modeler while that template is in .camunda/element-templates."""
    for node in diagram.nodes.values():
        if known.element_templates and node.template is not None and node.template not in known.element_templates:
            yield about(
                diagram,
                node,
                f'there is no element template "{node.template}" in .camunda/element-templates',
                "Modeler shows a warning in place of the step's fields",
                f"change the step to one of {listed(known.element_templates)}, or unlink the template",
            )


def _is_named(diagram: Diagram, node: Node) -> bool:
    if node.name or node.kind in ("parallelGateway", "eventBasedGateway"):
        return True
    return node.kind.endswith("Gateway") and len(diagram.leaving(node.id)) < 2  # noqa: PLR2004 -- two make a split
