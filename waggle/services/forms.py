"""Forms as Camunda Modeler draws them (`bpmn/forms/<id>.form`, form-js 1.x): what is asked, and what was answered."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from waggle.domain.approval import Given
from waggle.errors import BadSettings, Rejected

ANSWERED: Final = frozenset({"textfield", "textarea", "number", "select", "radio", "checkbox"})
SHOWN: Final = frozenset({"text", "separator", "spacer"})
OWN_WORDS: Final = frozenset({"textfield", "textarea"})
"""What people write freely stays with us: in the engine nothing can be erased."""
_IGNORED: Final = frozenset({"button"})
"""The page has buttons of its own."""
_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TEMPLATE: Final = re.compile(r"{{\s*([a-z][a-z0-9_]*)\s*}}")
_MOST_CHARS: Final = 2_000


class _Option(msgspec.Struct, frozen=True):
    label: str
    value: str


class _Rules(msgspec.Struct, frozen=True, rename="camel"):
    required: bool = False
    max_length: int | None = None
    min: float | None = None
    max: float | None = None


class _Component(msgspec.Struct, frozen=True, rename="camel"):
    type: str
    id: str = ""
    key: str = ""
    label: str = ""
    text: str = ""
    description: str = ""
    values: list[_Option] = []
    validate: _Rules = _Rules()
    default_value: Any = None
    values_key: str = ""
    values_expression: str = ""


class _Schema(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    type: str
    components: list[_Component]
    execution_platform: str = ""
    schema_version: int = 1


@dataclass(frozen=True, slots=True)
class Field:
    """One part of a form."""

    kind: str
    key: str
    label: str
    text: str
    description: str
    options: tuple[tuple[str, str], ...]
    """(value, label)."""
    required: bool
    longest: int
    least: float | None
    most: float | None
    default: Given

    def text_with(self, shown: Mapping[str, Given]) -> str:
        """Return the text, `{{ name }}` in it filled in."""
        return _TEMPLATE.sub(lambda found: _said(shown.get(found.group(1))), self.text)


@dataclass(frozen=True, slots=True)
class Form:
    """What a person is asked."""

    id: str
    fields: tuple[Field, ...]

    def answers(self, given: Mapping[str, str]) -> dict[str, Given]:
        """Return what was put in, typed; a checkbox is there or not.

        Raises:
            Rejected: ANSWER_WRONG, the message says which field and what it takes.
        """
        return {
            each.key: _answer(each, given.get(each.key, "").strip()) for each in self.fields if each.kind in ANSWERED
        }

    def for_engine(self, answers: Mapping[str, Given]) -> dict[str, Given]:
        """Return those of the answers that may leave for the engine."""
        plain = {each.key for each in self.fields if each.kind in ANSWERED - OWN_WORDS}
        return {key: value for key, value in answers.items() if key in plain}


def load_forms(bpmn_dir: Path) -> dict[str, Form]:
    """Read every form.

    Raises:
        BadSettings: FORM_WRONG, naming the file and how to mend it.
    """
    forms = {}
    for file in sorted((bpmn_dir / "forms").glob("*.form")):
        form = read_form(file)
        forms[form.id] = form
    return forms


def read_form(file: Path) -> Form:
    """Read one form.

    Raises:
        BadSettings: FORM_WRONG.
    """
    try:
        schema = msgspec.json.decode(file.read_bytes(), type=_Schema)
    except (OSError, msgspec.DecodeError) as error:
        raise BadSettings("FORM_WRONG", f"{file}: {error}") from error
    if problems := [problem for component in schema.components if (problem := _problem(component))]:
        raise BadSettings("FORM_WRONG", f"{file}: {'; '.join(problems)}")
    if schema.id != file.stem:
        raise BadSettings("FORM_WRONG", f'{file}: its id is "{schema.id}": make it the same as the file\'s name')
    keys = [component.key for component in schema.components if component.type in ANSWERED]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise BadSettings("FORM_WRONG", f"{file}: {twice[0]} is the key of two fields: give one another key")
    return Form(schema.id, tuple(_field(each) for each in schema.components if each.type not in _IGNORED))


def _problem(component: _Component) -> str:
    if component.type not in ANSWERED | SHOWN | _IGNORED:
        known = ", ".join(sorted(ANSWERED | SHOWN))
        named = component.label or component.id
        return f'the field "{named}" is a {component.type}, which our page cannot show: use {known}'
    if component.type not in ANSWERED:
        return ""
    if not _KEY.fullmatch(component.key) or component.key == "answer":
        return f'the field "{component.label}" has the key "{component.key}": use a-z, 0-9 and _, and not "answer"'
    if component.type in {"select", "radio"} and not component.values:
        return f'the field "{component.label}" offers nothing: give it static options'
    return ""


def _field(found: _Component) -> Field:
    default = found.default_value
    return Field(
        kind=found.type,
        key=found.key,
        label=found.label,
        text=found.text,
        description=found.description,
        options=tuple((each.value, each.label) for each in found.values),
        required=found.validate.required,
        longest=min(found.validate.max_length or _MOST_CHARS, _MOST_CHARS),
        least=found.validate.min,
        most=found.validate.max,
        default=default if isinstance(default, str | int | float | bool) else None,
    )


def _answer(field: Field, said: str) -> Given:
    if field.kind == "checkbox":
        if field.required and not said:
            raise _wrong(field, "has to be ticked")
        return bool(said)
    if not said:
        if field.required:
            raise _wrong(field, "is missing")
        return None
    if field.kind == "number":
        return _number(field, said)
    if field.kind in {"select", "radio"} and said not in {value for value, _ in field.options}:
        raise _wrong(field, "is none of the options")
    if len(said) > field.longest:
        raise _wrong(field, f"is longer than {field.longest} characters")
    return said


def _number(field: Field, said: str) -> int | float:
    try:
        number = float(said)
    except ValueError:
        raise _wrong(field, "is no number") from None
    too_small = field.least is not None and number < field.least
    if not abs(number) < 10**15 or too_small or (field.most is not None and number > field.most):
        raise _wrong(field, "is out of its bounds")
    return int(number) if number.is_integer() else number


def _wrong(field: Field, what: str) -> Rejected:
    return Rejected("ANSWER_WRONG", f'"{field.label or field.key}" {what}')


def _said(value: Given) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value)
