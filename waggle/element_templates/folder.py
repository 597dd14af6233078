"""The folder in which Modeler finds the steps: what it holds, and what it should hold.

A template lies in `<name>.json`; older versions lie in `versioned/<name>-<version>.json` for as long as a diagram uses
them. A version rises only when the template would write something else into a diagram, or take something else: texts,
pictures and the entries of drop-downs come and go without. Templates of other origin in the folder are left alone.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from waggle.errors import BadSettings
from waggle.services.diagrams import parse_xml

Json = dict[str, Any]

PREFIX: Final = "waggle."
_ZEEBE: Final = "{http://camunda.org/schema/zeebe/1.0}"
_OLD: Final = "versioned"
_TOLD: Final = ("label", "description", "tooltip", "placeholder", "choices", "group")
"""Of a field, what changes nothing in a diagram."""


@dataclass(frozen=True, slots=True)
class TemplateInUse:
    """An element of a diagram that was made with a template."""

    file: Path
    element: str
    template: str
    version: int


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one template."""

    template: str
    kind: Literal["new", "new version", "new texts", "kept for diagrams", "removed"]
    version: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written (path below the folder -> content) and deleted."""

    changes: tuple[Change, ...]
    write: Mapping[str, str]
    delete: tuple[str, ...]

    def carry_out(self, folder: Path) -> None:
        """Do it."""
        for name, content in self.write.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        for name in self.delete:
            (folder / name).unlink()


def read_folder(folder: Path) -> dict[str, Json]:
    """Return our templates by their path below *folder*.

    Raises:
        BadSettings: TEMPLATE_UNREADABLE. Modeler would then show none at all.
    """
    found = {}
    for file in sorted(folder.rglob("*.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise BadSettings("TEMPLATE_UNREADABLE", f"{file}: {error}") from error
        if isinstance(content, dict) and str(content.get("id", "")).startswith(PREFIX):
            found[file.relative_to(folder).as_posix()] = content
    return found


def templates_in_use(bpmn_dir: Path) -> list[TemplateInUse]:
    """Return every element below *bpmn_dir* that was made with one of our templates.

    Raises:
        BadSettings: a diagram cannot be read.
    """
    return [used for file in sorted(bpmn_dir.rglob("*.bpmn")) for used in _used_in(file)]


def missing_templates(used: Iterable[TemplateInUse], known: Iterable[Json]) -> list[TemplateInUse]:
    """Return those uses whose template is not there in that version."""
    there = {(each["id"], each["version"]) for each in known}
    return [each for each in used if (each.template, each.version) not in there]


def plan(wanted: Sequence[Json], found: Mapping[str, Json], used: Iterable[TemplateInUse]) -> Plan:
    """Return what makes a folder that holds *found* hold *wanted*, and what diagrams use."""
    in_use = {(each.template, each.version) for each in used}
    current = {content["id"]: content for name, content in found.items() if "/" not in name}
    changes: list[Change] = []
    target: dict[str, Json] = {}
    for each in wanted:
        before = current.get(each["id"])
        version = _version(each, before, found.values(), in_use)
        target[_file(each["id"])] = {**each, "version": version}
        changes += _change(each, before, version)
    for content in found.values():
        key = (content["id"], content["version"])
        if key not in {(each["id"], each["version"]) for each in target.values()} and key in in_use:
            target[f"{_OLD}/{_file(content['id'], content['version'])}"] = content
    changes += _leavers(found, target)
    wanted_texts = {name: _text(content) for name, content in target.items()}
    found_texts = {name: _text(content) for name, content in found.items()}
    return Plan(
        changes=tuple(changes),
        write={name: text for name, text in wanted_texts.items() if found_texts.get(name) != text},
        delete=tuple(sorted(set(found) - set(target))),
    )


def _used_in(file: Path) -> Iterator[TemplateInUse]:
    for element in parse_xml(file).iter():
        template = element.get(f"{_ZEEBE}modelerTemplate", "")
        version = element.get(f"{_ZEEBE}modelerTemplateVersion", "")
        # The message of an event names the template too, without a version.
        if template.startswith(PREFIX) and version.isdigit():
            yield TemplateInUse(file, element.get("id", ""), template, int(version))


def _version(wanted: Json, before: Json | None, known: Iterable[Json], in_use: Iterable[tuple[str, int]]) -> int:
    if before is not None and _matter(before) == _matter(wanted):
        return int(before["version"])
    there = [int(each["version"]) for each in known if each["id"] == wanted["id"]]
    # Diagrams that came without a folder of templates were tied to what is the newest version where they are from.
    used = [version for template, version in in_use if template == wanted["id"]]
    return max(there) + 1 if there else max(used, default=1)


def _change(wanted: Json, before: Json | None, version: int) -> Iterator[Change]:
    if before is None:
        yield Change(wanted["id"], "new", version)
    elif version != before["version"]:
        yield Change(wanted["id"], "new version", version)
    elif {**wanted, "version": version} != before:
        yield Change(wanted["id"], "new texts", version)


def _leavers(found: Mapping[str, Json], target: Mapping[str, Json]) -> Iterator[Change]:
    """Yield what is moved to the old versions, and what goes; of what is replaced the new version tells."""
    places = {(content["id"], content["version"]): name for name, content in target.items()}
    for name, content in found.items():
        place = places.get((content["id"], content["version"]))
        if place is None and (name.startswith(_OLD) or _file(content["id"]) not in target):
            yield Change(content["id"], "removed", content["version"])
        elif place is not None and place.startswith(_OLD) and place != name:
            yield Change(content["id"], "kept for diagrams", content["version"])


def _matter(template: Json) -> Json:
    """Return what decides what a diagram gets from *template*."""
    fields = [{key: value for key, value in each.items() if key not in _TOLD} for each in template["properties"]]
    return {"element": template["elementType"], "properties": fields}


def _file(template_id: str, version: int | None = None) -> str:
    name = template_id.removeprefix(PREFIX).replace(".", "-")
    return f"{name}.json" if version is None else f"{name}-{version}.json"


def _text(content: Json) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, sort_keys=False) + "\n"
