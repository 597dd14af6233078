"""Calls the function behind a task, in the event loop or in a thread of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any

from waggle.engine.worker.counters import Counters
from waggle.log import get_logger
from waggle.task import Task

_log = get_logger(__name__)


class TookTooLong(Exception):
    """A handler was stopped because its time was over."""


class Calling:
    """Of one task."""

    def __init__(self, task: Task, counters: Counters) -> None:
        """Start no thread before the first call."""
        self._task = task
        self._counters = counters
        self._threads = (
            ThreadPoolExecutor(task.concurrency, thread_name_prefix=task.task_type) if task.is_sync else None
        )

    async def result(self, given: object, further: dict[str, object]) -> object:
        """Return what the task returns for *given*.

        Raises:
            TookTooLong: it was stopped; what blocks a thread never is, and is waited for.
            Exception: whatever the task raises.
        """
        call = partial(self._task.call, given, **further)
        if self._threads is not None:
            return await self._in_a_thread(call, self._threads)
        limit = asyncio.timeout(self._task.timeout_s)
        try:
            async with limit:
                return await call()
        except TimeoutError:
            if limit.expired():
                self._counters.overdue += 1
                raise TookTooLong from None
            raise

    def close(self) -> None:
        """Start no call any more. What runs in a thread runs on, and the interpreter waits for it."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_a_thread(self, call: Callable[[], Any], threads: ThreadPoolExecutor) -> object:
        loop = asyncio.get_running_loop()
        late = loop.call_later(self._task.timeout_s, self._tell_late)
        try:
            return await loop.run_in_executor(threads, partial(copy_context().run, _called, call))
        finally:
            late.cancel()

    def _tell_late(self) -> None:
        self._counters.overdue += 1
        _log.warning(
            "handler overruns its time in a thread", task_type=self._task.task_type, limit_s=self._task.timeout_s
        )


def _called(call: Callable[[], Any]) -> object:
    try:
        return call()
    except StopIteration as error:
        # A future cannot carry it: the job would never end.
        raise RuntimeError("the task let a StopIteration escape") from error
