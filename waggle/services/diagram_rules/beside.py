"""What stands beside the diagrams: catalogue, settings, forms, message templates and scenarios."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from waggle.domain.event import FACTS
from waggle.errors import BadSettings
from waggle.services.catalogue import FILE as CATALOGUE_FILE
from waggle.services.catalogue import CatalogueMessage, Entry, Receiver
from waggle.services.diagram_rules.messages import known_messages
from waggle.services.diagram_rules.naming import ENGINE_VERSION
from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.diagram_rules.telling import choose, listed
from waggle.services.diagrams import Diagram
from waggle.services.findings import Finding
from waggle.services.rendering import MessageTemplates

GAPS: Final = "gaps.toml"


def catalogue_entries_have_diagrams(known: Surroundings) -> Iterator[Finding]:
    """What the catalogue promises to a journey, its diagram (or a piece of it) waits for."""
    for name, message in known.catalogue.messages.items():
        for journey in dict.fromkeys(
            [*(entry.journey for entry in message.starts), *(told.journey for told in message.receivers)]
        ):
            diagram = known.diagrams.get(journey)
            if diagram is None or diagram.is_piece:
                problem, mend = f'names the journey "{journey}", which has no diagram', "draw it, or remove the entry"
            elif name not in known_messages(diagram, known):
                problem = f'names the journey "{journey}", whose diagram does not wait for it'
                mend = "add the event to the diagram, or remove the entry"
            else:
                continue
            yield _catalogue(known, name, problem, "the message is published and nothing happens", mend)


def catalogue_events_exist(known: Surroundings) -> Iterator[Finding]:
    """An entry names an event type that there is, and fields that such an event has."""
    for name, message in known.catalogue.messages.items():
        fact = FACTS.get(message.event_type)
        if fact is None:
            yield _catalogue(
                known,
                name,
                f'there is no event "{message.event_type}"',
                "nothing ever starts, moves or ends by it",
                f"use one of {listed(FACTS)}",
            )
            continue
        there = {field.name for field in fields(fact)}
        for where, field in _named_fields(message):
            if field not in there:
                yield _catalogue(
                    known,
                    name,
                    f'{where} names the field "{field}", which an event {message.event_type} does not have',
                    "the event enters, moves or ends nothing, and nobody is told why",
                    f"use one of {listed(there)}",
                )


def switches_of_the_catalogue_are_set(known: Surroundings) -> Iterator[Finding]:
    """A switch that the catalogue asks for stands under [exits] in the journey's own file."""
    for name, message in known.catalogue.messages.items():
        for told in message.receivers:
            if told.widened_if is not None and told.widened_if not in known.book.of(told.journey).exits:
                yield _catalogue(
                    known,
                    name,
                    f'widened_if names "{told.widened_if}", which the journey {told.journey} does not have',
                    "the customer's other journeys are never told",
                    f"add {told.widened_if} to config/journeys/{told.journey}.toml under [exits]",
                )


def settings_have_a_journey(known: Surroundings) -> Iterator[Finding]:
    """A file of settings is named like the journey that it is for."""
    journeys = {name for name, diagram in known.diagrams.items() if not diagram.is_piece}
    for name in known.book.names:
        if name not in journeys:
            yield Finding(
                known.config_dir / "journeys" / f"{name}.toml",
                name,
                "",
                f'there is no journey "{name}" in bpmn/journeys',
                "whoever sets something there waits in vain",
                f"name the file like one of {listed(journeys)}, or remove it",
            )


def forms_have_a_version(known: Surroundings) -> Iterator[Finding]:
    """A form has a version tag, and is made for this engine."""
    for form in known.forms.values():
        for is_wrong, problem, consequence, mend in (
            (
                not form.version_tag,
                "no version tag",
                "nobody can tell which version was shown",
                "set Version tag, for example 1.0.0",
            ),
            (
                form.engine_version != ENGINE_VERSION,
                f"made for engine {form.engine_version or 'unknown'}",
                "it may show fields that are not there",
                f"set the execution platform version to {ENGINE_VERSION}",
            ),
        ):
            if is_wrong:
                yield Finding(form.file, form.id, "", problem, consequence, mend)


def message_templates_can_be_filled(known: Surroundings) -> Iterator[Finding]:
    """Every message in config/messages is whole: its variables are ones that the renderer has, its MJML is MJML."""
    try:
        MessageTemplates.load(known.config_dir / "messages")
    except BadSettings as error:
        where, _, problem = error.message.partition(": ")
        file = Path(where.partition(", line ")[0].strip())
        yield Finding(
            file,
            file.parent.name,
            "",
            error.message if not problem else f"{where.removeprefix(str(file)).strip(', ')} {problem}".strip(),
            "Waggle does not start",
            "correct the place that is named; the other messages are looked at once this one is right",
        )


def scenarios_name_what_is_there(known: Surroundings) -> Iterator[Finding]:
    """A scenario belongs to a journey, and names elements, messages, settings and events that there are."""
    for file in sorted((known.bpmn_dir / "scenarios").glob("*/*.toml")):
        try:
            scenario = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            yield Finding(
                file, file.stem, "", f"it cannot be read: {error}", "it is not played", "correct the line that is named"
            )
            continue
        yield from _scenario(known, file, scenario)


def _scenario(known: Surroundings, file: Path, scenario: dict[str, Any]) -> Iterator[Finding]:
    is_gaps, title = file.name == GAPS, scenario.get("title")
    consequence = "a gap that is no gap is excused" if is_gaps else "it fails for a reason that is no fault"
    for problem, mend in _gap_mistakes(known, file, scenario) if is_gaps else _mistakes(known, file, scenario):
        yield Finding(file, file.stem, title if isinstance(title, str) else "", problem, consequence, mend)


def _gap_mistakes(known: Surroundings, file: Path, gaps: dict[str, Any]) -> Iterator[tuple[str, str]]:
    journey = known.diagrams.get(file.parent.name)
    if journey is None:
        yield _no_journey(known, file)
        return
    named = [name for table in gaps.values() if isinstance(table, dict) for name in table]
    named += [name for name, why in gaps.items() if isinstance(why, str)]
    yield from _unknown_elements([journey], named, known)


def _mistakes(known: Surroundings, file: Path, scenario: dict[str, Any]) -> Iterator[tuple[str, str]]:
    journey = known.diagrams.get(file.parent.name)
    if journey is None:
        yield _no_journey(known, file)
        return
    enabled = [known.diagrams[also] for also in scenario.get("also", []) if also in known.diagrams]
    yield from _unknown_elements([journey, *enabled], _elements(scenario), known)
    for template in _templates(scenario):
        if template not in known.templates:
            yield f'there is no message "{template}" in config/messages', choose(template, known.templates.keys())
    for step in scenario.get("steps", []):
        event = step.get("tell", "cart-updated")
        if event not in FACTS:
            yield f'there is no event "{event}"', choose(event, FACTS.keys())
    settings = known.book.of(journey.process_id).settings
    for setting in sorted(set(scenario.get("settings", {})) - set(settings)):
        yield f'the journey has no setting "{setting}"', choose(setting, settings.keys())


def _no_journey(known: Surroundings, file: Path) -> tuple[str, str]:
    journeys = {name for name, diagram in known.diagrams.items() if not diagram.is_piece}
    return f'there is no journey "{file.parent.name}"', choose(file.parent.name, journeys)


def _unknown_elements(
    journeys: Sequence[Diagram], named: Sequence[str], known: Surroundings
) -> Iterator[tuple[str, str]]:
    parts = [part for journey in journeys for part in known.parts(journey)]
    elements = {element for part in parts for element in (*part.nodes, *part.flows)}
    for element in named:
        if element not in elements:
            where = " and ".join(journey.process_id for journey in journeys)
            near = get_close_matches(element, elements, n=2, cutoff=0.6)
            mend = f"use {' or '.join(near)}" if near else "look the id up in Modeler"
            yield f'there is no element "{element}" in {where} or the pieces', mend


def _elements(scenario: dict[str, Any]) -> list[str]:
    expected = scenario.get("expect", {})
    asked = [step.get("decide") for step in scenario.get("steps", []) if isinstance(step, dict)]
    return [
        *expected.get("visits", []),
        *expected.get("avoids", []),
        *(each["task"] for each in asked if isinstance(each, dict) and "task" in each),
    ]


def _templates(scenario: dict[str, Any]) -> list[str]:
    mails = scenario.get("expect", {}).get("mails", [])
    return [mail["template"] for mail in mails if isinstance(mail, dict) and "template" in mail]


def _named_fields(message: CatalogueMessage) -> Iterator[tuple[str, str]]:
    for variable in message.variables:
        yield "variables", variable
    entries: list[Entry | Receiver] = [*message.starts, *message.receivers]
    for entry in entries:
        for field in entry.business_key:
            yield "business_key", field
        for where in ("customer", "message"):
            if getattr(entry, where, None):
                yield where, getattr(entry, where)
        for rule in entry.when:
            yield "when", rule.field


def _catalogue(known: Surroundings, name: str, problem: str, consequence: str, mend: str) -> Finding:
    return Finding(known.bpmn_dir / CATALOGUE_FILE, name, "", problem, consequence, mend)
