"""Compare two versions of a file of settings, key by key."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any, Final

from waggle.comparing.difference import Difference
from waggle.errors import BadSettings

_NAMES: Final = ("journey", "name", "key", "id", "title", "field", "template")
"""By which of its keys one table of a list is told from the others, the first that it has."""


def compare_settings(old: bytes, new: bytes, name: str) -> list[Difference]:
    """Return what is not as it was, key by key; *name* says whether it is TOML or JSON.

    Raises:
        BadSettings: SETTINGS_UNREADABLE.
    """
    before, after = dict(_flat(_read(old, name))), dict(_flat(_read(new, name)))
    found = []
    for key in dict.fromkeys([*after, *before]):
        if key not in before:
            found.append(Difference(key, "added", f"{key} is new: {_said(after[key])}"))
        elif key not in after:
            found.append(Difference(key, "removed", f"{key} is gone (it was {_said(before[key])})"))
        elif before[key] != after[key]:
            found.append(
                Difference(key, "changed", f"{key} is now {_said(after[key])} instead of {_said(before[key])}")
            )
    return found


def _read(content: bytes, name: str) -> Any:  # noqa: ANN401 -- whatever the file holds
    try:
        text = content.decode()
        return tomllib.loads(text) if name.endswith(".toml") else json.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise BadSettings("SETTINGS_UNREADABLE", f"{name}: {error}") from error


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 -- whatever the file holds
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        used: dict[str, int] = {}
        for each in value:
            named = str(next((each[key] for key in _NAMES if key in each), "entry"))
            used[named] = used.get(named, 0) + 1
            yield from _flat(each, f"{path}[{named}]" if used[named] == 1 else f"{path}[{named} {used[named]}]")
    else:
        yield path, value


def _said(value: Any) -> str:  # noqa: ANN401 -- whatever the file holds
    return json.dumps(value, ensure_ascii=False, default=str)
