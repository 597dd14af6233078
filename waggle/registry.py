"""Find workers and connectors: the folders here, then entry points of other distributions."""

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType

import connectors
import workers
from waggle.connector import Connector
from waggle.errors import BadSettings
from waggle.task import Task, declared_task


def find_tasks() -> dict[str, Task]:
    """Return every task type that can be answered here, by name.

    Raises:
        BadSettings: two modules answer the same task type.
    """
    found: dict[str, Task] = {}
    for module in _modules(workers, "waggle.workers"):
        for thing in vars(module).values():
            task = declared_task(thing)
            if task is None or task.call.__module__ != module.__name__:
                continue
            if task.task_type in found:
                other = found[task.task_type].call.__module__
                raise BadSettings(
                    "TASK_TYPE_TWICE", f"{task.task_type!r} is answered by {other} and {module.__name__}: remove one"
                )
            found[task.task_type] = task
    return dict(sorted(found.items()))


def find_connectors() -> dict[str, Connector]:
    """Return every declared outside system, by name; no vendor library is imported."""
    found = [module.CONNECTOR for module in _modules(connectors, "waggle.connectors")]
    return {connector.name: connector for connector in sorted(found, key=lambda connector: connector.name)}


def load(where: str) -> type:
    """Return the class named by "module:class"."""
    module, _, name = where.partition(":")
    found: type = getattr(import_module(module), name)
    return found


def _modules(package: ModuleType, group: str) -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(package.__path__):
        yield import_module(f"{package.__name__}.{found.name}")
    for name in _entries(group):
        yield import_module(name)


@cache
def _entries(group: str) -> tuple[str, ...]:
    """Return the modules that other distributions enter in *group*; to look costs a file for each distribution."""
    return tuple(entry.value for entry in entry_points(group=group))
