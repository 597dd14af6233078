"""What a deployment would change: for each file, for new instances and for those that run."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal
from xml.etree import ElementTree as ET

from waggle.ports.unit_of_work import Transaction
from waggle.ports.versions import NewestFile
from waggle.services.bundles import Bundle, Resource
from waggle.services.elements import ElementChanges, changes_between

ChangeState = Literal["new", "changed", "unchanged", "gone"]


@dataclass(frozen=True, slots=True)
class RunningOn:
    """How many live enrolments are on one version."""

    version: int | None
    """None: not begun yet, or begun before versions were noted."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What deploying makes of one file."""

    file: str
    name: str
    title: str
    state: ChangeState
    """Gone: it is deployed and its file is not there any more; it stays deployed."""
    tag_before: str | None
    tag: str | None
    version_before: int | None
    """The engine's number of what is in force."""
    elements: ElementChanges | None = None
    running: tuple[RunningOn, ...] = ()
    """They stay on the version that they have, to their end or until `waggle migrate`."""
    problem: str = ""
    """Why it may not be deployed like this."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What deploying a bundle would change."""

    bundle_sha256: str
    changes: list[Change] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Everything that speaks against it."""
        return [f"{change.file}: {change.problem}" for change in self.changes if change.problem]

    @property
    def is_empty(self) -> bool:
        """Whether everything is in force already."""
        return all(change.state in {"unchanged", "gone"} for change in self.changes)


def planned(tx: Transaction, bundle: Bundle) -> Plan:
    """Compare *bundle* with what is recorded as deployed."""
    newest = tx.versions.newest_files()
    running: dict[str, Counter[int | None]] = {}
    for live in tx.versions.live_counts():
        running.setdefault(live.journey, Counter())[live.version] += live.count
    changes = [_change(tx, resource, newest.get(resource.file), running) for resource in bundle.resources]
    there = {resource.file for resource in bundle.resources}
    changes += [_gone(known, running) for file, known in sorted(newest.items()) if file not in there]
    return Plan(bundle.sha256, changes)


def _change(
    tx: Transaction, resource: Resource, known: NewestFile | None, running: dict[str, Counter[int | None]]
) -> Change:
    before = None if known is None else known.file
    change = Change(
        file=resource.file,
        name=resource.name,
        title=resource.title,
        state="new" if before is None else "unchanged" if before.sha256 == resource.sha256 else "changed",
        tag_before=None if before is None else before.version_tag,
        tag=resource.version_tag,
        version_before=None if before is None else before.version,
        running=_running(running, resource.name),
    )
    if known is None or before is None or change.state == "unchanged":
        return change
    return replace(
        change,
        elements=_elements(tx, resource, before.sha256),
        problem=_tag_problem(tx, resource),
        note=_rolled_back(known),
    )


def _gone(known: NewestFile, running: dict[str, Counter[int | None]]) -> Change:
    file = known.file
    return Change(
        file=file.file,
        name=file.name,
        title=file.name,
        state="gone",
        tag_before=file.version_tag,
        tag=None,
        version_before=file.version,
        running=_running(running, file.name),
        note="its file is not there any more; it stays deployed: pause it if nobody shall enter it",
    )


def _running(running: dict[str, Counter[int | None]], name: str) -> tuple[RunningOn, ...]:
    counts = running.get(name, Counter())
    return tuple(RunningOn(version, counts[version]) for version in sorted(counts, key=lambda each: each or 0))


def _tag_problem(tx: Transaction, resource: Resource) -> str:
    """Say what is wrong if the version tag stands for other bytes already."""
    same = [each for each in tx.versions.of_file(resource.file) if each.file.version_tag == resource.version_tag]
    if not same or any(each.file.sha256 == resource.sha256 for each in same):
        return ""
    if not resource.version_tag:
        return (
            "it changed and has no version tag: give it one (in Modeler: click on nothing, Version tag), such as 1.0.0"
        )
    return (
        f"it changed, and its version tag {resource.version_tag} stands for what was deployed on "
        f"{same[0].deployment.at:%Y-%m-%d}: raise the tag (in Modeler: click on nothing, Version tag), "
        f"such as {_raised(resource.version_tag)}"
    )


def _raised(tag: str) -> str:
    head, dot, last = tag.rpartition(".")
    return f"{head}{dot}{int(last) + 1}" if last.isdigit() else f"{tag}-2"


def _rolled_back(known: NewestFile) -> str:
    if known.deployment.kind != "rollback":
        return ""
    return (
        f"it was rolled back on {known.deployment.at:%Y-%m-%d} by {known.deployment.by}; this brings the folder's again"
    )


def _elements(tx: Transaction, resource: Resource, sha256: str) -> ElementChanges | None:
    before = tx.versions.content(sha256)
    if before is None or not resource.file.endswith(".bpmn"):
        return None
    try:
        return changes_between(before, resource.content)
    except ET.ParseError:
        return None
