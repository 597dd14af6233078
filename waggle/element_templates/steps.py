"""A ready-made step for each task type, piece, decision and form."""

import inspect
import re
from typing import Any, Final

from waggle.element_templates.described import Described, described
from waggle.element_templates.fields import (
    CONTENT,
    GROUPS,
    Json,
    fixed,
    given,
    taken,
    tries,
    words,
)
from waggle.element_templates.icons import icon
from waggle.element_templates.project import NOTHING, Piece, Project, Table
from waggle.task import Task

# Modeler looks for this name to know that a template is for Zeebe, and fetches nothing.
SCHEMA: Final = "@camunda/zeebe-element-templates-json-schema"
ENGINES: Final = {"camunda": "^8.6"}
_MANUAL: Final = "https://docs.camunda.io/docs/8.6/components/modeler/bpmn"
_TRIES: Final = 5

_SHELVES: Final = {
    "journey": ("Waggle: begin and end", ("begin", "end", "journey")),
    "message": ("Waggle: messages", ("mail", "email", "sms", "push", "write", "send")),
    "coupon": ("Waggle: coupons", ("voucher", "discount", "code", "offer")),
    "look": ("Waggle: look and choose", ("read", "check", "score", "decide")),
    "privacy": ("Waggle: privacy", ("gdpr", "data", "erase", "export")),
    "people": ("Waggle: people", ("approve", "user task", "form", "person")),
    "table": ("Waggle: look and choose", ("decision", "dmn", "table", "rule")),
    "piece": ("Waggle: pieces", ("call activity", "reuse")),
    "time": ("Waggle: time", ("timer", "wait", "delay", "duration")),
    "event": ("Waggle: engine messages", ("message", "catch", "start", "exit")),
    "step": ("Waggle: other steps", ()),
}
"""Icon -> category in Modeler and words by which its steps are found."""
_ASKED: Final = (
    Described("enrolment_id", str),
    Described("step", str),
    Described("shown", str, required=False, text="What the form shows, such as ={recipients: recipients}."),
)
_SHELF_OF: Final = (
    (r"(open-enrolment|record-outcome)$", "journey"),
    (r"(.*-privacy-request|collect-export|erase-customer|lapse-subscription)$", "privacy"),
    (r"send-", "message"),
    (r".*-coupon$", "coupon"),
    (r"(read|check|score|choose|decide|assign)-", "look"),
    (r"(open-ticket|approve-|ask-)", "people"),
)
"""Beginning of a task type -> shelf; the first that fits."""


def template(  # noqa: PLR0913, PLR0917 -- each is one part of an element template
    template_id: str, name: str, text: str, shelf: str, element: Json, properties: list[Json], *, page: str
) -> Json:
    """Return a whole element template but for its version; *page* is the manual's page of the BPMN element."""
    category, keywords = _SHELVES[shelf]
    used = {field["group"] for field in properties if "group" in field}
    groups = {"groups": [{"id": key, "label": label} for key, label in GROUPS.items() if key in used]} if used else {}
    kind: str = element["value"]
    applies_to = dict.fromkeys([kind, "bpmn:Task"] if kind.endswith(("Task", "Activity")) else [kind])
    return {
        "$schema": SCHEMA,
        "name": name,
        "id": f"waggle.{template_id}",
        "description": text,
        "documentationRef": f"{_MANUAL}/{page}/",
        "category": {"id": category.lower().replace(":", "").replace(" ", "-"), "name": category},
        "keywords": list(dict.fromkeys([*keywords, *template_id.partition(".")[2].split("-")])),
        "engines": ENGINES,
        "appliesTo": list(applies_to),
        "elementType": element,
        **groups,
        "properties": properties,
        "icon": {"contents": icon(shelf)},
    }


def task_step(task: Task, project: Project) -> Json:
    """Return the step for one task type."""
    shelf = next((shelf for beginning, shelf in _SHELF_OF if re.match(beginning, task.task_type)), "step")
    purpose = {"listed": "marketing", "sent again": "transactional", None: None}[task.in_doubt]
    headers = [] if task.headers_type is None else described(task.headers_type)
    properties = [
        fixed(task.task_type, {"type": "zeebe:taskDefinition", "property": "type"}),
        *(given(each, project, _input(each.name), purpose=purpose) for each in described(task.input)),
        *(given(each, project, {"type": "zeebe:taskHeader", "key": each.name}) for each in headers),
        *(taken(each) for each in described(task.output)),
        tries(_TRIES),
    ]
    thrown = f" Can throw {', '.join(sorted(task.throws))}: attach an error event." if task.throws else ""
    element = {"value": "bpmn:ServiceTask"}
    text = f"{purpose_of(task)}{thrown}"
    return template(
        f"task.{task.task_type}", words(task.task_type), text, shelf, element, properties, page="service-tasks"
    )


def piece_step(piece: Piece, project: Project) -> Json:
    """Return the step that calls a piece."""
    properties = [
        fixed(piece.id, {"type": "zeebe:calledElement", "property": "processId"}),
        fixed("deployment", {"type": "zeebe:calledElement", "property": "bindingType"}),
        *(
            {"type": "Hidden", "value": False, "binding": {"type": "zeebe:calledElement", "property": each}}
            for each in ("propagateAllChildVariables", "propagateAllParentVariables")
        ),
        *(given(each, project, _input(each.name), purpose="marketing") for each in piece.inputs),
        *(taken(each) for each in piece.outputs),
    ]
    element = {"value": "bpmn:CallActivity"}
    return template(f"piece.{piece.id}", piece.name, piece.text, "piece", element, properties, page="call-activities")


def decision_step(table: Table) -> Json:
    """Return the step that asks a decision, with what the table reads already filled in."""
    parts = ", ".join(f"{table.result}.{column}" for column in table.columns)
    properties = [
        fixed(table.id, {"type": "zeebe:calledDecision", "property": "decisionId"}),
        fixed("deployment", {"type": "zeebe:calledDecision", "property": "bindingType"}),
        fixed(table.result, {"type": "zeebe:calledDecision", "property": "resultVariable"}),
        *(_reads(name) for name in table.inputs),
        taken(Described(table.result, dict, text=f"Its parts: {parts}")),
    ]
    name, element = f"Decide: {table.name}", {"value": "bpmn:BusinessRuleTask"}
    return template(f"decision.{table.id}", name, table.text, "table", element, properties, page="business-rule-tasks")


def approval_step() -> Json:
    """Return the step in which a person decides.

    Form and roles are chosen in Modeler's own fields, which stay visible: a template may name a form only together with
    `zeebe:userTask`, and such a task never reaches Waggle.
    """
    properties = [
        *(given(each, NOTHING, _input(each.name)) for each in _ASKED),
        taken(Described("approval", dict, text="Read as approval.answer: approved, refused or withdrawn.")),
    ]
    text = (
        "Somebody decides on a page of Waggle or with the command approvals; the journey waits. Choose the form under "
        "Form (linked, bound to the deployment) and who may decide under Assignment, candidate groups."
    )
    element = {"value": "bpmn:UserTask"}
    made = template("person.ask", "Ask a person", text, "people", element, properties, page="user-tasks")
    return {**made, "entriesVisible": True}


def _reads(name: str) -> Json:
    return {
        "label": words(name),
        "type": "String",
        "feel": "required",
        "value": f"={name}",
        "group": CONTENT,
        "constraints": {"notEmpty": True},
        "binding": _input(name),
    }


def _input(name: str) -> dict[str, Any]:
    return {"type": "zeebe:input", "name": name}


def purpose_of(task: Task) -> str:
    """Return what the module says of its task, and the first line of the function."""
    module = inspect.getmodule(task.call)
    first = ((module.__doc__ or "") if module else "").strip().partition("\n")[0]
    said = first.partition(": ")[2]
    does = (task.call.__doc__ or "").strip().partition("\n")[0].replace("`", "")
    return " ".join(part for part in (said[:1].upper() + said[1:], does) if part)
