"""From what comes with a job to typed input, or to the words that say what is wrong with it."""

import types
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

T = TypeVar("T")

_MOST_NAMED = 8
_JSON_NAMES: Mapping[object, str] = {
    type(None): "null",
    datetime: "datetime",
    date: "date",
    time: "time",
    timedelta: "duration",
}


class Unreadable(Exception):
    """What came does not fit; `details` name fields and what was expected, and quote no value."""

    def __init__(self, *details: str) -> None:
        super().__init__(*details)
        self.details = details


def decoded(json: str) -> dict[str, object]:
    """Return the object that *json* is.

    Raises:
        Unreadable: it is none, or deeper than anyone can read.
    """
    try:
        found = msgspec.json.decode(json or "{}")
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise Unreadable("not", "readable", "as", "JSON") from error
    if not isinstance(found, dict):
        raise Unreadable("not", "a", "JSON", "object")
    return found


def converted(values: Mapping[str, object], into: type[T], *, strict: bool) -> T:
    """Return *values* as the dataclass *into*; unless *strict*, texts may stand for numbers and booleans.

    Raises:
        Unreadable: naming every field that is wrong.
    """
    try:
        return msgspec.convert(values, into, strict=strict)
    except Exception as error:
        # A type of the task's may check itself, and raise what it likes.
        raise Unreadable(*_faults(values, into, strict=strict)) from error


def _faults(values: Mapping[str, object], into: type, *, strict: bool) -> list[str]:
    """Return the words about each field that does not fit: `items: expected int`."""
    if not is_dataclass(into):
        return ["expected", expected(into)]
    hints = get_type_hints(into, include_extras=True)
    faults = []
    for field in fields(into):
        needed = field.default is MISSING and field.default_factory is MISSING
        is_wrong = (
            needed if field.name not in values else not _fits(values[field.name], hints[field.name], strict=strict)
        )
        if is_wrong:
            faults.append((f"{field.name}:", "expected", expected(hints[field.name])))
    words = [word for fault in faults[:_MOST_NAMED] for word in fault]
    return words if len(faults) <= _MOST_NAMED else [*words, "and", f"{len(faults) - _MOST_NAMED}", "more"]


def _fits(value: object, hint: Any, *, strict: bool) -> bool:  # noqa: ANN401 - any type a field may have
    try:
        msgspec.convert(value, hint, strict=strict)
    except Exception:  # noqa: BLE001 - see converted
        return False
    return True


def expected(hint: Any) -> str:  # noqa: ANN401 - any type a field may have
    """Return one word for what the type *hint* takes, without blanks."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return expected(arguments[0])
    if origin is Literal:
        return "-or-".join(str(value) for value in arguments)
    if origin in (Union, types.UnionType):
        return "-or-".join(expected(member) for member in arguments)
    kind = origin or hint
    return _JSON_NAMES.get(kind) or (_shape(kind) if isinstance(kind, type) else "other")


def _shape(kind: type) -> str:
    if is_dataclass(kind) or issubclass(kind, Mapping):
        return "object"
    return "list" if issubclass(kind, Collection) and not issubclass(kind, str | bytes) else kind.__name__
