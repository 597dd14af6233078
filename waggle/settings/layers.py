"""The layers, of which the later outweigh the earlier: files, then the environment."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from waggle.errors import BadSettings
from waggle.settings.sections import SECTIONS
from waggle.settings.typed import read_secret, read_table

PREFIX = "WAGGLE_"
_PLACES = frozenset({"HOME", "CONFIG", "CONFIG_DIR", "BPMN_DIR", "CACHE", "SUPERVISOR_PID", "PERSON"})
"""Variables that say where things lie and who is at work; they are not keys of a section."""
TASKS = "worker.tasks."
"""Begins the name of a section that sets limits for one task type."""
SOURCE, STREAM, ENVIRONMENT = "source.", "stream.", "environments."
"""Begin the names of sections of one source, stream or environment each."""
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def layered(files: list[Path], environment: Mapping[str, str]) -> tuple[dict[str, dict[str, object]], dict[str, str]]:
    """Return the sections with their keys, and from `section.key` to where its value came from.

    Raises:
        BadSettings: a file cannot be read, or a variable is spelt wrongly.
    """
    sections: dict[str, dict[str, object]] = {}
    sources: dict[str, str] = {}

    def put(section: str, key: str, value: object, source: str) -> None:
        sections.setdefault(section, {})[key] = value
        sources[f"{section}.{key}"] = source

    for file in files:
        for section, keys in _tables(file):
            for key, value in keys.items():
                put(section, key, value, str(file))
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or name.removeprefix(PREFIX) in _PLACES:
            continue
        section, key = _spelt(name)
        # What a source's connector calls its keys is not known here: `connector_section` reads its files.
        own = section.startswith((SOURCE, STREAM, ENVIRONMENT))
        if key.endswith("_file") and not _is_key(section, key) and not own:
            put(section, key.removesuffix("_file"), read_secret(name, value), f"{name} (a file)")
        else:
            put(section, key, value, name)
    return sections, sources


def _tables(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the sections of *file*; [worker.tasks.x], [source.x], [stream.x], [environments.x] are their own.

    So each of their keys has a layer.
    """
    for section, keys in read_table(file).items():
        if not isinstance(keys, dict):
            raise BadSettings("SETTING_WRONG", f"{file}: {section!r} stands outside any [section]")
        if f"{section}." in {SOURCE, STREAM, ENVIRONMENT}:
            yield from _named_tables(file, section, keys)
            continue
        tasks = keys.pop("tasks", {}) if section == "worker" else {}
        yield section, keys
        if not isinstance(tasks, dict) or not all(isinstance(limits, dict) for limits in tasks.values()):
            raise BadSettings("SETTING_WRONG", f"{file}: write limits of a task type under [worker.tasks.<task type>]")
        for task_type, limits in tasks.items():
            yield f"{TASKS}{task_type}", limits


def _named_tables(file: Path, section: str, named: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, keys in named.items():
        if not isinstance(keys, dict) or not _NAME.fullmatch(name):
            raise BadSettings(
                "SETTING_WRONG",
                f"{file}: write [{section}.<name>], with a name of lower-case letters, digits and hyphens, "
                f"instead of {section}.{name}",
            )
        yield f"{section}.{name}", keys


def _spelt(name: str) -> tuple[str, str]:
    """Return section and key that the variable *name* sets; task types have hyphens where it has underscores."""
    words = name.removeprefix(PREFIX).lower().split("__")
    match words:
        case ["worker", "tasks", task_type, key]:
            return f"{TASKS}{task_type.replace('_', '-')}", key
        case ["worker", "tasks", *_]:
            raise BadSettings(
                "SETTING_UNKNOWN", f"{name}: write WAGGLE_WORKER__TASKS__TASK_TYPE__KEY, with _ for - in the task type"
            )
        case ["source" | "stream" | "environments" as kind, named, *rest] if rest and _NAME.fullmatch(
            named.replace("_", "-")
        ):
            return f"{kind}.{named.replace('_', '-')}", "__".join(rest)
        case ["source" | "stream" | "environments" as kind, *_]:
            raise BadSettings(
                "SETTING_UNKNOWN", f"{name}: write WAGGLE_{kind.upper()}__NAME__KEY, with _ for - in the name"
            )
        case [section, *rest] if rest:
            return section, "__".join(rest)
    raise BadSettings("SETTING_UNKNOWN", f"{name}: write WAGGLE_SECTION__KEY, with two underscores")


def _is_key(section: str, key: str) -> bool:
    """Say whether *key* itself is a setting that names a file, such as engine.ca_file."""
    return section in SECTIONS and key in {each.name for each in fields(SECTIONS[section])}
