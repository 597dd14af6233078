"""Check every journey, piece, decision and form against workers, catalogue, settings, messages and coupons."""

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from waggle.errors import BadSettings
from waggle.services.catalogue import load_catalogue
from waggle.services.coupons import load_campaigns
from waggle.services.decisions import Decision, read_decisions
from waggle.services.diagram_rules import Surroundings, TaskType, findings_of
from waggle.services.diagrams import Diagram, read_diagram
from waggle.services.findings import Finding
from waggle.services.form_files import FormFile, read_form_file
from waggle.services.journeys import load_journeys

UNREADABLE = "files-can-be-read"
"""Rule of files that cannot be read at all."""

_SAY_WHAT_IS_MISSING = frozenset(
    {
        "called-pieces-exist",
        "catalogue-entries-have-diagrams",
        "scenarios-name-what-is-there",
        "settings-have-a-journey",
    }
)

Thing = TypeVar("Thing", Diagram, Decision, FormFile)


def check_diagrams(
    bpmn_dir: Path, config_dir: Path, tasks: Mapping[str, TaskType], drafts: Sequence[Path] = ()
) -> list[Finding]:
    """Return everything that is wrong in *bpmn_dir*; *tasks* says which worker answers which task type.

    *drafts* are files from elsewhere that stand in for those of the same id.

    Raises:
        BadSettings: the catalogue or a file of settings cannot be read.
    """
    found: list[Finding] = []
    known = surroundings(bpmn_dir, config_dir, tasks, drafts, found)
    found = _without_consequences([*found, *findings_of(known)])
    return sorted(dict.fromkeys(found), key=lambda finding: (finding.file, finding.element, finding.problem))


def surroundings(
    bpmn_dir: Path,
    config_dir: Path,
    tasks: Mapping[str, TaskType],
    drafts: Sequence[Path] = (),
    found: list[Finding] | None = None,
) -> Surroundings:
    """Read all that the diagrams in *bpmn_dir* may name; what cannot be read is added to *found*.

    Raises:
        BadSettings: the catalogue or a file of settings cannot be read.
    """
    wrong = [] if found is None else found

    def files(ending: str) -> list[Path]:
        own = {file.name: file for file in sorted(bpmn_dir.rglob(f"*{ending}"))}
        return [*(own | {file.name: file for file in drafts if file.suffix == ending}).values()]

    diagrams = _read_all(files(".bpmn"), lambda file: [read_diagram(file)], wrong)
    decisions = _read_all(files(".dmn"), read_decisions, wrong)
    forms = _read_all(files(".form"), lambda file: [read_form_file(file)], wrong)
    return Surroundings(
        bpmn_dir=bpmn_dir,
        config_dir=config_dir,
        tasks=tasks,
        catalogue=load_catalogue(bpmn_dir),
        book=load_journeys(config_dir),
        diagrams=_by_id(diagrams, lambda diagram: diagram.process_id, wrong),
        decisions=_by_id(decisions, lambda decision: decision.id, wrong),
        forms=_by_id(forms, lambda form: form.id, wrong),
        templates={file.parent.name: _purpose(file) for file in sorted(config_dir.glob("messages/*/message.toml"))},
        segments=frozenset(file.stem for file in config_dir.glob("segments/*.toml")),
        campaigns=frozenset(load_campaigns(config_dir)),
        element_templates=frozenset(_element_templates(bpmn_dir.parent / ".camunda" / "element-templates")),
    )


def _read_all(files: Iterable[Path], read: Callable[[Path], list[Thing]], found: list[Finding]) -> list[Thing]:
    things: list[Thing] = []
    for file in files:
        try:
            things += read(file)
        except BadSettings as error:
            found.append(
                Finding(file, file.name, "", error.message, "it cannot be deployed", "save it from Modeler", UNREADABLE)
            )
    return things


def _by_id(things: Iterable[Thing], name: Callable[[Thing], str], found: list[Finding]) -> dict[str, Thing]:
    named: dict[str, Thing] = {}
    for thing in things:
        if name(thing) in named:
            found.append(
                Finding(
                    thing.file,
                    name(thing),
                    "",
                    f"{named[name(thing)].file.name} has the same id",
                    "only one of both is deployed, and nobody knows which",
                    "give one of them another id and file name",
                    UNREADABLE,
                )
            )
        named[name(thing)] = thing
    return named


def _without_consequences(found: Sequence[Finding]) -> list[Finding]:
    """Leave out that a diagram is missing which cannot be read: who mended that would remove what is right."""
    unread = [f'"{each.file.stem}"' for each in found if each.rule == UNREADABLE and each.file.suffix == ".bpmn"]
    return [
        each
        for each in found
        if each.rule not in _SAY_WHAT_IS_MISSING or not any(name in each.problem for name in unread)
    ]


def _purpose(file: Path) -> str:
    """Return what a message is sent for; the renderer says what is wrong with a file that cannot be read."""
    try:
        return str(tomllib.loads(file.read_text(encoding="utf-8")).get("purpose", "marketing"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return ""


def _element_templates(folder: Path) -> Iterable[str]:
    for file in folder.rglob("*.json"):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError):
            continue
        for template in content if isinstance(content, list) else [content]:
            if isinstance(template, dict):
                yield str(template.get("id", ""))
