"""Questions that come at the same time are answered from one transaction."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from waggle.ports.unit_of_work import QuickReads, Transaction

T = TypeVar("T")

_MOST_AT_ONCE = 64
_TRANSACTIONS_AT_ONCE = 2
_TURNS_TO_JOIN = 2


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """A kind of question about something that has a key."""

    answer: Callable[[Transaction, str], T]
    prepare: Callable[[Transaction, Collection[str]], None] | None = None
    """Reads for many keys at once what `answer` needs of each."""


@dataclass(slots=True)
class _Asked:
    """One question that waits for its answer."""

    question: Question[Any]
    key: str
    future: asyncio.Future[Any]


class SharedReads:
    """Collects what is asked within one turn of the event loop, or while others are answered."""

    def __init__(self, store: QuickReads) -> None:
        self._store = store
        self._line: deque[_Asked] = deque()
        self._answering = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question[T], key: str) -> T:
        """Return the answer; raises what answering raises, and as the store's `look` does."""
        asked = _Asked(question, key, asyncio.get_running_loop().create_future())
        self._line.append(asked)
        if self._answering < _TRANSACTIONS_AT_ONCE:
            self._answering += 1
            task = asyncio.create_task(self._answer_all())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        answer: T = await asked.future
        return answer

    async def _answer_all(self) -> None:
        try:
            while self._line:
                # Who is being heard at this moment joins: a look costs twice what one key more does. The others of this
                # process get their turn, too, where the store answers on the spot.
                for _ in range(_TURNS_TO_JOIN):
                    await asyncio.sleep(0)
                await self._answer_next()
        finally:
            # Not when the task is told to be done, a turn later: whoever asks until then would wait for nobody.
            self._answering -= 1

    async def _answer_next(self) -> None:
        batch = [self._line.popleft() for _ in range(min(len(self._line), _MOST_AT_ONCE))]
        if len(batch) > 1 and await self._answered_together(batch):
            return
        for asked in batch:
            await self._answer_alone(asked)

    async def _answered_together(self, batch: list[_Asked]) -> bool:
        """Say whether all was well; else nobody was answered, since what failed may be the matter of one."""
        try:
            answers = await self._store.look(lambda tx: _answers(tx, batch))
        except Exception:  # noqa: BLE001 -- each is asked for alone then, and whom it concerns hears of it
            return False
        for asked, answer in zip(batch, answers, strict=True):
            # Who asked may have gone away.
            if not asked.future.done():
                asked.future.set_result(answer)
        return True

    async def _answer_alone(self, asked: _Asked) -> None:
        try:
            [answer] = await self._store.look(lambda tx: _answers(tx, [asked]))
        except BaseException as error:  # noqa: BLE001 -- whatever it is, the one who waits must hear of it
            if not asked.future.done():
                asked.future.set_exception(error)
            return
        if not asked.future.done():
            asked.future.set_result(answer)


def _answers(tx: Transaction, batch: list[_Asked]) -> list[Any]:
    keys: dict[Question[Any], list[str]] = {}
    for asked in batch:
        if asked.question.prepare is not None:
            keys.setdefault(asked.question, []).append(asked.key)
    for question, some in keys.items():
        assert question.prepare is not None  # noqa: S101 -- see above
        question.prepare(tx, some)
    return [asked.question.answer(tx, asked.key) for asked in batch]
