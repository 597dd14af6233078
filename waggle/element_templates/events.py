"""Ready-made events: engine messages of the catalogue with name and key filled in, and timers that ask the settings."""

from collections.abc import Iterator
from typing import Final

from waggle.element_templates.fields import CONTENT, Json, fixed, setting, words
from waggle.element_templates.steps import template
from waggle.services.catalogue import CatalogueMessage

_KEY: Final = "=enrolment_id"
_MESSAGE: Final = "bpmn:MessageEventDefinition"
_TIMER: Final = "bpmn:TimerEventDefinition"
_START: Final = "bpmn:StartEvent"
_CATCH: Final = "bpmn:IntermediateCatchEvent"
_BOUNDARY: Final = "bpmn:BoundaryEvent"


def message_events(name: str, message: CatalogueMessage) -> Iterator[Json]:
    """Yield the events in which a diagram may have an engine message."""
    told = words(name)
    match message.kind:
        case "start":
            yield _awaited(name, message, "start", f"Start: {told}", _START, keyed=False)
        case "exit":
            yield _awaited(name, message, "exit", f"Exit: {told}", _START, keyed=True)
        case _:
            yield _awaited(name, message, "wait", f"Wait for: {told}", _CATCH, keyed=True)
            yield _awaited(name, message, "meanwhile", f"If meanwhile: {told}", _BOUNDARY, keyed=True)


def _awaited(  # noqa: PLR0913 -- each says one thing about the event
    name: str, message: CatalogueMessage, place: str, title: str, element: str, *, keyed: bool
) -> Json:
    where = {
        "start": f"The first event of a journey; the journey stands in the catalogue under [[{name}.starts]].",
        "exit": f"The start of an event sub-process that ends the journey; in the catalogue under [[{name}.ends]].",
        "wait": f"The journey goes on when it comes; in the catalogue under [[{name}.moves]].",
        "meanwhile": f"Sits on a task, piece or sub-process and leaves it; in the catalogue under [[{name}.moves]].",
    }[place]
    properties = [fixed(name, {"type": "bpmn:Message#property", "name": "name"})]
    if keyed:
        properties.append(fixed(_KEY, {"type": "bpmn:Message#zeebe:subscription#property", "name": "correlationKey"}))
    kind = {"value": element, "eventDefinition": _MESSAGE}
    text = f"{message.description} {where}"
    return template(f"{place}.{name}", title, text, "event", kind, properties, page="message-events")


def timer_events() -> Iterator[Json]:
    """Yield the events that wait for time to pass."""
    date, duration = ({"type": f"{_TIMER}#property", "name": name} for name in ("timeDate", "timeDuration"))
    asked = "The duration stands in config/journeys/<journey>.toml under [settings]."
    yield template(
        "time.wait",
        "Wait for some time",
        f"The journey rests. {asked}",
        "time",
        {"value": _CATCH, "eventDefinition": _TIMER},
        [setting("How long", asked, "wait", duration)],
        page="timer-events",
    )
    yield template(
        "time.limit",
        "If it takes too long",
        f"Sits on a task, piece or sub-process and leaves it when the time is over. {asked}",
        "time",
        {"value": _BOUNDARY, "eventDefinition": _TIMER},
        [setting("After how long", asked, "limit", duration)],
        page="timer-events",
    )
    until = setting("Until when", "An expression that gives a date and time.", "wait", date)
    until |= {"value": "=date and time(send_at)", "group": CONTENT, "constraints": {"notEmpty": True}}
    yield template(
        "time.until",
        "Wait until a date",
        "The journey rests until a time that a task has returned, such as send_at.",
        "time",
        {"value": _CATCH, "eventDefinition": _TIMER},
        [until],
        page="timer-events",
    )
