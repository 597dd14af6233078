"""`waggle tasks`: what journeys can be made of."""

from collections.abc import Mapping
from dataclasses import fields

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from waggle.app import App
from waggle.element_templates.steps import purpose_of
from waggle.settings import TaskSettings, load_settings
from waggle.task import Task


def tasks(*, json: bool = False) -> None:
    """List the task types that can be used in a diagram, with the limits that are in force here.

    A limit that the task does not declare itself is followed by where it was set.

    Example: `waggle tasks --json`

    Parameters
    ----------
    json
        One JSON document for programs, with the variables that each task reads and writes.
    """
    app = App(load_settings())
    sources = app.settings.sources
    if json:
        print(msgspec.json.encode([_described(task, _set_by(task, sources)) for task in app.tasks.values()]).decode())
        return
    table = Table("task type", "what it does", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for task in app.tasks.values():
        thrown = "".join(f"\nthrows {code}" for code in sorted(task.throws))
        limits = _limits(task, _set_by(task, sources))
        table.add_row(task.task_type, Text.assemble(purpose_of(task), thrown, "\n", (limits, "dim"), overflow="fold"))
    Console().print(table)


def _set_by(task: Task, sources: Mapping[str, str]) -> dict[str, str]:
    """Return where each limit that is not the declared one was set."""
    found = {each.name: sources.get(f"worker.tasks.{task.task_type}.{each.name}") for each in fields(TaskSettings)}
    return {name: source for name, source in found.items() if source is not None}


def _limits(task: Task, set_by: Mapping[str, str]) -> str:
    shown = {
        "concurrency": f"{task.concurrency} at once",
        "rate_per_s": "any rate" if task.rate_per_s is None else f"{task.rate_per_s:g} per second",
        "timeout_s": f"{task.timeout_s:g} s",
        "retries": f"{task.retries} tries",
    }
    return ", ".join(f"{text} (from {set_by[name]})" if name in set_by else text for name, text in shown.items())


def _described(task: Task, set_by: Mapping[str, str]) -> dict[str, object]:
    return {
        "task_type": task.task_type,
        "does": purpose_of(task),
        "reads": list(task.variables),
        "writes": list(task.results),
        "throws": sorted(task.throws),
        "headers": [] if task.headers_type is None else [each.name for each in fields(task.headers_type)],
        "concurrency": task.concurrency,
        "rate_per_s": task.rate_per_s,
        "timeout_s": task.timeout_s,
        "retries": task.retries,
        "set_by": set_by,
        "side_effect": task.side_effect,
        "in_doubt": task.in_doubt,
    }
