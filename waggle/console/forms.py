"""A form of the diagrams as HTML, and a browser's answer to it."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from litestar import Request

from waggle.console.page import escaped
from waggle.domain.approval import Given
from waggle.services.forms import Field, Form

MAX_FORM_BYTES = 65_536
_MAX_FIELDS = 200
_BODY_WITHIN_S = 10.0
PREFIX = "field."
"""Keeps the form's own keys apart from ours."""


def rendered(form: Form, shown: Mapping[str, Given], given: Mapping[str, str]) -> str:
    """Return the fields of *form*, filled with what was *given* before."""
    return "".join(_field(each, shown, given.get(each.key)) for each in form.fields)


async def fields_of(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Return the fields of a form as browsers send one; anything else, or what comes too slowly, has none."""
    try:
        async with asyncio.timeout(_BODY_WITHIN_S):
            body = await request.body()
    except TimeoutError:
        return {}
    if request.content_type[0] != "application/x-www-form-urlencoded":
        return {}
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        return {}
    return {name: values[-1] for name, values in found.items()}


def answers_in(fields: Mapping[str, str]) -> dict[str, str]:
    """Return of *fields* those that the form of the diagram asks for."""
    return {name.removeprefix(PREFIX): value for name, value in fields.items() if name.startswith(PREFIX)}


def _field(field: Field, shown: Mapping[str, Given], given: str | None) -> str:
    if field.kind == "text":
        return f"<p>{escaped(field.text_with(shown))}</p>"
    if field.kind == "separator":
        return "<hr>"
    if field.kind == "spacer":
        return ""
    value = given if given is not None else _default(field, shown)
    name = escaped(PREFIX + field.key)
    about = f"<small>{escaped(field.description)}</small>" if field.description else ""
    # Not `required`: a refusal needs none of them, and the page says what is missing.
    needed = ' <span class="quiet">(needed to approve)</span>' if field.required else ""
    label = f"{escaped(field.label)}{needed}{about}"
    if field.kind == "checkbox":
        ticked = " checked" if value else ""
        return (
            f'<label class="tick"><input type="checkbox" name="{name}" value="yes"{ticked}><span>{label}</span></label>'
        )
    if field.kind == "radio":
        choices = "".join(_radio(name, each, value) for each in field.options)
        return f"<fieldset><legend>{label}</legend>{choices}</fieldset>"
    return f'<label class="field">{label}{_input(field, name, value)}</label>'


def _input(field: Field, name: str, value: str) -> str:
    if field.kind == "textarea":
        return f'<textarea name="{name}" maxlength="{field.longest}">{escaped(value)}</textarea>'
    if field.kind == "select":
        options = "".join(
            f'<option value="{escaped(each)}"{" selected" if each == value else ""}>{escaped(text)}</option>'
            for each, text in (("", "choose"), *field.options)
        )
        return f'<select name="{name}">{options}</select>'
    if field.kind == "number":
        least = "" if field.least is None else f' min="{field.least:g}"'
        most = "" if field.most is None else f' max="{field.most:g}"'
        return f'<input type="number" step="any" name="{name}" value="{escaped(value)}"{least}{most}>'
    return f'<input type="text" name="{name}" value="{escaped(value)}" maxlength="{field.longest}">'


def _radio(name: str, option: tuple[str, str], value: str) -> str:
    ticked = " checked" if option[0] == value else ""
    return (
        f'<label class="tick"><input type="radio" name="{name}" value="{escaped(option[0])}"{ticked}>'
        f"<span>{escaped(option[1])}</span></label>"
    )


def _default(field: Field, shown: Mapping[str, Given]) -> str:
    found = shown.get(field.key, field.default)
    if isinstance(found, bool):
        return "yes" if found else ""
    return "" if found is None else str(found)
