"""Timers, and the settings that a diagram reads."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import msgspec

from waggle.services.diagram_rules.flowing import formula_in
from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.diagram_rules.telling import about, expressions
from waggle.services.diagrams import Diagram
from waggle.services.findings import Finding

_TEXTS: Final = re.compile(r'"[^"]*"')
_SETTING: Final = re.compile(r"\bsettings\.([A-Za-z_][A-Za-z0-9_]*)")
_DURATION: Final = re.compile(r"duration\(\s*settings\.([A-Za-z_][A-Za-z0-9_]*)\s*\)")


def times_come_from_settings(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """A fixed time can neither be set per shop nor be shortened for a trial."""
    for node in diagram.nodes.values():
        if node.timer is None or (node.timer[0] == "timeCycle" and diagram.is_process_start(node)):
            continue
        expression = node.timer[1]
        if not expression.startswith("=") or _TEXTS.search(expression):
            mend = (
                "write =duration(wait), and make wait an input of the piece"
                if diagram.is_piece
                else "write =duration(settings.<name>), and the value to "
                f"config/journeys/{diagram.process_id}.toml under [settings]"
            )
            yield about(
                diagram,
                node,
                f"the time {expression} is fixed in the diagram",
                "it cannot be changed without a new version",
                mend,
            )


def timers_have_the_right_kind(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """A timer of the kind Duration is computed with duration(...), one of the kind Date with date and time(...)."""
    for node in diagram.nodes.values():
        formula = formula_in(node.timer[1]) if node.timer is not None else None
        if node.timer is None or formula is None:
            continue
        functions = {name for name, _ in formula.calls}
        wanted, other = (
            ("duration", "date and time") if node.timer[0] == "timeDuration" else ("date and time", "duration")
        )
        is_wrong = other in functions and wanted not in functions and "now" not in functions
        if node.timer[0] != "timeCycle" and (
            is_wrong or (formula.path is not None and "settings" in formula.variables)
        ):
            kind = "Duration" if node.timer[0] == "timeDuration" else "Date"
            yield about(
                diagram,
                node,
                f"the timer is of the kind {kind}, and {node.timer[1]} is none",
                "the journey stops here with an incident",
                f"write ={wanted}(...), or change the kind of the timer",
            )


def settings_agree_with_the_file(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """What the diagram reads is set in config/journeys, and what is set there is read."""
    if diagram.is_piece:
        return
    file = f"config/journeys/{diagram.process_id}.toml"
    settings = known.book.of(diagram.process_id).settings
    read: set[str] = set()
    for thing, _, expression in expressions(diagram):
        found = set(_SETTING.findall(_TEXTS.sub("", expression)))
        read |= found
        for setting in sorted(found - set(settings)):
            yield about(
                diagram,
                thing,
                f"reads settings.{setting}, which the journey does not have",
                "it is null: a timer becomes an incident, a condition false",
                f"add {setting} to {file} under [settings]",
            )
    for setting in sorted(set(settings) - read):
        yield about(
            diagram,
            None,
            f"does not read {setting}, which {file} sets",
            "whoever changes it there waits in vain",
            f"read settings.{setting} in the diagram, or remove it from the file",
        )


def durations_in_settings_are_durations(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A setting that a timer or a worker takes for a duration is written as one: PT20M, PT24H, P7D."""
    settings = known.book.of(diagram.process_id).settings
    for thing, what, expression in expressions(diagram):
        names = _DURATION.findall(expression)
        if what.startswith("input "):
            names += _duration_input(diagram, known, thing.id, what.removeprefix("input "), expression)
        for name in names:
            if name in settings and not _is_duration(settings[name]):
                yield about(
                    diagram,
                    thing,
                    f'settings.{name} is "{settings[name]}", which is no duration',
                    "the journey stops here with an incident",
                    f"write it like PT20M, PT24H or P7D in config/journeys/{diagram.process_id}.toml",
                )


def _duration_input(diagram: Diagram, known: Surroundings, node: str, variable: str, source: str) -> list[str]:
    """Return the setting that *source* hands to a worker's input of the type duration."""
    task = known.tasks.get(diagram.nodes[node].task_type or "") if node in diagram.nodes else None
    is_time = task is not None and getattr(task.input, "__annotations__", {}).get(variable) in (timedelta, "timedelta")
    found = _SETTING.fullmatch(source.removeprefix("=").strip())
    return [found[1]] if found is not None and is_time else []


def _is_duration(value: object) -> bool:
    try:
        msgspec.convert(value, timedelta)
    except msgspec.ValidationError:
        return False
    return isinstance(value, str)
