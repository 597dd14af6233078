"""Our client for the load `poison`: three tasks that do nothing and one that is picky."""

import asyncio
from dataclasses import dataclass, replace

from benchmarks.worker.calls import CallLog
from benchmarks.worker.given import Given, given
from benchmarks.worker.ours import handlers, work
from waggle.errors import Rejected
from waggle.task import JobOrigin, Task, declared_task, task

_TOO_MUCH_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Taste:
    journey_id: str
    amount: int
    wish: str


@dataclass(frozen=True, slots=True)
class Tasted:
    verdict: str


def picky(log: CallLog) -> Task:
    """Return the task that refuses what it cannot read, and fails as it is bidden."""

    @task("taste", concurrency=32, throws=("TOO_BITTER",))
    async def taste(given: Taste, origin: JobOrigin) -> Tasted:
        log.note(given.journey_id, origin.element_id)
        if given.wish == "undeclared code":
            raise Rejected("NEVER_HEARD_OF", "a code that the task does not declare")
        if given.wish == "uncaught code":
            raise Rejected("TOO_BITTER", "a code that the diagram does not catch")
        return Tasted(verdict="x" * _TOO_MUCH_BYTES if given.wish == "huge result" else "good")

    declared = declared_task(taste)
    if declared is None:
        raise AssertionError("it was declared three lines above")
    return declared


async def main(asked: Given) -> None:
    """Work until asked to end."""
    log = CallLog(asked.calls)
    plain = tuple(task_type for task_type in asked.task_types if task_type != "taste")
    await work(asked, [*handlers(replace(asked, task_types=plain), log), picky(log)])


if __name__ == "__main__":
    asyncio.run(main(given("benchmarks.worker.taster")))
