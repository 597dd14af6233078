"""Tasks: who answers them, what they are given, and how often they are tried."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from typing import Any, Final, get_args

from waggle.domain.approval import Answer
from waggle.domain.role import ROLES
from waggle.services.diagram_rules.flowing import flowing, formula_in
from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.diagram_rules.telling import about, choose, listed
from waggle.services.diagrams import USER_TASK, Diagram, Node
from waggle.services.findings import Finding

FIRST_TASK: Final = "open-enrolment"
APPROVAL: Final = "approval"
"""What the task of a person returns."""
ANSWER: Final = "answer"


def task_types_have_workers(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A task of a type that no worker answers is accepted by the engine and waits for ever."""
    for node in diagram.nodes.values():
        if node.task_type is not None and node.task_type not in known.tasks:
            module = re.sub(r"\W", "_", node.task_type)
            yield about(
                diagram,
                node,
                f'no worker answers the task type "{node.task_type}"',
                "the journey waits here for ever",
                f"{choose(node.task_type, known.tasks.keys() - {USER_TASK})}, or have workers/{module}.py written",
            )


def tasks_get_their_inputs(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A task is given what its worker must have, under the worker's names, and nothing that it does not read."""
    for node in diagram.nodes.values():
        task = known.tasks.get(node.task_type or "")
        if task is None:
            continue
        given = {variable for variable, _ in node.inputs}
        taken = {field.name: _is_required(field) for field in fields(task.input)}
        for variable in sorted(name for name, required in taken.items() if required and name not in given):
            yield about(
                diagram,
                node,
                f'the input "{variable}" is missing',
                "the worker refuses the job: an incident",
                f"add the input {variable}",
            )
        for variable in sorted(given - set(taken)):
            yield about(
                diagram,
                node,
                f'the worker does not read the input "{variable}"',
                "what was meant by it does not happen",
                f"remove it, or use one of {', '.join(taken)}",
            )


def results_are_taken_under_their_names(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """An output mapping reads what the worker returns, the decision answers or the form asks."""
    for node in diagram.nodes.values():
        offered, whose = _offered(node, known)
        for variable, source in node.outputs if offered is not None else ():
            formula = formula_in(source)
            if formula is None or formula.path is None or formula.variables <= (offered or set()):
                continue
            yield about(
                diagram,
                node,
                f'the output "{variable}" reads "{formula.path}", which {whose}',
                "the variable becomes null",
                f"read one of {listed(offered or ())}",
            )


def retries_are_explicit(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """The engine deploys "five" as well as "0"."""
    for node in diagram.nodes.values():
        if node.task_type not in (None, USER_TASK) and not re.fullmatch(r"[1-9][0-9]?", node.retries or ""):
            yield about(
                diagram,
                node,
                f'retries are "{node.retries or ""}"',
                "how often it is tried is left to chance",
                "set a number from 1 to 99",
            )


def steps_are_unique(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """(enrolment, step) is the key by which an effect happens once; a piece hands on the step it was given."""
    steps = [(node, source) for node in diagram.nodes.values() for name, source in node.inputs if name == "step"]
    count = Counter(source for _, source in steps)
    for node, source in steps:
        formula = formula_in(source)
        handed_on = diagram.is_piece and formula is not None and "step" in formula.variables
        if source.startswith("=") and not handed_on:
            yield about(
                diagram,
                node,
                f"the step {source} is computed",
                "it may repeat, and then nothing is sent or issued",
                "hand on the piece's input: =step" if diagram.is_piece else "write a fixed text",
            )
        elif diagram.is_piece and not handed_on:
            yield about(
                diagram,
                node,
                f'the step "{source}" is fixed in a piece',
                "a journey that calls the piece twice has its effect once",
                'hand on the piece\'s input: =step, or =step + "-two" for a second effect',
            )
        elif count[source] > 1:
            yield about(
                diagram,
                node,
                f'the step "{source}" stands at more than one task',
                "the second effect is taken for a repetition of the first and does not happen",
                "give each task a step of its own",
            )
        elif _repeats(diagram, node) and not handed_on:
            yield about(
                diagram,
                node,
                f'the step "{source}" stands in a repetition',
                "from the second round on the effect is taken for a repetition and does not happen",
                "draw one task after the other, each with a step of its own",
            )


def the_enrolment_is_opened_first(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """The first task of a journey is open-enrolment: it says that the journey runs, and brings its settings."""
    if diagram.is_piece:
        return
    for start in diagram.nodes.values():
        if not diagram.is_process_start(start) or start.message is None:
            continue
        for first in _first_steps(diagram, start):
            if first.task_type != FIRST_TASK:
                yield about(
                    diagram,
                    first,
                    f"the journey begins with something else than {FIRST_TASK}",
                    "the start is told again every minute, and the journey has no settings",
                    f"put a task of the type {FIRST_TASK} directly behind {start.id}",
                )


def user_tasks_reach_people(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A person's task is a job, for roles that there are, and shows a form of bpmn/forms bound to the deployment."""
    for node in diagram.nodes.values():
        if node.kind != "userTask":
            continue
        if node.is_engine_user_task:
            yield about(
                diagram,
                node,
                "it is a user task of the engine's newer kind",
                "nobody is ever asked: the journey waits here for ever",
                "set Implementation of the user task to Job worker",
            )
        if node.form is None:
            yield about(
                diagram,
                node,
                "it shows no form",
                "whoever should decide sees nothing to decide by",
                f"link one of the forms in bpmn/forms: {listed(known.forms)}",
            )
        elif node.form not in known.forms:
            yield about(
                diagram,
                node,
                f'there is no form "{node.form}" in bpmn/forms',
                "every journey stops here with an incident",
                f"use one of {listed(known.forms)}",
            )
        if node.form is not None and node.form_binding != "deployment":
            yield about(
                diagram,
                node,
                "the form is not bound to the deployment",
                "running journeys ask by a form that was deployed after them",
                'set Binding to "deployment"',
            )
        for group in node.groups:
            if group not in ROLES:
                yield about(
                    diagram,
                    node,
                    f'the candidate group "{group}" is no role',
                    "no worker starts, so that every journey stands still",
                    choose(group, ROLES),
                )


def answers_of_people_exist(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A part of what a person answered, as in approval.answer, is a choice, tick or number of the form shown."""
    asked: dict[str, set[str]] = {}
    for node in diagram.nodes.values():
        form = known.forms.get(node.form or "")
        for variable, source in node.outputs if node.kind == "userTask" and form is not None else ():
            if source == f"={APPROVAL}" and form is not None:
                asked.setdefault(variable, {ANSWER}).update(form.answers)
    for reading in flowing(diagram, known).readings():
        thing = diagram.nodes.get(reading.element) or diagram.flows.get(reading.element)
        for path in sorted(reading.formula.reads):
            variable, _, key = path.partition(".")
            if key and variable in asked and key not in asked[variable]:
                yield about(
                    diagram,
                    thing,
                    f'the {reading.what} reads {path}, but no form asks for "{key}"',
                    "it is always null",
                    f"read one of {listed(f'{variable}.{each}' for each in asked[variable])}",
                )
        for comparison in reading.formula.comparisons:
            variable, _, key = comparison.path.partition(".")
            if variable in asked and key == ANSWER and comparison.value not in (*get_args(Answer), None):
                yield about(
                    diagram,
                    thing,
                    f'the {reading.what} compares {comparison.path} with "{comparison.value}", which it never is',
                    "the way is never taken, or always",
                    choose(str(comparison.value), get_args(Answer)),
                )


def _offered(node: Node, known: Surroundings) -> tuple[set[str] | None, str]:
    """Return the variables that an output mapping may read, and what to say of others; None: anything may come."""
    task = known.tasks.get(node.task_type or "")
    inputs = {name for name, _ in node.inputs}
    if task is not None:
        return {field.name for field in fields(task.output)} | {"null"}, "the worker does not return"
    if node.decision is not None:
        result = {node.decision_result or ""}
        return result | inputs | {"null"}, f"is not the result variable of the decision, {node.decision_result}"
    return None, ""


def _first_steps(diagram: Diagram, start: Node) -> Iterator[Node]:
    """Yield what follows *start*; several starts may come together in a gateway."""
    for flow in diagram.leaving(start.id):
        step = diagram.nodes.get(flow.target)
        if step is not None and step.kind == "exclusiveGateway" and len(diagram.leaving(step.id)) == 1:
            yield from _first_steps(diagram, step)
        elif step is not None:
            yield step


def _repeats(diagram: Diagram, node: Node) -> bool:
    return any(scope.repetition is not None for scope in (node, *diagram.around(node)))


def _is_required(field: "Field[Any]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING
