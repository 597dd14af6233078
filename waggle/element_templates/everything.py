"""All element templates of one project."""

from collections.abc import Iterable

from waggle.element_templates.events import message_events, timer_events
from waggle.element_templates.fields import Json
from waggle.element_templates.project import Project
from waggle.element_templates.steps import approval_step, decision_step, piece_step, task_step
from waggle.task import Task


def element_templates(tasks: Iterable[Task], project: Project) -> list[Json]:
    """Return every template, without versions, in a steady order."""
    found = [
        *(task_step(task, project) for task in tasks if ":" not in task.task_type),  # not what is built into the engine
        *(piece_step(piece, project) for piece in project.pieces),
        *(decision_step(table) for table in project.tables),
        approval_step(),
        *(event for name, message in project.catalogue.messages.items() for event in message_events(name, message)),
        *timer_events(),
    ]
    return sorted(found, key=lambda each: str(each["id"]))
