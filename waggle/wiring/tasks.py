"""The task types, with the limits that an installation sets for them."""

from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

from waggle.errors import BadSettings
from waggle.registry import find_tasks
from waggle.settings import TaskSettings
from waggle.task import Task


def tasks_in_force(limits: Mapping[str, TaskSettings]) -> Mapping[str, Task]:
    """Return every task type as it is declared, unless *limits* say otherwise.

    Raises:
        BadSettings: TASK_TYPE_UNKNOWN, if limits are set for one that nobody answers.
    """
    tasks = find_tasks()
    for task_type, limit in limits.items():
        if task_type not in tasks:
            raise BadSettings(
                "TASK_TYPE_UNKNOWN", f"worker.tasks.{task_type}: no worker answers it; known: {', '.join(tasks)}"
            )
        given = {each.name: getattr(limit, each.name) for each in fields(TaskSettings)}
        in_force: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        tasks[task_type] = replace(tasks[task_type], **in_force)
    return MappingProxyType(tasks)
