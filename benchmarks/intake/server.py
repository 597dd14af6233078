"""The API of Waggle as a process.

With `--judge-only` it stores nothing, with `--constant` it finds the same whatever is asked; otherwise it is the same.
"""

import asyncio
import gc
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from waggle.app import App
from waggle.cli import ALLOCATIONS_PER_LOOK
from waggle.log import configure
from waggle.ports.unit_of_work import Admission, Arrival, Transaction, UnitOfWork
from waggle.processes import let_threads_take_turns, run_api, run_until_stopped
from waggle.services.shared_reads import Question, SharedReads
from waggle.settings import load_settings

T = TypeVar("T")


class _NoEvents:
    def add_all(self, arrivals: Sequence[Arrival]) -> list[Admission]:
        return ["accepted"] * len(arrivals)

    def refuse_all(self, refused: Sequence[object]) -> None:
        """Keep nothing."""


class _NoTransaction:
    """Stands where a transaction is; whatever else is written comes to nothing."""

    def __init__(self) -> None:
        self.events = _NoEvents()

    def __getattr__(self, _name: str) -> Any:  # noqa: ANN401 -- stands for every repository
        return _Nothing()


class _Nothing:
    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_given, **_named: None


class JudgingStore:
    """Reads as the real one does, and forgets what is written."""

    def __init__(self, store: UnitOfWork) -> None:
        self._store = store

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* on nothing."""
        nothing: Any = _NoTransaction()
        return work(nothing)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Read what is really there: keys."""
        return await self._store.read(work)

    def close(self) -> None:
        """Let go of nothing."""


def answer_constantly() -> None:
    """Let every question be answered with what was found the first time one of its kind was asked."""
    found: dict[Question[Any], Any] = {}
    look = SharedReads.ask

    async def ask(reads: SharedReads, question: Question[T], key: str) -> T:
        if question not in found:
            found[question] = await look(reads, question, key)
        constant: T = found[question]
        return constant

    setattr(SharedReads, "ask", ask)  # noqa: B010 -- replaced, which types forbid


def main() -> None:
    """Serve until asked to stop."""
    settings = load_settings()
    configure("json", "error")
    # As the command line does.
    gc.set_threshold(ALLOCATIONS_PER_LOOK)
    let_threads_take_turns()
    app = App(settings)
    store = app.store
    if "--judge-only" in sys.argv:
        app.__dict__["store"] = JudgingStore(store)
    if "--constant" in sys.argv:
        answer_constantly()

    async def serve(stop: asyncio.Event) -> None:
        await run_api(app, stop)

    try:
        run_until_stopped(serve)
    finally:
        store.close()


if __name__ == "__main__":
    main()
