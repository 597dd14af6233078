"""The files that are deployed together, read byte for byte."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from waggle.domain.markup import root_of
from waggle.errors import BadSettings

_MODEL: Final = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_ZEEBE: Final = "{http://camunda.org/schema/zeebe/1.0}"
_FOLDERS: Final = ("journeys/*.bpmn", "pieces/*.bpmn", "decisions/*.dmn", "forms/*.form")


@dataclass(frozen=True, slots=True)
class Resource:
    """One file; its name without folder is its name in the engine."""

    file: str
    content: bytes
    name: str
    """Process or form id; of a file of decisions the id of the whole."""
    title: str
    """What people call it; the name if it has none."""
    version_tag: str
    """Empty if there is none."""
    needs: frozenset[str]
    """Ids of the pieces, decisions and forms that it is bound to."""
    offers: frozenset[str]
    """Ids under which others may need it."""

    @property
    def sha256(self) -> str:
        """Names the bytes."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Bundle:
    """What goes to the engine in one request."""

    resources: tuple[Resource, ...]

    @cached_property
    def sha256(self) -> str:
        """Names all bytes and the names of the files, whatever their order."""
        lines = sorted(f"{each.sha256}  {each.file}\n" for each in self.resources)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def contents(self) -> dict[str, bytes]:
        """File name -> bytes."""
        return {each.file: each.content for each in self.resources}

    def of(self, name: str) -> Resource | None:
        """Return the file of a process, decision or form."""
        return next((each for each in self.resources if name in each.offers), None)

    def around(self, resource: Resource) -> "Bundle":
        """Return *resource* with all that it is bound to, however far: what must be deployed with it."""
        found = {resource.file: resource}
        waiting = [resource]
        while waiting:
            for need in sorted(waiting.pop().needs):
                needed = self.of(need)
                if needed is not None and needed.file not in found:
                    found[needed.file] = needed
                    waiting.append(needed)
        return Bundle(tuple(found[file] for file in sorted(found)))


def files_in(bpmn_dir: Path) -> list[Path]:
    """Return every diagram, decision and form that is deployed, in a steady order."""
    return sorted(file for pattern in _FOLDERS for file in bpmn_dir.glob(pattern))


def read_bundle(bpmn_dir: Path) -> Bundle:
    """Read what is deployed from *bpmn_dir*.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE; FILE_TWICE, two folders have a file of one name.
    """
    resources: dict[str, Resource] = {}
    for file in files_in(bpmn_dir):
        if file.name in resources:
            raise BadSettings("FILE_TWICE", f"{file}: another folder of {bpmn_dir} has a file of this name; rename one")
        try:
            resources[file.name] = read_resource(file.name, file.read_bytes())
        except OSError as error:
            raise BadSettings("DIAGRAM_UNREADABLE", f"{file}: {error}") from error
    return Bundle(tuple(resources.values()))


def read_resource(file: str, content: bytes) -> Resource:
    """Read one file that is called *file*.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE, it is not what its name says.
    """
    try:
        if file.endswith(".form"):
            return _form(file, content)
        root = root_of(content)
    except (ET.ParseError, ValueError) as error:
        raise BadSettings("DIAGRAM_UNREADABLE", f"{file}: {error}") from error
    return _process(file, content, root) if file.endswith(".bpmn") else _decisions(file, content, root)


def context_sha256(config_dir: Path) -> str:
    """Name the bytes of what journeys use and is not deployed: message templates, journey settings, coupons."""
    files = sorted(
        file
        for pattern in ("messages/**/*", "journeys/*.toml", "coupons.toml")
        for file in config_dir.glob(pattern)
        if file.is_file()
    )
    digest = hashlib.sha256()
    for file in files:
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{content}  {file.relative_to(config_dir).as_posix()}\n".encode())
    return digest.hexdigest()


def _form(file: str, content: bytes) -> Resource:
    told = json.loads(content)
    name = told.get("id") if isinstance(told, Mapping) else None
    if not isinstance(name, str):
        raise BadSettings("DIAGRAM_UNREADABLE", f"{file}: a form has an id")
    return Resource(file, content, name, name, str(told.get("versionTag") or ""), frozenset(), frozenset({name}))


def _process(file: str, content: bytes, root: ET.Element) -> Resource:
    process = next((each for each in root.iter(f"{_MODEL}process") if each.get("isExecutable") == "true"), None)
    if process is None:
        raise BadSettings("DIAGRAM_UNREADABLE", f"{file}: no process in it is executable")
    name = process.get("id", "")
    needs = {
        value
        for tag, attribute in (("calledDecision", "decisionId"), ("calledElement", "processId"))
        for each in process.iter(f"{_ZEEBE}{tag}")
        if (value := each.get(attribute))
    } | {value for each in process.iter(f"{_ZEEBE}formDefinition") if (value := each.get("formId"))}
    title = process.get("name") or name
    return Resource(file, content, name, title, _tag_of([process]), frozenset(needs), frozenset({name}))


def _decisions(file: str, content: bytes, root: ET.Element) -> Resource:
    decisions = [each for each in root.iter() if each.tag.rpartition("}")[2] == "decision"]
    name = root.get("id", "")
    offers = frozenset({name, *(each.get("id", "") for each in decisions)})
    return Resource(file, content, name, root.get("name") or name, _tag_of(decisions), frozenset(), offers)


def _tag_of(elements: Iterable[ET.Element]) -> str:
    """Return the version tag that stands right in these elements; of several different ones all."""
    return ", ".join(dict.fromkeys(tag for element in elements for tag in _tags(element)))


def _tags(element: ET.Element) -> Iterator[str]:
    for extensions in element:
        if extensions.tag.rpartition("}")[2] == "extensionElements":
            yield from (each.get("value", "") for each in extensions.iter(f"{_ZEEBE}versionTag"))
