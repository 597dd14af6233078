"""Fields of a step in Modeler's properties panel: one for each variable, of the kind that fits what it means."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from waggle.element_templates.described import Described
from waggle.element_templates.project import Project

Json = dict[str, Any]

CONTENT: Final = "content"
RESULTS: Final = "results"
FAILURE: Final = "failure"
GROUPS: Final = {CONTENT: "What to do", RESULTS: "Results", FAILURE: "If it fails"}

_STEP: Final = {"value": "^[a-z][a-z0-9-]*$", "message": "Small letters, digits and -, such as first-mail"}
_WORD: Final = {"value": "^(=.+|[a-z][a-z0-9_]*)$", "message": "Small letters, digits and _; or an expression after ="}
_FROM_SETTINGS: Final = {
    "value": "^=.*[a-z_]",
    "message": "Durations come from the journey's settings, such as =settings.reply_window",
}
_TRIES: Final = {"value": "^[1-9][0-9]?$", "message": "A number from 1 to 99"}

_LABELS: Final = {"step": "Name of this step", "template": "Message", "coupon_campaign": "Coupon campaign"}
_HELP: Final = {"step": "Unique in the journey: by it Waggle knows what was done already, and does nothing twice."}


def given(variable: Described, project: Project, binding: Json, *, purpose: str | None = None) -> Json:
    """Return the field for one input; *purpose* narrows messages to those that the task may send."""
    field = _base(variable, binding, CONTENT)
    if variable.required and variable.name.endswith("_id") and not variable.nullable:
        # Carried along from task to task: nothing to decide.
        return {"type": "Hidden", "value": f"={variable.name}", "binding": binding}
    field |= _known(variable, project, purpose) or _by_kind(variable)
    if variable.required and field.get("optional") is not True:
        field["constraints"] = {"notEmpty": True} | field.get("constraints", {})
    return field


def taken(variable: Described) -> Json:
    """Return the field for one output: the variable that it goes to, or nothing."""
    binding = {"type": "zeebe:output", "source": f"={variable.name}"}
    help_text = _sentences(variable.text, _allowed(variable), "Empty: not kept.")
    return _base(replace(variable, text=help_text), binding, RESULTS) | {
        "type": "String",
        "optional": True,
        "value": variable.name,
    }


def fixed(value: str, binding: Json) -> Json:
    """Return a field that nobody sees."""
    return {"type": "Hidden", "value": value, "binding": binding}


def tries(value: int) -> Json:
    """Return the field for the retries of a job."""
    return {
        "label": "Tries",
        "description": "How often it is tried before people on duty are asked.",
        "type": "String",
        "value": str(value),
        "group": FAILURE,
        "constraints": {"notEmpty": True, "pattern": _TRIES},
        "binding": {"type": "zeebe:taskDefinition", "property": "retries"},
    }


def setting(label: str, help_text: str, name: str, binding: Json) -> Json:
    """Return a field for a time that stands in the journey's settings."""
    return {
        "label": label,
        "description": help_text,
        "type": "String",
        "feel": "required",
        "value": f"=duration(settings.{name})",
        "group": CONTENT,
        "constraints": {"notEmpty": True, "pattern": _FROM_SETTINGS},
        "binding": binding,
    }


def words(name: str) -> str:
    """Return a name in kebab-case or snake_case as a person would write it at the beginning of a line."""
    text = name.replace("-", " ").replace("_", " ")
    return text[:1].upper() + text[1:]


def _base(variable: Described, binding: Json, group: str) -> Json:
    text = _HELP.get(variable.name, variable.text)
    help_text = {"description": text.replace("`", "")} if text else {}
    return {"label": _LABELS.get(variable.name, words(variable.name)), **help_text, "group": group, "binding": binding}


def _known(variable: Described, project: Project, purpose: str | None) -> Json | None:
    """Return what a variable of this name is chosen from; None for one of no special meaning."""
    if variable.name == "step":
        return {"type": "String", "constraints": {"pattern": _STEP}}
    if variable.name in {"outcome", "outcome_reason"}:
        return _text(variable) | ({"constraints": {"pattern": _WORD}} if variable.required else {})
    if variable.name == "template":
        names = [each.name for each in project.messages if purpose in (None, each.purpose)]
        return _dropdown(variable, [(name, words(name)) for name in names])
    if variable.name == "coupon_campaign":
        none = [("=null", "No coupon")] if variable.nullable else []
        named = [(name, name) for name in project.campaigns]
        return _dropdown(variable, [*none, *_answers(variable.name, project), *named])
    if variable.name == "segment" and project.segments:
        return _dropdown(variable, [(name, words(name)) for name in project.segments])
    return None


def _answers(column: str, project: Project) -> list[tuple[str, str]]:
    """Return the answers of decisions that have such a column, as expressions."""
    return [
        (f"={table.result}.{column}", f"As the decision says: {table.name}")
        for table in project.tables
        if column in table.columns
    ]


def _dropdown(variable: Described, choices: list[tuple[str, str]]) -> Json:
    if not choices:
        return _text(variable)
    chosen = {"value": variable.default} if isinstance(variable.default, str) else {}
    first = {"value": choices[0][0]} if variable.nullable and variable.required else {}
    return {
        "type": "Dropdown",
        "choices": [{"name": shown, "value": value} for value, shown in choices],
        **first,
        **chosen,
    }


def _by_kind(variable: Described) -> Json:
    if variable.choices:
        return _dropdown(variable, [(each, words(each)) for each in variable.choices])
    if variable.kind is bool:
        return {"type": "Boolean", "feel": "static", "value": bool(variable.default)}
    if issubclass(variable.kind, int | float | Decimal):
        default = {} if variable.default is None else {"value": float(variable.default)}
        if isinstance(variable.default, int):
            default = {"value": variable.default}
        return {"type": "Number", "feel": "optional", **default, **_optional(variable)}
    if issubclass(variable.kind, timedelta):
        return {
            "type": "String",
            "feel": "required",
            "value": f"=settings.{variable.name}",
            "constraints": {"pattern": _FROM_SETTINGS},
        }
    if issubclass(variable.kind, datetime | dict | list | tuple):
        return {"type": "String", "feel": "required", "value": f"={variable.name}", **_optional(variable)}
    return _text(variable)


def _text(variable: Described) -> Json:
    if variable.nullable and variable.required:
        return {"type": "String", "feel": "optional", "value": "=null"}
    default = {"value": variable.default} if variable.default else {}
    return {"type": "String", "feel": "optional", **default, **_optional(variable)}


def _optional(variable: Described) -> Json:
    return {} if variable.required else {"optional": True}


def _allowed(variable: Described) -> str:
    return f"One of: {', '.join(variable.choices)}." if variable.choices else ""


def _sentences(*texts: str) -> str:
    return " ".join(text if text.endswith((".", "?")) else f"{text}." for text in texts if text)
