"""Check every journey and decision against workers, catalogue, settings, messages and coupons."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from waggle.errors import BadSettings
from waggle.services.catalogue import FILE as CATALOGUE_FILE
from waggle.services.catalogue import Catalogue, load_catalogue
from waggle.services.coupons import load_campaigns
from waggle.services.decisions import Decision, check_decision, read_decisions
from waggle.services.diagram_rules import RULES, Surroundings, TaskType
from waggle.services.diagrams import Diagram, read_diagram
from waggle.services.findings import Finding
from waggle.services.journeys import load_journeys

Thing = TypeVar("Thing", Diagram, Decision)


def check_diagrams(bpmn_dir: Path, config_dir: Path, tasks: Mapping[str, TaskType]) -> list[Finding]:
    """Return everything that is wrong in *bpmn_dir*; *tasks* says which worker answers which task type.

    Raises:
        BadSettings: the catalogue or a file of settings cannot be read.
    """
    found: list[Finding] = []
    decisions = _read_all(sorted(bpmn_dir.rglob("*.dmn")), read_decisions, found)
    diagrams = _read_all(sorted(bpmn_dir.rglob("*.bpmn")), lambda file: [read_diagram(file)], found)
    known = Surroundings(
        tasks=tasks,
        catalogue=load_catalogue(bpmn_dir),
        book=load_journeys(config_dir),
        decisions=frozenset(decision.id for decision in decisions),
        templates=frozenset(message.parent.name for message in config_dir.glob("messages/*/message.toml")),
    )
    campaigns = frozenset(load_campaigns(config_dir))
    for decision in decisions:
        found += [*check_decision(decision), *_unknown_campaigns(decision, campaigns)]
    for diagram in diagrams:
        found += check_diagram(diagram, known)
    found += _unawaited_messages(bpmn_dir / CATALOGUE_FILE, diagrams, known.catalogue)
    found += _missing_switches(bpmn_dir / CATALOGUE_FILE, known)
    return sorted(found, key=lambda finding: (finding.file, finding.element, finding.problem))


def check_diagram(diagram: Diagram, known: Surroundings) -> list[Finding]:
    """Return everything that is wrong with one journey."""
    return [finding for rule in RULES for finding in rule(diagram, known)]


def _read_all(files: Iterable[Path], read: Callable[[Path], list[Thing]], found: list[Finding]) -> list[Thing]:
    things: list[Thing] = []
    for file in files:
        try:
            things += read(file)
        except BadSettings as error:
            found.append(Finding(file, file.name, "", error.message, "it cannot be deployed", "save it from Modeler"))
    return things


def _unknown_campaigns(decision: Decision, campaigns: frozenset[str]) -> Iterator[Finding]:
    for campaign in sorted(decision.answers("coupon_campaign") - campaigns):
        yield Finding(
            decision.file,
            decision.id,
            decision.name,
            f'offers the coupon campaign "{campaign}", which config/coupons.toml does not have',
            "every journey that gets this offer stops with an incident",
            f"add [{campaign}] there, or offer one of {', '.join(sorted(campaigns))}",
        )


def _unawaited_messages(file: Path, diagrams: Iterable[Diagram], catalogue: Catalogue) -> Iterator[Finding]:
    """Yield what the catalogue promises to journeys that do not wait for it."""
    waiting = {diagram.process_id: {node.message for node in diagram.nodes.values()} for diagram in diagrams}
    for name, message in catalogue.messages.items():
        for journey in [*(entry.journey for entry in message.starts), *(told.journey for told in message.receivers)]:
            if journey not in waiting:
                problem, mend = f'names the journey "{journey}", which has no diagram', "draw it, or remove the entry"
            elif name not in waiting[journey]:
                problem = f'names the journey "{journey}", whose diagram does not wait for it'
                mend = "add the event to the diagram, or remove the entry"
            else:
                continue
            yield Finding(file, name, "", problem, "the message is published and nothing happens", mend)


def _missing_switches(file: Path, known: Surroundings) -> Iterator[Finding]:
    for name, message in known.catalogue.messages.items():
        for told in message.receivers:
            if told.widened_if is not None and told.widened_if not in known.book.of(told.journey).exits:
                yield Finding(
                    file,
                    name,
                    "",
                    f'widened_if names "{told.widened_if}", which the journey {told.journey} does not have',
                    "the customer's other journeys are never told",
                    f"add {told.widened_if} to config/journeys/{told.journey}.toml under [exits]",
                )
