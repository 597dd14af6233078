"""`waggle tasks`: what journeys can be made of."""

import msgspec
from rich.console import Console
from rich.table import Table

from waggle.registry import find_tasks


def tasks(*, json: bool = False) -> None:
    """List the task types that can be used in a diagram.

    Example: `waggle tasks --json`

    Parameters
    ----------
    json
        One JSON document for programs, with the variables that each task reads and writes.
    """
    found = find_tasks().values()
    if json:
        listed = [
            {
                "task_type": task.task_type,
                "reads": list(task.variables),
                "writes": list(task.results),
                "throws": sorted(task.throws),
                "timeout_s": task.timeout_s,
                "concurrency": task.concurrency,
                "side_effect": task.side_effect,
            }
            for task in found
        ]
        print(msgspec.json.encode(listed).decode())
        return
    table = Table("task type", "what it does", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for task in found:
        does = (task.call.__doc__ or "").strip().splitlines()[0]
        thrown = "".join(f"\nthrows {code}" for code in sorted(task.throws))
        table.add_row(task.task_type, does + thrown)
    Console().print(table)
