"""Places within a JSON document, named as in `data.items[0].quantity`."""

import json
import re

from waggle.errors import Rejected

_STEP = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]{1,4})\]")


def put(content: object, path: str, text: str) -> None:
    """Put *text*, JSON or else itself, at *path* of *content*; objects on the way are made.

    Raises:
        Rejected: PATH_UNKNOWN.
    """
    steps = _steps(path)
    place = content
    for step in steps[:-1]:
        place = _inside(place, step, path)
    last = steps[-1]
    if isinstance(place, dict) and isinstance(last, str):
        place[last] = _value(text)
        return
    if not isinstance(place, list) or not isinstance(last, int) or last >= len(place):
        raise _unknown(path)
    place[last] = _value(text)


def shape(content: object, where: str = "$") -> list[tuple[str, str]]:
    """Return each place of *content* and what kind of value stands there; never the value."""
    if isinstance(content, dict):
        return [line for name, each in content.items() for line in shape(each, f"{where}.{name}")]
    if isinstance(content, list):
        return [line for index, each in enumerate(content) for line in shape(each, f"{where}[{index}]")]
    return [(where, _kind(content))]


def _steps(path: str) -> list[str | int]:
    rest = path.removeprefix("$")
    found = list(_STEP.finditer(rest))
    if not found or "".join(each.group() for each in found) != rest:
        raise Rejected("PATH_UNKNOWN", "write a path as in data.items[0].quantity")
    return [int(each[2]) if each[2] is not None else str(each[1]) for each in found]


def _inside(place: object, step: str | int, path: str) -> object:
    if isinstance(place, dict) and isinstance(step, str):
        return place.setdefault(step, {})
    if isinstance(place, list) and isinstance(step, int) and step < len(place):
        return place[step]
    raise _unknown(path)


def _unknown(path: str) -> Rejected:
    return Rejected("PATH_UNKNOWN", f"{path}: there is no such place")


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _kind(value: object) -> str:
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return "number"
