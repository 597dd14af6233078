"""Works in line for the one thread of this process that writes, many to one commit."""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from waggle.ports.unit_of_work import Transaction

T = TypeVar("T")


class Work:
    """One work in line, and where its result goes."""

    def __init__(self, call: Callable[[Transaction], Any]) -> None:
        self.call = call
        self.future: Future[Any] = Future()
        self.result: Any = None
        self.error: BaseException | None = None


class WritingLine:
    """Hands what stands in line to *commit*, which leaves in each work its result or its error; `close` ends it."""

    def __init__(self, name: str, commit: Callable[[list[Work]], None], most_at_once: int) -> None:
        self._name = name
        self._commit = commit
        self._most_at_once = most_at_once
        self._line: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False

    async def run(self, call: Callable[[Transaction], T]) -> T:
        """Stand in line; return what *call* returned once it is committed."""
        work = Work(call)
        self._put(work)
        result: T = await asyncio.wrap_future(work.future)
        return result

    def close(self) -> None:
        """Finish what is in line."""
        with self._starting:
            self._closed = True
        if self._writer is not None:
            self._line.put(None)
            self._writer.join()

    def _put(self, work: Work) -> None:
        with self._starting:
            if self._closed:
                raise RuntimeError("the store is closed")
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_for_ever, name=self._name, daemon=True)
                self._writer.start()
            self._line.put(work)

    def _write_for_ever(self) -> None:
        while (first := self._line.get()) is not None:
            batch = [first]
            last = False
            while len(batch) < self._most_at_once and not self._line.empty():
                more = self._line.get()
                if more is None:
                    last = True
                    break
                batch.append(more)
            self._settle(batch)
            if last:
                return

    def _settle(self, batch: list[Work]) -> None:
        try:
            self._commit(batch)
        except BaseException as error:  # noqa: BLE001 -- whatever it is, those who wait must hear of it
            for work in batch:
                work.error = work.error or error
        for work in batch:
            # A caller that was cancelled meanwhile has given up its future.
            if work.future.set_running_or_notify_cancel():
                if work.error is not None:
                    work.future.set_exception(work.error)
                else:
                    work.future.set_result(work.result)
